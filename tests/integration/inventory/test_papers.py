"""Purchase notes, transfers, counts, warehouses, bundles, warnings: who may, what is refused, and that units add up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.core.ids import new_id
from app.core.jobs import Job
from app.core.tx import transaction
from app.inventory import queries, reads, service
from app.inventory.models import Alert, Movement, ReceiptLine, Stock
from app.inventory.service import alerts, bundles, counts, lots, receipts, settings, transfers, warehouses
from tests.factories import market
from tests.integration.inventory import yard

KEEPER = Actor("operator", account_id=70, name="仓管")


def central(code: str = "", **changes: Any) -> int:
    """A platform warehouse; returns its id."""
    data = {"code": code or f"C{new_id()}", "name": "区域中心仓", "kind": "central", "area_code": "T01", **changes}
    with transaction():
        return warehouses.create(KEEPER, warehouses.WarehouseInput(**data)).id


def own(shop: market.Shop) -> int:
    with transaction():
        return service.warehouse_of(shop.merchant_id).id


def note_for(shop: market.Shop, *lines: tuple[int, int]) -> tuple[int, list[int]]:
    """A purchase note of the shop; returns its id and its lines'."""
    place = own(shop)
    with transaction():
        note = receipts.create(yard.owner(shop), place, lines, supplier="东坪合作社", document_no="CG-1").id
    return note, [line.id for line in receipts.lines_of(note)]


def arrive(shop: market.Shop, note: int, line: int, units: int, *, cause_id: int = 0, **more: Any) -> bool:
    with transaction():
        return receipts.receive(yard.owner(shop), note, line, receipts.Arrival(units, **more), cause_id=cause_id or new_id())


def test_goods_arrive_in_parts_and_differences_need_a_reason(db: Any) -> None:
    shop = market.make_shop(stock=0)
    note, (short, over) = note_for(shop, (shop.sku_ids[0], 10), (shop.sku_ids[1], 5))
    cause = new_id()
    assert [arrive(shop, note, short, 4, cause_id=cause) for _ in range(2)] == [True, False], "a double click counts once"
    assert arrive(shop, note, short, 3, rejected=2, reason="两箱压坏")
    with pytest.raises(Invalid, match=r"stock\.reason"):
        arrive(shop, note, over, 6)
    assert arrive(shop, note, over, 6, reason="多送一件，已确认")
    with pytest.raises(Invalid, match=r"stock\.delta"):
        arrive(shop, note, over, 0)
    rows = {line.id: (line.received, line.rejected) for line in receipts.lines_of(note)}
    assert rows == {short: (7, 2), over: (6, 0)}
    with pytest.raises(Conflict, match=r"receipt\.received"), transaction():
        receipts.cancel(yard.owner(shop), note)
    with transaction():
        receipts.close(yard.owner(shop), note, {short: "供应商缺货"})
    assert db.get(ReceiptLine, short).reason == "供应商缺货"
    with pytest.raises(Conflict, match=r"receipt\.state"):
        arrive(shop, note, short, 1)
    assert [yard.free(sku) for sku in shop.sku_ids] == [7, 6]
    yard.proven()


def test_a_short_note_is_not_closed_without_a_word(db: Any) -> None:
    shop = market.make_shop(stock=0)
    note, (line,) = note_for(shop, (shop.sku_ids[0], 10))
    with pytest.raises(Invalid) as refused, transaction():
        receipts.close(yard.owner(shop), note, {})
    assert refused.value.field == f"reason_{line}"
    other = market.make_shop()
    for verb in (lambda a: receipts.close(a, note, {}), lambda a: receipts.cancel(a, note), lambda a: receipts.get_for(a, note)):
        with pytest.raises(NotFound), transaction():
            verb(yard.owner(other))
    with transaction():
        receipts.cancel(yard.owner(shop), note)


