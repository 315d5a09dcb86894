"""Stock columns equal the sum of their movements after anything; every change has one cause (commerce.md §2.6, §2.25 e)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory import queries, registration, service
from app.inventory.models import LotStock, Movement, Reservation, Stock
from app.inventory.service import verify
from tests.clients import Browser
from tests.factories import market
from tests.integration.inventory import yard


def free(sku_id: int) -> int:
    return queries.available([sku_id])[sku_id]


def hold(*lines: tuple[int, int], order_id: int = 0) -> int:
    """Reserve (SKU, quantity) lines for an order of their own."""
    order = order_id or new_id()
    with transaction():
        service.reserve([(order, new_id(), sku, n) for sku, n in lines], clock.now() + timedelta(minutes=30))
    return order


def test_lines_of_one_sku_are_summed(db: Any) -> None:
    """Two lines that share a stock row must not each pass the check (Medusa #16502)."""
    sku = market.make_shop(stock=3).sku_ids[0]
    with pytest.raises(service.OutOfStock) as refused:
        hold((sku, 2), (sku, 2))
    assert refused.value.params["sku_id"] == sku
    assert free(sku) == 3
    assert db.query(Reservation).count() == 0, "all or nothing"
    hold((sku, 2), (sku, 1))
    assert free(sku) == 0


def test_short_line_leaves_the_others_untouched(db: Any) -> None:
    shop = market.make_shop(stock=2)
    with pytest.raises(service.OutOfStock):
        hold((shop.sku_ids[0], 1), (shop.sku_ids[1], 3))
    assert [free(s) for s in shop.sku_ids] == [2, 2]
    assert queries.audit_columns() == []


def test_every_step_moves_once(db: Any) -> None:
    sku = market.make_shop(stock=5).sku_ids[0]
    order = hold((sku, 2))
    for step, units in ((service.consume, 3), (service.ship, 3)):
        with transaction():
            assert step(order) == 1
        with transaction():
            assert step(order) == 0, "repeating changes nothing"
        assert free(sku) == units
    with transaction():
        assert service.release(order) == 0
        assert service.unallocate(order) == 0
    row = db.query(Stock).filter_by(sku_id=sku).one()
    assert (row.on_hand, row.allocated, row.reserved) == (3, 0, 0)
    assert queries.audit_columns() == []


def test_many_orders_go_back_in_one_call(db: Any) -> None:
    shop = market.make_shop(stock=9)
    orders = [hold((shop.sku_ids[0], 2), (shop.sku_ids[1], 1)) for _ in range(4)]
    assert [free(s) for s in shop.sku_ids] == [1, 5]
    with transaction():
        assert service.release(*orders) == 8
    assert [free(s) for s in shop.sku_ids] == [9, 9]
    assert queries.audit_columns() == []


def test_declared_stock_is_received_once(db: Any) -> None:
    shop = market.make_shop(stock=4)
    cause = new_id()
    for _ in range(3):
        with transaction():
            service.receive_declared(shop.merchant_id, list(shop.sku_ids), [7, 0], cause)
    assert [free(s) for s in shop.sku_ids] == [11, 4]


def test_manual_change_is_made_once_per_cause_and_never_below_zero(db: Any) -> None:
    shop = market.make_shop(stock=4)
    stock_id = db.query(Stock).filter_by(sku_id=shop.sku_ids[0]).one().id
    owner = Actor("merchant", account_id=1, name="店主", merchant_id=shop.merchant_id)
    for _ in range(2):
        with transaction():
            service.change_on_hand(owner, stock_id, 6, cause_id=77, note="到货")
    assert free(shop.sku_ids[0]) == 10
    hold((shop.sku_ids[0], 8))
    with pytest.raises(service.OutOfStock), transaction():
        service.change_on_hand(owner, stock_id, -3, cause_id=78, note="盘亏")
    stranger = Actor("merchant", account_id=2, name="别家", merchant_id=shop.merchant_id + 1)
    with pytest.raises(NotFound), transaction():
        service.change_on_hand(stranger, stock_id, 1, cause_id=79, note="-")
    assert queries.audit_columns() == []


@pytest.mark.parametrize("seed", range(4))
def test_columns_are_the_sum_of_movements_after_a_random_mix(db: Any, seed: int) -> None:
    chance = random.Random(seed)
    shop = market.make_shop(stock=20)
    stocks = [db.query(Stock).filter_by(sku_id=s).one().id for s in shop.sku_ids]
    orders: list[int] = []
    for step in range(60):
        what = chance.choice(["hold", "hold", "release", "consume", "ship", "unallocate", "receive", "write off"])
        try:
            if what == "hold":
                orders.append(hold(*[(chance.choice(shop.sku_ids), chance.randint(1, 5)) for _ in range(chance.randint(1, 3))]))
                continue
            with transaction():
                if what in {"receive", "write off"}:
                    delta = chance.randint(1, 6) * (1 if what == "receive" else -1)
                    service.change_on_hand(SYSTEM, chance.choice(stocks), delta, cause_id=step + 1, note="-")
                elif orders:
                    getattr(service, what)(*chance.sample(orders, min(len(orders), 2)))
        except service.OutOfStock:
            pass
    assert db.query(Movement).count() > 20
    assert queries.audit_columns() == []
    for row in db.query(Stock):
        assert min(row.on_hand, row.allocated, row.reserved, row.on_hand - row.allocated - row.reserved) >= 0


def test_nightly_audit_opens_a_case_and_closes_it(app: Any, db: Any) -> None:
    """A difference is a case on the operators' page and in the metrics until it is gone; a second night opens no second one."""
    shop = market.make_shop(stock=4)
    stock_id = db.query(Stock).filter_by(sku_id=shop.sku_ids[0]).one().id
    audit()
    assert verify.count_open() == 0
    for wrong in (5, 6):
        with transaction():
            db.query(Stock).filter_by(id=stock_id).one().on_hand = wrong
        audit()
    assert [(c.kind, c.stock_id, c.detail) for c in verify.open_cases()] == [("movements", stock_id, "列 (5, 0, 0, 0)，流水 (4, 0, 0, 0)")]
    operator = Browser(app)
    operator.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    assert "库存列与流水不符" in operator.get("/operator/stock").soup.get_text()
    assert "regionmart_stock_cases_open 1.0" in operator.get("/metrics").get_data(as_text=True)
    with transaction():
        db.query(Stock).filter_by(id=stock_id).one().on_hand = 4
    audit()
    assert verify.count_open() == 0


def audit() -> None:
    """Run the nightly job as the worker does."""
    with transaction():
        registration._audit()


@pytest.mark.parametrize(
    ("model", "values", "kind"),
    [
        (Stock, {"on_hand": 9}, "lots"), (Stock, {"reserved": 1}, "reservations"), (Stock, {"allocated": 1}, "reservations"),
        (Stock, {"quota_held": 1}, "holds"), (LotStock, {"quarantined": 1}, "lot_movements"), (LotStock, {"on_hand": 1}, "lots"),
    ],
)  # fmt: skip
def test_every_kind_of_difference_is_found(db: Any, model: Any, values: dict[str, int], kind: str) -> None:
    shop, sku, stock_id = yard.tracked_shop()
    yard.receive(shop, stock_id, "L1", 5, 60)
    assert verify.verify() == []
    with transaction():
        key = model.id if model is Stock else model.stock_id
        db.execute(update(model).where(key == stock_id).values(**values))
    assert kind in {f.kind for f in verify.verify() if f.stock_id == stock_id}


def test_pages(app: Any, db: Any) -> None:
    shop, other = market.make_shop(stock=4), market.make_shop()
    stock_id = db.query(Stock).filter_by(sku_id=shop.sku_ids[0]).one().id
    foreign_id = db.query(Stock).filter_by(sku_id=other.sku_ids[0]).one().id
    merchant = Browser(app)
    merchant.sign_in("/merchant", shop.login, market.PASSWORD)
    page = merchant.get("/merchant/stock")
    assert page.status_code == 200
    assert len(page.soup.select("tbody tr")) == 2, "own rows only"
    assert merchant.get(f"/merchant/stock/{stock_id}").soup.find("input", {"name": "delta"})
    for _ in range(2):  # a double click
        assert merchant.post(f"/merchant/stock/{stock_id}", {"delta": "+３", "cause": "12345678"}).status_code == 303
    assert free(shop.sku_ids[0]) == 7
    refused = merchant.post(f"/merchant/stock/{stock_id}", {"delta": "x1", "cause": "1"})
    assert (refused.status_code, refused.soup.find("input", {"name": "delta"})["value"]) == (422, "x1"), "what was typed is kept"
    assert merchant.post(f"/merchant/stock/{foreign_id}", {"delta": "1", "cause": "2"}).status_code == 404
    operator = Browser(app)
    operator.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    assert "夜间核对尚未运行" in operator.get("/operator/stock").soup.get_text()
