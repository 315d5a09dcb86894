"""Lots: first expired first out, the promised day, quarantine that is never sold twice, returns into the right lot (T18, trap 18)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory import service
from app.inventory.models import Lot
from app.inventory.service import lots, quota
from tests.factories import market
from tests.integration.inventory import yard


def ship(order_id: int, **options: Any) -> None:
    with transaction():
        assert service.ship(order_id, **options) >= 1


def test_the_lot_that_expires_first_goes_first(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    yard.receive(shop, stock, "late", 5, 90)
    yard.receive(shop, stock, "soon", 3, 30)
    yard.receive(shop, stock, "never", 4)
    order_id, _ = yard.order((sku, 6))
    assert yard.lot_units(stock) == {"late": (5, 0), "soon": (3, 0), "never": (4, 0)}, "paying chooses no lot"
    ship(order_id)
    assert yard.lot_units(stock) == {"late": (2, 0), "never": (4, 0)}
    yard.proven()


def test_a_lot_too_old_on_the_promised_day_is_passed_over(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(min_days=10)
    yard.receive(shop, stock, "short", 5, 14)
    yard.receive(shop, stock, "long", 2, 60)
    first, _ = yard.order((sku, 2))
    ship(first, arrives_on=yard.day(5))
    assert yard.lot_units(stock) == {"short": (5, 0)}, "14 days less 10 is day 4: not good for day 5"
    second, _ = yard.order((sku, 2))
    with pytest.raises(service.LotShort) as refused, transaction():
        service.ship(second, arrives_on=yard.day(5))
    assert refused.value.params["missing"] == 2
    assert yard.columns(sku)["allocated"] == 2, "a refused shipment moves nothing"
    ship(second, arrives_on=yard.day(4))
    assert yard.lot_units(stock) == {"short": (3, 0)}
    yard.proven()


def test_units_from_before_become_the_opening_lot(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(stock=7)
    assert yard.lot_units(stock) == {"期初": (7, 0)}
    with transaction():  # again, with other days
        lots.keep_by_lots(yard.owner(shop), sku, shelf_days=30, min_remaining_days=3)
    assert yard.lot_units(stock) == {"期初": (7, 0)}
    with transaction():
        service.receive_declared(shop.merchant_id, [sku], [4], new_id())
    assert yard.lot_units(stock) == {"期初": (11, 0)}
    with pytest.raises(Invalid), transaction():
        service.change_on_hand(yard.owner(shop), stock, 1, cause_id=new_id(), note="手工")
    yard.proven()


def test_receiving_is_once_per_cause_and_checks_the_label(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(shelf_days=20)
    cause = new_id()
    for _ in range(2):
        yard.receive(shop, stock, "L1", 5, 40, cause)
    assert yard.lot_units(stock) == {"L1": (5, 0)}
    with pytest.raises(Conflict, match=r"lot\.differs"):
        yard.receive(shop, stock, "L1", 5, 41)
    with transaction():
        lot = lots.open_lot(yard.owner(shop), sku, "L2", produced_on=yard.day(-5))
        assert lot.expires_on == yard.day(15), "produced plus shelf life"
    for bad in ({"produced_on": yard.day(9)}, {"produced_on": yard.day(-3), "expires_on": yard.day(-3)}):
        with pytest.raises(Invalid), transaction():
            lots.open_lot(yard.owner(shop), sku, "L3", **bad)
    with pytest.raises(Invalid), transaction():
        lots.open_lot(yard.owner(shop), sku, "  ")
    other = market.make_shop()
    with pytest.raises(NotFound), transaction():
        lots.open_lot(yard.owner(other), sku, "L4")
    yard.proven()


def test_what_arrives_too_old_goes_into_quarantine(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(min_days=10)
    yard.receive(shop, stock, "old", 5, 4)
    assert yard.lot_units(stock) == {"old": (0, 5)}
    assert yard.free(sku) == 0
    yard.proven()


def test_blocked_units_are_never_promised_again(db: Any) -> None:
    """Ten units, six promised, the lot is blocked: four leave at once, the others when their orders let go of them."""
    shop, sku, stock = yard.tracked_shop()
    lot_id = yard.receive(shop, stock, "L1", 10, 60)
    (paid, _), (unpaid, _) = yard.order((sku, 4)), yard.order((sku, 2), paid=False)
    with transaction():
        assert lots.block(yard.owner(shop), lot_id, "抽检不合格") == 4
    assert yard.lot_units(stock) == {"L1": (6, 4)}
    assert yard.free(sku) == 0
    with pytest.raises(service.LotShort), transaction():
        service.ship(paid)
    with transaction():
        service.release(unpaid)
    assert (yard.lot_units(stock), yard.free(sku)) == ({"L1": (4, 6)}, 0)
    yard.receive(shop, stock, "L2", 3, 60)
    assert yard.free(sku) == 0, "fresh units cover the promise first"
    assert yard.lot_units(stock) == {"L1": (1, 9), "L2": (3, 0)}
    yard.receive(shop, stock, "L2", 1, 60)
    ship(paid)
    assert yard.lot_units(stock) == {"L1": (0, 10)}
    yard.proven()


def test_a_cancelled_order_brings_no_blocked_unit_back(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    lot_id = yard.receive(shop, stock, "L1", 3, 60)
    order_id, _ = yard.order((sku, 3))
    with transaction():
        lots.block(yard.owner(shop), lot_id, "破袋")
    with transaction():
        service.unallocate(order_id)
    assert (yard.lot_units(stock), yard.free(sku)) == ({"L1": (0, 3)}, 0)
    row = yard.row_id(stock, lot_id)
    with pytest.raises(Conflict, match=r"lot\.state"), transaction():
        lots.restore(yard.owner(shop), row, 1, "看过了", cause_id=new_id())
    with transaction():
        lots.reopen(yard.owner(shop), lot_id, "复检合格")
    cause = new_id()
    for fresh in (True, False):
        with transaction():
            assert lots.restore(yard.owner(shop), row, 2, "复检合格", cause_id=cause) is fresh
    with transaction():
        assert lots.scrap(yard.owner(shop), row, 1, "水渍", cause_id=new_id())
    with pytest.raises(Conflict), transaction():
        lots.scrap(yard.owner(shop), row, 1, "水渍", cause_id=new_id())
    assert yard.free(sku) == 2
    yard.proven()


def test_quarantine_of_some_units_needs_them_free_and_a_reason(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    lot_id = yard.receive(shop, stock, "L1", 5, 60)
    yard.order((sku, 3))
    actor = yard.owner(shop)
    for units, reason, error in ((1, " ", Invalid), (0, "破损", Invalid), (3, "破损", service.OutOfStock)):
        with pytest.raises(error), transaction():
            lots.quarantine(actor, stock, lot_id, units, reason, cause_id=new_id())
    with pytest.raises(NotFound), transaction():
        lots.quarantine(actor, stock, 0, 1, "破损", cause_id=new_id())
    with transaction():
        assert lots.damage(actor, stock, lot_id, 2, "压坏", cause_id=new_id())
    assert (yard.lot_units(stock), yard.free(sku)) == ({"L1": (3, 2)}, 0)
    plain = yard.stock_of(shop.sku_ids[1]).id
    with transaction():
        service.change_on_hand(actor, plain, 4, cause_id=new_id(), note="到货")
        lots.quarantine(actor, plain, 0, 3, "受潮", cause_id=new_id())
    assert (yard.lot_units(plain), yard.free(shop.sku_ids[1])) == ({"-": (0, 3)}, 1)
    yard.proven()


def test_lots_leave_sale_by_themselves_when_too_little_life_is_left(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(min_days=5)
    yard.receive(shop, stock, "L1", 5, 10)
    yard.receive(shop, stock, "L2", 5, 60)
    with clock.travel(timedelta(days=5)), transaction():
        assert lots.block_expired() == 0
    with clock.travel(timedelta(days=6)):
        with transaction():
            assert lots.block_expired() == 1
        with transaction():
            assert lots.block_expired() == 0
    assert yard.lot_units(stock) == {"L1": (0, 5), "L2": (5, 0)}
    assert {lot.lot_no: lot.reason for lot in db.query(Lot).filter_by(sku_id=sku, status="blocked")} == {"L1": "剩余效期不足，不再销售"}
    yard.proven()


def give_back(shop: market.Shop, order_id: int, line_id: int, good: int, bad: int, ordered: int, **more: Any) -> bool:
    cause = more.pop("cause_id", new_id())
    with transaction():
        back = service.Returned(order_id, line_id, ordered, good, bad, **more)
        return service.receive_return(yard.owner(shop), back, cause_id=cause)


def test_returns_go_into_the_lots_they_left(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    soon, late = yard.receive(shop, stock, "soon", 2, 30), yard.receive(shop, stock, "late", 5, 90)
    order_id, (line_id,) = yard.order((sku, 4))
    with pytest.raises(Conflict):
        give_back(shop, order_id, line_id, 1, 0, 4)  # nothing was shipped
    ship(order_id)
    cause = new_id()
    for fresh in (True, False):
        assert give_back(shop, order_id, line_id, 1, 1, 4, cause_id=cause, lot_id=late) is fresh
    assert yard.lot_units(stock) == {"late": (4, 1)}
    with pytest.raises(Invalid, match=r"return\.lot"):
        give_back(shop, order_id, line_id, 1, 0, 4, lot_id=late)  # the two of that lot are back
    other = yard.receive(shop, stock, "other", 1, 90)
    with pytest.raises(Invalid, match=r"return\.lot"):
        give_back(shop, order_id, line_id, 1, 0, 4, lot_id=other)
    with pytest.raises(Conflict, match=r"return\.too_many"):
        give_back(shop, order_id, line_id, 2, 1, 4)
    assert give_back(shop, order_id, line_id, 2, 0, 4)
    assert yard.lot_units(stock)["soon"] == (2, 0)
    with pytest.raises(Conflict, match=r"return\.too_many"):
        give_back(shop, order_id, line_id, 1, 0, 4)
    assert soon
    yard.proven()


def test_a_good_unit_of_a_blocked_lot_is_not_sold_again(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    lot_id = yard.receive(shop, stock, "L1", 4, 60)
    order_id, (line_id,) = yard.order((sku, 2))
    ship(order_id)
    with transaction():
        lots.block(yard.owner(shop), lot_id, "召回调查")
    assert give_back(shop, order_id, line_id, 2, 0, 2)
    assert (yard.lot_units(stock), yard.free(sku)) == ({"L1": (0, 4)}, 0)
    yard.proven()


def test_returns_of_a_product_without_lots(db: Any) -> None:
    shop = market.make_shop(stock=5)
    sku, actor = shop.sku_ids[0], yard.owner(shop)
    order_id, (line_id,) = yard.order((sku, 3))
    ship(order_id)
    assert give_back(shop, order_id, line_id, 1, 1, 3)
    assert (yard.free(sku), yard.lot_units(yard.stock_of(sku).id)) == (3, {"-": (0, 1)})
    for good, bad, ordered in ((0, 0, 3), (-1, 2, 3), (1, 0, 2)):
        with pytest.raises(Invalid):
            give_back(shop, order_id, line_id, good, bad, ordered)
    assert actor
    yard.proven()


def test_activity_units_are_carved_out_sold_and_given_back(db: Any) -> None:
    shop = market.make_shop(stock=10)
    sku, cause, end = shop.sku_ids[0], new_id(), clock.now() + timedelta(minutes=5)
    for fresh in (True, False):
        with transaction():
            assert quota.hold("flash", 7, sku, 6, cause_id=cause) is fresh
    assert yard.columns(sku)["quota_held"] == 6
    with pytest.raises(service.OutOfStock):
        yard.order((sku, 5))
    with pytest.raises(service.OutOfStock), transaction():
        quota.hold("flash", 7, sku, 5, cause_id=new_id())
    order_id = new_id()
    with transaction():
        quota.sell("flash", 7, [(order_id, new_id(), sku, 4)], end)
    with pytest.raises(service.OutOfStock, match=r"stock\.quota"), transaction():
        quota.sell("flash", 7, [(new_id(), new_id(), sku, 2), (new_id(), new_id(), sku, 1)], end)
    assert quota.held_of("flash", 7) == {sku: 2}
    with transaction():
        service.release(order_id)
    assert yard.free(sku) == 8, "what an order lets go returns to ordinary sale"
    for units in (2, 0):
        with transaction():
            assert quota.give_back("flash", 7, cause_id=new_id()) == units
    assert yard.columns(sku) == {"on_hand": 10, "allocated": 0, "reserved": 0, "quota_held": 0}
    yard.proven()