def test_lots_come_with_their_label(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(shelf_days=30)
    note, (line,) = note_for(shop, (sku, 10))
    with pytest.raises(Invalid, match=r"lot\.number"):
        arrive(shop, note, line, 4)
    cause = new_id()
    for fresh in (True, False):
        assert arrive(shop, note, line, 4, lot_no="L1", produced_on=yard.day(0), cause_id=cause) is fresh
    assert arrive(shop, note, line, 6, lot_no="L2", expires_on=yard.day(50))
    assert yard.lot_units(stock) == {"L1": (4, 0), "L2": (6, 0)}
    assert [line.received for line in receipts.lines_of(note)] == [10]
    lot = lots.get_lot(yard.owner(shop), next(row[1].id for row in _lots(stock) if row[1].lot_no == "L2"))
    assert (lot.supplier, lot.document_no) == ("东坪合作社", "CG-1")
    yard.proven()


def _lots(stock_id: int) -> list[Any]:
    return reads.lots_in(stock_id)


@pytest.mark.parametrize("lines", [[], [(0, 1)], "twice", "foreign", "zero"])
def test_a_note_with_wrong_lines_is_refused(db: Any, lines: Any) -> None:
    shop, other = market.make_shop(), market.make_shop()
    sku = shop.sku_ids[0]
    chosen = {"twice": [(sku, 1), (sku, 2)], "foreign": [(other.sku_ids[0], 1)], "zero": [(sku, 0)]}
    place = own(shop)
    with pytest.raises((Invalid, NotFound)), transaction():
        receipts.create(yard.owner(shop), place, chosen[lines] if isinstance(lines, str) else lines)


def test_a_transfer_moves_units_and_what_is_on_its_way_is_in_neither_place(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    yard.receive(shop, stock, "soon", 3, 30)
    yard.receive(shop, stock, "late", 5, 90)
    here, there = own(shop), central()
    actor = yard.owner(shop)
    with transaction():
        move = transfers.request(actor, here, there, [(sku, 4, 0)]).id
    with pytest.raises(NotFound), transaction():
        transfers.ship(KEEPER, move)  # not his warehouse
    with transaction():
        transfers.ship(actor, move)
    assert (yard.free(sku), yard.lot_units(stock)) == (4, {"late": (4, 0)})
    assert transfers.in_transit([sku]) == {sku: 4}
    with pytest.raises(NotFound), transaction():
        transfers.receive(actor, move, {})
    first = transfers.lines_of(move)[0]
    for given, error in (({first.id: (2, "")}, Invalid), ({first.id: (4, "")}, Invalid), ({first.id: (-1, "x")}, Invalid)):
        with pytest.raises(error), transaction():
            transfers.receive(KEEPER, move, given)
    with transaction():
        transfers.receive(KEEPER, move, {first.id: (2, "途中破损")})
    assert transfers.in_transit([sku]) == {}
    far = session.query(Stock).filter_by(warehouse_id=there).one()
    assert (far.merchant_id, far.on_hand, far.tracking) == (shop.merchant_id, 3, "lot")
    assert yard.lot_units(far.id) == {"soon": (2, 0), "late": (1, 0)}
    assert yard.free(sku) == 7
    with pytest.raises(Conflict), transaction():
        transfers.receive(KEEPER, move, {})
    with pytest.raises(Conflict), transaction():
        transfers.cancel(actor, move)
    lost = session.query(Movement).filter_by(stock_id=far.id, kind="transfer_in").order_by(Movement.id).first()
    assert lost is not None
    assert "途中破损" in lost.note
    yard.proven()


def test_a_transfer_takes_only_what_is_free_and_one_s_own(db: Any) -> None:
    shop, other = market.make_shop(stock=5), market.make_shop(stock=5)
    sku, here, there = shop.sku_ids[0], own(shop), central()
    foreign_place = own(other)
    yard.order((sku, 3))
    wrong = [
        (here, there, [(sku, 3, 0)], service.OutOfStock), (here, here, [(sku, 1, 0)], Invalid), (here, there, [], Invalid),
        (here, foreign_place, [(sku, 1, 0)], NotFound), (here, there, [(other.sku_ids[0], 1, 0)], NotFound),
        (here, there, [(sku, 0, 0)], Invalid), (here, there, [(sku, 1, 99)], NotFound),
    ]  # fmt: skip
    for from_id, to_id, lines, error in wrong:
        with pytest.raises(error), transaction():
            transfers.request(yard.owner(shop), from_id, to_id, lines)
    with transaction():
        move = transfers.request(yard.owner(shop), here, there, [(sku, 2, 0)]).id
    yard.order((sku, 1))
    with pytest.raises(service.OutOfStock), transaction():
        transfers.ship(yard.owner(shop), move)
    with transaction():
        transfers.cancel(yard.owner(shop), move)
    assert yard.columns(sku)["on_hand"] == 5
    yard.proven()


def test_a_count_is_blind_and_exact_while_sales_go_on(db: Any) -> None:
    """Book 10; two sold before the clerk counts 7 (one is missing), three more afterwards: the shelf ends at 4."""
    shop = market.make_shop(stock=10)
    sku, place = shop.sku_ids[0], own(shop)
    before, after = yard.order((sku, 2))[0], yard.order((sku, 3))[0]
    clerk, boss = yard.owner(shop, 11), yard.owner(shop, 12)
    with transaction():
        sheet = counts.begin(clerk, place, [sku]).id
    line = counts.lines_of(sheet)[0]
    with pytest.raises(Invalid, match=r"count\.open_lines"), transaction():
        counts.submit(clerk, sheet)
    with transaction():
        service.ship(before)
    with transaction():
        counts.enter(clerk, sheet, line.id, 7)
    with transaction():
        service.ship(after)
    with transaction():
        counts.submit(clerk, sheet)
    with pytest.raises(Forbidden, match=r"count\.same_person"), transaction():
        counts.approve(clerk, sheet)
    with transaction():
        assert counts.approve(boss, sheet) == 1
    assert (line.frozen, yard.columns(sku)["on_hand"], yard.free(sku)) == (10, 4, 4)
    with pytest.raises(Conflict), transaction():
        counts.approve(boss, sheet)
    yard.proven()


def test_a_count_by_lots_finds_an_unknown_lot_and_a_missing_one(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop()
    yard.receive(shop, stock, "L1", 5, 60)
    found = yard.receive(shop, stock, "L2", 1, 60)
    order_id, _ = yard.order((sku, 1))
    clerk, boss, place = yard.owner(shop, 11), yard.owner(shop, 12), own(shop)
    with transaction():
        extra = lots.open_lot(clerk, sku, "L3", expires_on=yard.day(80)).id
        sheet = counts.begin(clerk, place).id
        counts.add_line(clerk, sheet, stock, extra)
        for line in counts.lines_of(sheet):
            counts.enter(clerk, sheet, line.id, {extra: 2, found: 0}.get(line.lot_id, 5))
        counts.submit(clerk, sheet)
    with transaction():
        counts.send_back(boss, sheet, "L1 看错了")
    assert {line.counted for line in counts.lines_of(sheet)} == {-1}
    with transaction():
        for line in counts.lines_of(sheet):
            counts.enter(clerk, sheet, line.id, {extra: 2, found: 0}.get(line.lot_id, 4))
        counts.submit(clerk, sheet)
    with transaction():
        assert counts.approve(boss, sheet) == 3
    assert yard.lot_units(stock) == {"L1": (4, 0), "L3": (2, 0)}
    assert order_id
    yard.proven()


def test_a_shortage_below_what_is_promised_is_not_booked(db: Any) -> None:
    shop = market.make_shop(stock=5)
    sku, place = shop.sku_ids[0], own(shop)
    yard.order((sku, 4))
    with transaction():
        sheet = counts.begin(yard.owner(shop, 11), place, [sku]).id
        counts.enter(yard.owner(shop, 11), sheet, counts.lines_of(sheet)[0].id, 3)
        counts.submit(yard.owner(shop, 11), sheet)
    with pytest.raises(service.OutOfStock), transaction():
        counts.approve(yard.owner(shop, 12), sheet)
    assert counts.get_for(SYSTEM, sheet).status == "review"
    assert yard.columns(sku)["on_hand"] == 5
    other = market.make_shop()
    with pytest.raises(NotFound), transaction():
        counts.cancel(yard.owner(other), sheet)
    yard.proven()


def test_the_warehouse_that_serves_the_district_sends_first(db: Any) -> None:
    shop = market.make_shop(stock=5)
    sku = shop.sku_ids[0]
    near, far = central(priority=900, area_codes=["T01"], kind="street", name="街道前置仓"), central(priority=1)
    with transaction():
        for place in (near, far):
            row = service.ensure_stock([sku], shop.merchant_id, place)[sku]
            service.change_on_hand(SYSTEM, row, 5, cause_id=new_id(), note="到货")
    for area, place in (("T01", near), ("X", far)):
        with transaction():
            service.reserve([(new_id(), new_id(), sku, 2)], clock.now() + timedelta(minutes=5), area_code=area)
        session.rollback()
        assert session.query(Stock).filter_by(sku_id=sku, warehouse_id=place).one().reserved == 2, area
    yard.proven()


def test_warehouses_are_kept_apart(db: Any) -> None:
    shop, other = market.make_shop(), market.make_shop()
    actor, place, hub = yard.owner(shop), own(shop), central("HUB")
    with pytest.raises(Conflict, match=r"warehouse\.code"):
        central("HUB")
    for changes in ({"code": " "}, {"name": ""}, {"kind": "merchant"}, {"area_code": "??"}, {"priority": 0}, {"area_codes": ["??"]}):
        with pytest.raises(Invalid):
            central(**changes)
    with transaction():
        leaf = warehouses.create(actor, warehouses.WarehouseInput("LEAF", "前店", "merchant", "T01", parent_id=hub)).id
    loop = warehouses.WarehouseInput("HUB", "中心", "central", "T01", parent_id=leaf)
    with pytest.raises(AppError), transaction():
        warehouses.edit(KEEPER, hub, loop)  # the merchant's is not below the platform's parent
    for who, target in ((yard.owner(other), place), (actor, hub), (KEEPER, place)):
        with pytest.raises(NotFound), transaction():
            warehouses.edit(who, target, warehouses.WarehouseInput("X1", "某仓", "merchant", "T01"))
    assert {w.id for w in warehouses.visible(actor)} >= {place, hub, leaf}
    assert place not in {w.id for w in warehouses.visible(yard.owner(other))}
    with pytest.raises(Conflict, match=r"warehouse\.not_empty"), transaction():
        warehouses.close(actor, place)
    with transaction():
        warehouses.close(actor, leaf)
    with pytest.raises(Conflict, match=r"warehouse\.closed"), transaction():
        transfers.request(actor, place, leaf, [(shop.sku_ids[0], 1, 0)])


def test_a_bundle_sells_its_components_exactly(db: Any) -> None:
    shop = market.make_shop(stock=0, variants=("甲", "乙", "礼盒"))
    tea, cup, box = shop.sku_ids
    actor = yard.owner(shop)
    with transaction():
        for sku, units in ((tea, 9), (cup, 4)):
            service.change_on_hand(actor, service.ensure_stock([sku], shop.merchant_id)[sku], units, cause_id=new_id(), note="到货")
        bundles.set_bundle(actor, box, [(tea, 2), (cup, 1)])
    assert queries.available([tea, cup, box]) == {tea: 9, cup: 4, box: 4}
    order_id, (line_id, _) = yard.order((box, 3), (tea, 2))
    assert queries.available([tea, cup, box]) == {tea: 1, cup: 1, box: 0}
    with pytest.raises(service.OutOfStock) as refused:
        yard.order((box, 1))
    assert refused.value.params["sku_id"] == box, "the buyer is told about what he buys"
    with transaction():
        service.ship(order_id)
    with transaction():
        service.receive_return(actor, service.Returned(order_id, line_id, 3, 1, 1), cause_id=new_id())
    assert (yard.columns(tea)["on_hand"], yard.columns(cup)["on_hand"]) == (3, 2)
    assert yard.columns(box) == {"on_hand": 0, "allocated": 0, "reserved": 0, "quota_held": 0}
    with pytest.raises(Invalid), transaction():
        service.change_on_hand(actor, yard.stock_of(box).id, 1, cause_id=new_id(), note="到货")
    yard.proven()


def test_a_recipe_must_make_sense(db: Any) -> None:
    shop, other = market.make_shop(stock=3, variants=("甲", "乙", "丙")), market.make_shop()
    a, b, c = shop.sku_ids
    actor = yard.owner(shop)
    with pytest.raises(Conflict, match=r"bundle\.stock"), transaction():
        bundles.set_bundle(actor, c, [(a, 1)])
    with transaction():
        service.change_on_hand(actor, yard.stock_of(c).id, -3, cause_id=new_id(), note="清空")
        bundles.set_bundle(actor, c, [(a, 1)])
    wrong: list[tuple[int, list[tuple[int, int]]]] = [
        (c, []), (c, [(c, 1)]), (c, [(a, 1), (a, 2)]), (c, [(a, 0)]), (b, [(c, 1)]), (a, [(b, 1)]), (c, [(other.sku_ids[0], 1)]),
    ]  # fmt: skip
    for sku, parts in wrong:
        with pytest.raises((Invalid, NotFound, Conflict)), transaction():
            bundles.set_bundle(actor, sku, parts)
    with pytest.raises(Conflict, match=r"stock\.bundle"), transaction():
        lots.keep_by_lots(actor, c)
    with transaction():
        bundles.dissolve(actor, c)
    assert queries.available([c]) == {c: 0}
    with pytest.raises(NotFound), transaction():
        bundles.dissolve(actor, c)


def test_a_warning_stands_once_until_its_cause_is_gone(db: Any) -> None:
    shop, sku, stock = yard.tracked_shop(stock=10)
    yard.receive(shop, stock, "L1", 10, 50)
    actor = yard.owner(shop)
    with transaction():
        settings.set_safety(actor, stock, 15)
    for raised in (1, 0):  # 50 days of the assumed 180 are less than a third
        with transaction():
            assert alerts.scan() == raised
    order_id, _ = yard.order((sku, 5))
    for raised in (1, 0):
        with transaction():
            assert alerts.scan() == raised
    assert alerts.count_open(actor) == {"low": 1, "third": 1, "tenth": 0, "expired": 0}
    assert alerts.count_open(yard.owner(market.make_shop()))["low"] == 0
    with transaction():
        service.unallocate(order_id)
    with clock.travel(timedelta(days=40)), transaction():
        assert alerts.scan() == 1
    assert {(a.kind, a.cleared_at is None) for a in session.query(Alert)} == {("low", False), ("third", False), ("tenth", True)}
    told = session.query(Job).filter(Job.name.like("messaging.on_stock_alert%")).count()
    assert told == 3
    with pytest.raises(Invalid), transaction():
        settings.set_safety(actor, stock, -1)
