"""Splitting, merged shipping, another address, invoices, search and export of orders (T12 T13 T35 M12; traps 8, 21, 24)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.carts import queries as carts
from app.core import clock, jobs
from app.core.actor import SYSTEM
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.tx import transaction
from app.inventory import queries as inventory
from app.inventory.models import Reservation
from app.orders import bundling, cases, dividing, exporting, guards, holds, invoices, queries, readdressing, searching, service
from app.orders.models import AddressChange, Order, OrderLine, Trade
from app.promotions.models import PromotionAdjustment
from app.settlement.models import LineFunding, LineSplit, OrderSplit
from app.settlement.queries import books
from app.settlement.service import release, splitting
from security.tokens import random_token
from tests.clients import Browser
from tests.factories import market, promotions
from tests.integration.orders import desk


def many(db: Any, quantity: int = 7, *, funded: bool = True) -> tuple[market.Shop, Any, Order]:
    """A paid order of two lines with discounts the shop and the platform bear."""
    shop = market.make_shop(stock=200, price_fen=1_333)
    if funded:
        promotions.start("full_cut", owner="platform", tiers=((1_000, 777),), merchant_id=0)
        promotions.start("full_cut", owner="merchant", tiers=((2_000, 501),), merchant_id=shop.merchant_id)
    buyer, (order,) = desk.paid([(shop.sku_ids[0], quantity), (shop.sku_ids[1], 3)])
    return shop, buyer, order


def sums(db: Any, trade_id: int) -> dict[str, int]:
    """Every money and unit column of a trade, summed over its orders."""
    ids = list(db.scalars(select(Order.id).where(Order.trade_id == trade_id)))

    def total(column: Any, where: Any) -> int:
        return int(db.scalar(select(func.coalesce(func.sum(column), 0)).where(where)) or 0)

    a, s, split_ids = PromotionAdjustment, LineSplit, select(LineSplit.id).where(LineSplit.order_id.in_(ids))
    return {
        "payable": total(Order.payable_fen, Order.id.in_(ids)), "goods": total(Order.goods_fen, Order.id.in_(ids)),
        "freight": total(Order.freight_fen, Order.id.in_(ids)), "items": total(Order.item_count, Order.id.in_(ids)),
        "line_paid": total(OrderLine.paid_fen, OrderLine.order_id.in_(ids)), "units": total(OrderLine.quantity, OrderLine.order_id.in_(ids)),
        "merchant": total(a.merchant_fen, a.order_id.in_(ids)), "platform": total(a.platform_fen, a.order_id.in_(ids)),
        "split_paid": total(s.paid_fen, s.order_id.in_(ids)), "split_fee": total(s.fee_fen, s.order_id.in_(ids)),
        "split_merchant": total(s.merchant_fen, s.order_id.in_(ids)), "net": total(OrderSplit.net_fen, OrderSplit.order_id.in_(ids)),
        "funding": total(LineFunding.amount_fen, LineFunding.split_id.in_(split_ids)),
        "reserved": total(Reservation.quantity, Reservation.order_id.in_(ids)),
    }  # fmt: skip


def check(db: Any, order_id: int) -> None:
    """An order agrees with its lines, its lines with their adjustments and reservations."""
    order = desk.fresh(order_id)
    lines = queries.lines_of([order_id])[order_id]
    allocated = inventory.allocated_of([order_id])
    assert order.goods_fen == sum(line.paid_fen for line in lines)
    assert order.payable_fen == order.goods_fen + order.freight_fen
    assert order.item_count == sum(line.quantity for line in lines)
    for line in lines:
        off = db.scalar(
            select(func.coalesce(func.sum(PromotionAdjustment.amount_fen), 0)).where(
                PromotionAdjustment.line_id == line.id, PromotionAdjustment.order_id == order_id
            )
        )
        assert line.unit_price_fen * line.quantity - int(off) == line.paid_fen
        assert allocated[line.id] == line.quantity
        part = db.scalar(select(LineSplit).where(LineSplit.line_id == line.id, LineSplit.order_id == order_id))
        assert (part.quantity, part.paid_fen) == (line.quantity, line.paid_fen)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_splits_keeps_every_sum(db: Any, seed: int) -> None:
    """State test: orders of one trade are split again and again; nothing is lost, and refunds of all of it end at zero."""
    dice = random.Random(seed)
    shop, buyer, order = many(db, quantity=dice.randint(2, 13))
    trade_id = order.trade_id
    with transaction():
        splitting.ensure_split(order.id)
    before, made = sums(db, trade_id), [order.id]
    for _ in range(6):
        source = dice.choice(made)
        lines = queries.lines_of([source])[source]
        units = {line.id: dice.randint(0, line.quantity) for line in lines}
        db.rollback()
        try:
            with transaction():
                made.append(dividing.divide(SYSTEM, source, units, "随机"))
        except Invalid:
            moved = sum(units.values())
            assert moved in (0, sum(line.quantity for line in lines)), units
    db.rollback()
    db.expire_all()
    assert sums(db, trade_id) == before
    for order_id in made:
        check(db, order_id)
    for order_id in made:
        with transaction():
            service.cancel_paid(buyer, order_id, "")
        with transaction():
            release.cancelled(order_id)
    db.expire_all()
    assert sums(db, trade_id)["net"] == 0
    assert sum(o.refunded_fen for o in queries.orders_of_trade(trade_id)) == db.get_one(Trade, trade_id).payable_fen
    assert books.verify() == []
    assert inventory.audit_columns() == []
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 200


def test_a_split_before_the_books_have_seen_the_order(db: Any) -> None:
    _, _, order = many(db)
    line = queries.lines_of([order.id])[order.id][0]
    with transaction():
        part = dividing.divide(SYSTEM, order.id, {line.id: 2}, "先发两件")
    with transaction():
        assert splitting.split_all([order.id, part]) == 0, "the split has brought both into the books"
    check(db, order.id)
    check(db, part)
    row = desk.fresh(part)
    assert (row.parent_id, row.freight_fen, row.status) == (order.id, 0, "paid")
    assert queries.receiver_of(row) == queries.receiver_of(desk.fresh(order.id))
    assert [o.id for o in queries.parts_of(row)] == [order.id]


def test_what_cannot_be_split(db: Any) -> None:
    shop, buyer, order = many(db, funded=False)
    lines = queries.lines_of([order.id])[order.id]
    whole = {line.id: line.quantity for line in lines}
    for units in ({}, {lines[0].id: 0}, whole, {lines[0].id: 99}, {1: 1}, {lines[0].id: -1}):
        with pytest.raises(Invalid, match=r"divide\.units"), transaction():
            dividing.divide(SYSTEM, order.id, units, "")
    stranger = desk.owner(market.make_shop())
    with pytest.raises(NotFound), transaction():
        dividing.divide(stranger, order.id, {lines[0].id: 1}, "")
    with transaction():
        invoices.request(buyer, order.id, invoices.checked("personal", "李四"))
    with transaction():
        invoices.issue(desk.owner(shop), invoices.of(order.id).id, "12345678")  # type: ignore[union-attr]
    with pytest.raises(Conflict, match=r"divide\.invoice"), transaction():
        dividing.divide(SYSTEM, order.id, {lines[0].id: 1}, "")
    with transaction():
        service.mark_shipped(SYSTEM, order.id)
    with pytest.raises(Conflict, match=r"order\.state"), transaction():
        dividing.divide(SYSTEM, order.id, {lines[0].id: 1}, "")


def test_a_parcel_forbids_changes(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, buyer, order = many(db, funded=False)
    line = queries.lines_of([order.id])[order.id][0]
    monkeypatch.setattr(guards, "_checks", [lambda order_id: order_id == order.id])
    with pytest.raises(Conflict, match=r"order\.started"), transaction():
        dividing.divide(SYSTEM, order.id, {line.id: 1}, "")
    with pytest.raises(Conflict, match=r"order\.started"), transaction():
        readdressing.change(buyer, order.id, "王五", "13800001111", "新华路 9 号", "T01")


@pytest.mark.parametrize("attempt", range(3))
def test_split_against_ship_and_cancel(db: Any, attempt: int) -> None:
    shop, buyer, order = many(db)
    order_id, trade_id = order.id, order.trade_id
    line_id = queries.lines_of([order_id])[order_id][0].id
    other = (lambda: service.mark_shipped(SYSTEM, order_id)) if attempt else (lambda: service.cancel_paid(buyer, order_id, ""))
    outcome = desk.race(lambda: dividing.divide(SYSTEM, order_id, {line_id: 2}, ""), other)
    assert outcome[1] == "done"
    orders = queries.orders_of_trade(trade_id)
    assert len(orders) == (2 if outcome[0] == "done" else 1)
    assert sum(o.payable_fen for o in orders) == db.get_one(Trade, trade_id).payable_fen
    assert inventory.audit_columns() == []
    assert sums(db, trade_id)["units"] == 10
    assert shop.merchant_id == orders[0].merchant_id


def test_two_splits_at_once_do_not_take_the_same_units(db: Any) -> None:
    _, _, order = many(db, quantity=3)
    order_id, trade_id = order.id, order.trade_id
    line_id = queries.lines_of([order_id])[order_id][0].id
    outcome = desk.race(*[lambda: dividing.divide(SYSTEM, order_id, {line_id: 2}, "")] * 2)
    assert sorted(outcome) == ["divide.units", "done"]
    assert sums(db, trade_id)["units"] == 6


def test_a_shortage_is_split_off_and_refunded_by_its_case(db: Any) -> None:
    shop, _, order = many(db)
    boss, order_id = desk.officer(), order.id
    line_id = queries.lines_of([order_id])[order_id][0].id
    with transaction():
        case_id = cases.raise_by_hand(desk.owner(shop), order_id, "oversold", "少三件")
    with transaction():
        cases.claim(boss, case_id)
    with transaction():
        cases.resolve(boss, case_id, "split", "三件退款", {line_id: 3})
    first, part = queries.orders_of_trade(desk.fresh(order_id).trade_id)
    assert (first.status, first.hold, first.item_count) == ("paid", "-", 7)
    assert (part.status, part.item_count, part.refunded_fen) == ("cancelled", 3, part.payable_fen)


# Merged shipping


def twins(db: Any, count: int = 2) -> tuple[market.Shop, Any, list[int]]:
    """Paid orders of one buyer to one address at one shop."""
    shop = market.make_shop(stock=50)
    buyer, address_id = market.make_buyer()
    ids = []
    for _ in range(count):
        picked = [(shop.sku_ids[0], 1)]
        quote, _, _ = carts.price(picked)
        wanted = service.Submission(picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False)
        with transaction():
            trade_id = service.place(buyer, wanted)
        with transaction():
            service.mark_trade_paid(trade_id, db.get_one(Trade, trade_id).payable_fen)
        ids.append(queries.orders_of_trade(trade_id)[0].id)
    return shop, buyer, ids


def test_orders_to_one_address_are_suggested_and_bundled(db: Any) -> None:
    shop, buyer, ids = twins(db, 3)
    desk.paid([(shop.sku_ids[0], 1)])
    (group,) = bundling.suggestions(shop.merchant_id)
    assert [order.id for order in group.orders] == ids
    boss = desk.owner(shop)
    with transaction():
        bundling.bundle(boss, ids[:2])
    assert {order.id for order in bundling.members(desk.fresh(ids[0]))} == set(ids[:2])
    assert bundling.suggestions(shop.merchant_id) == []
    with pytest.raises(Conflict, match=r"bundle\.state"), transaction():
        bundling.bundle(boss, ids)
    with transaction():
        readdressing.change(buyer, ids[0], "王五", "13800001111", "新华路 9 号", "T01")
    assert desk.fresh(ids[0]).bundle_id == 0, "it goes elsewhere now"
    with transaction():
        assert bundling.unbundle(boss, ids[1]) == 1
    with pytest.raises(Conflict, match=r"bundle\.state"), transaction():
        bundling.unbundle(boss, ids[1])


def test_what_is_never_bundled(db: Any) -> None:
    shop, _, ids = twins(db)
    other = desk.paid([(shop.sku_ids[0], 1)])[1][0].id
    boss, stranger = desk.owner(shop), desk.owner(market.make_shop())
    for chosen in ([ids[0]], [ids[0], ids[0]]):
        with pytest.raises(Invalid, match=r"bundle\.count"), transaction():
            bundling.bundle(boss, chosen)
    with pytest.raises(Conflict, match=r"bundle\.differs"), transaction():
        bundling.bundle(boss, [ids[0], other])
    with pytest.raises(NotFound), transaction():
        bundling.bundle(stranger, ids)
    with transaction():
        holds.place(SYSTEM, ids[1], "platform", "x")
    with pytest.raises(Conflict, match=r"bundle\.state"), transaction():
        bundling.bundle(boss, ids)
    assert desk.fresh(ids[0]).bundle_id == 0, "all or nothing"


# Another address


def test_the_buyer_changes_the_address_before_dispatch_only(db: Any) -> None:
    shop = market.make_shop()
    buyer, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        readdressing.change(buyer, order.id, "王五", "13800001111", "新华路 9 号", "T01")
    row = desk.fresh(order.id)
    assert (queries.receiver_of(row).name, row.address_rev) == ("王五", 1)
    assert "王五" not in row.receiver_mask
    for values, code in (
        (("", "13800001111", "新华路 9 号", "T01"), "address.receiver"), (("王五", "1", "新华路 9 号", "T01"), "phone.format"),
        (("王五", "13800001111", "路", "T01"), "address.street"), (("王五", "13800001111", "新华路 9 号", "T98"), "address.area"),
    ):  # fmt: skip
        with pytest.raises(Invalid, match=code), transaction():
            readdressing.change(buyer, order.id, *values)
    stranger, _ = market.make_buyer()
    with pytest.raises(NotFound), transaction():
        readdressing.change(stranger, order.id, "王五", "13800001111", "新华路 9 号", "T01")


def test_the_merchant_proposes_and_the_buyer_decides(db: Any) -> None:
    shop = market.make_shop()
    buyer, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    boss = desk.owner(shop)
    with transaction():
        readdressing.propose(boss, order.id, "李四", "13812341234", "幸福路 88 号 3 单元", "快递要求补充单元号")
    with pytest.raises(Conflict, match=r"readdress\.open"), transaction():
        readdressing.propose(boss, order.id, "李四", "13812341234", "幸福路 99 号", "再改")
    assert "幸福路 88 号 3 单元" not in str(db.scalars(select(AddressChange.street_enc)).all()), "kept encrypted"
    with transaction():
        readdressing.decide(buyer, order.id, accept=True)
    assert queries.receiver_of(desk.fresh(order.id)).street == "幸福路 88 号 3 单元"
    with pytest.raises(Conflict, match=r"readdress\.gone"), transaction():
        readdressing.decide(buyer, order.id, accept=True)
    with transaction():
        readdressing.propose(boss, order.id, "李四", "13812341234", "幸福路 99 号", "改")
    with transaction():
        readdressing.decide(buyer, order.id, accept=False)
    assert queries.receiver_of(desk.fresh(order.id)).street == "幸福路 88 号 3 单元"


@pytest.mark.parametrize("attempt", range(3))
def test_address_change_against_ship(db: Any, attempt: int) -> None:
    """The address of a shipped order is the one it was shipped to: a change either comes before or is refused."""
    shop = market.make_shop()
    buyer, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    order_id = order.id
    outcome = desk.race(
        lambda: readdressing.change(buyer, order_id, "王五", "13800001111", "新华路 9 号", "T01"),
        lambda: service.mark_shipped(SYSTEM, order_id),
    )
    assert outcome[1] == "done"
    assert outcome[0] in ("done", "order.state")
    kinds = [event.kind for event in reversed(queries.timeline(order_id))]
    assert (desk.fresh(order_id).address_rev == 1) is (outcome[0] == "done")
    if outcome[0] == "done":
        assert kinds.index("readdressed") < kinds.index("shipped")


# Invoices


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (("person", "李四", ""), "invoice.kind"), (("personal", "李", ""), "invoice.title"), (("enterprise", "某公司", ""), "invoice.tax_no"),
        (("enterprise", "某公司", "91999900MB00000013"), "invoice.tax_no"), (("special", "某公司", "VALID"), "invoice.registry"),
    ],
)  # fmt: skip
def test_wrong_titles_are_refused(values: tuple[str, str, str], code: str) -> None:
    kind, title, tax_no = values
    with pytest.raises(Invalid, match=code):
        invoices.checked(kind, title, code_of() if tax_no == "VALID" else tax_no)


def registered() -> dict[str, str]:
    return {"address": "测试路 1 号", "phone": "0571-88888888", "bank": "测试银行支行", "account": "6222 0000 0000 0001"}


def code_of() -> str:
    from stdnum.cn import uscc

    body = "91999900MB0000001"
    return body + str(uscc.calc_check_digit(body))


def test_an_invoice_from_request_to_red_letter(db: Any) -> None:
    shop, buyer, order = many(db, funded=False)
    boss = desk.owner(shop)
    wanted = invoices.checked("special", "测试商贸有限公司", code_of().lower(), registered())
    with transaction():
        invoices.save_title(buyer, wanted)
        invoices.request(buyer, order.id, wanted)
    with pytest.raises(Conflict, match=r"invoice\.open"), transaction():
        invoices.request(buyer, order.id, wanted)
    row = invoices.of(order.id)
    assert row is not None
    assert "0001" not in (row.registry_enc or "")
    assert invoices.registry_of(row)["account"] == "6222000000000001"
    assert [title.title for title in invoices.titles(buyer.account_id)] == ["测试商贸有限公司"]
    for number in ("", "123", "1234567a"):
        with pytest.raises(Invalid, match=r"invoice\.number"), transaction():
            invoices.issue(boss, row.id, number)
    stranger = desk_stranger()
    with pytest.raises(NotFound), transaction():
        invoices.issue(stranger, row.id, "12345678")
    with transaction():
        service.note_refund(order.id, 100)
    with transaction():
        invoices.issue(boss, row.id, "25332000000012345678")
    row_id, payable = row.id, order.payable_fen
    db.expire_all()
    assert invoices.get_for(boss, row_id).amount_fen == payable - 100
    with pytest.raises(Conflict, match=r"invoice\.state"), transaction():
        invoices.note_red(boss, row_id, "25332000000012345679")
    with transaction():
        service.note_refund(order.id, 250)
    assert [found.id for found, _ in queries.list_invoices(shop.merchant_id, "due").items] == [row_id]
    with transaction():
        invoices.note_red(boss, row_id, "25332000000012345679")
    db.expire_all()
    assert (invoices.get_for(boss, row_id).red_fen, invoices.get_for(boss, row_id).status) == (250, "issued")
    assert queries.list_invoices(shop.merchant_id, "due").items == []


def desk_stranger() -> Any:
    return desk.owner(market.make_shop())


def test_invoices_have_a_limit_and_can_be_withdrawn(db: Any) -> None:
    shop = market.make_shop()
    buyer, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    wanted = invoices.checked("personal", "李四")
    with transaction():
        invoices.request(buyer, order.id, wanted)
    with transaction():
        invoices.withdraw(buyer, order.id)
    with pytest.raises(Conflict), transaction():
        invoices.withdraw(buyer, order.id)
    with transaction():
        service.mark_shipped(SYSTEM, order.id)
    with transaction():
        service.complete(SYSTEM, order.id)
    with clock.travel(timedelta(days=91)), pytest.raises(Conflict, match=r"invoice\.late"), transaction():
        invoices.request(buyer, order.id, wanted)
    with clock.travel(timedelta(days=89)), transaction():
        invoices.request(buyer, order.id, wanted)
    for number in range(invoices.MOST_TITLES):
        with transaction():
            invoices.save_title(buyer, invoices.checked("personal", f"抬头{number}"))
    with pytest.raises(TooMany), transaction():
        invoices.save_title(buyer, invoices.checked("personal", "又一个"))


# Search and export


def test_orders_are_found_by_everything_people_know(db: Any) -> None:
    shop, other = market.make_shop(), market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    desk.paid([(other.sku_ids[0], 1)])
    from app.catalog.models import Sku

    trade_no, sku_code = queries.trade_of(order).trade_no, db.get_one(Sku, shop.sku_ids[0]).code
    today = clock.business_date().isoformat()
    for given in (
        {"q": order.order_no}, {"q": trade_no}, {"q": "138 1234 1234"}, {"q": "李四"}, {"sku": sku_code}, {"status": "paid"},
        {"since": today, "until": today},
    ):  # fmt: skip
        found = searching.search(searching.criteria(shop.merchant_id, given)).items
        assert [row.id for row, _ in found] == [order.id], given
    for given in ({"q": "13899999999"}, {"q": "赵六"}, {"sku": "none"}, {"status": "shipped"}, {"since": "2099-01-01"}):
        assert searching.search(searching.criteria(shop.merchant_id, given)).items == [], given
    assert len(searching.search(searching.criteria(0, {"q": "李四"})).items) == 2
    for wrong in ({"since": "31.1."}, {"since": "2026-02-02", "until": "2026-02-01"}):
        with pytest.raises(Invalid, match=r"search\.day"):
            searching.criteria(0, wrong)


def test_pages_of_a_search_follow_each_other(db: Any) -> None:
    shop, _, ids = twins(db, 5)
    first = searching.search(searching.Criteria(shop.merchant_id), size=3)
    second = searching.search(searching.Criteria(shop.merchant_id), first.next_cursor, size=3)
    assert [row.id for row, _ in [*first.items, *second.items]] == sorted(ids, reverse=True)
    assert second.next_cursor == ""


def test_older_orders_get_their_index(db: Any) -> None:
    from app.orders import addresses

    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        row = db.get_one(Order, order.id)
        row.phone_index = row.receiver_index = row.address_key = "-"
    with transaction():
        assert addresses.index_older() == 1
    db.expire_all()
    assert [row.id for row, _ in searching.search(searching.criteria(0, {"q": "13812341234"})).items] == [order.id]


def test_an_export_is_written_by_its_job_and_belongs_to_its_side(db: Any) -> None:
    from python_calamine import CalamineWorkbook

    shop, _, order = many(db)
    boss, officer = desk.owner(shop), desk.officer()
    with transaction():
        export_id = exporting.request(boss, searching.criteria(shop.merchant_id, {"status": "paid"}))
        masked_id = exporting.request(officer, searching.criteria(0, {"q": "李四"}))
    with pytest.raises(Conflict, match=r"export\.state"), transaction():
        exporting.take(boss, export_id)
    assert db.scalar(select(func.count()).where(jobs.Job.name == exporting.JOB)) == 2
    with transaction():
        assert exporting.run(export_id) == 1
    with transaction():
        exporting.run(masked_id)
    with transaction():
        path = exporting.take(boss, export_id)
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    assert rows[0][0] == "订单号"
    assert [(row[0], row[16], row[17]) for row in rows[1:]] == [(order.order_no, "李四", "13812341234")] * 2
    assert round(sum(row[12] for row in rows[1:]) * 100) == order.goods_fen
    with transaction():
        hidden = CalamineWorkbook.from_path(str(exporting.take(officer, masked_id))).get_sheet_by_index(0).to_python()
    assert "13812341234" not in str(hidden)
    for stranger in (desk_stranger(), officer):
        with pytest.raises(NotFound):
            exporting.get_for(stranger, export_id)
    with clock.travel(timedelta(days=8)), transaction():
        assert exporting.purge() == 2
    assert not path.exists()


def test_a_person_asks_for_three_exports_at_once(db: Any) -> None:
    boss = desk.owner(market.make_shop())
    for _ in range(3):
        with transaction():
            exporting.request(boss, searching.Criteria(boss.merchant_id))
    with pytest.raises(TooMany), transaction():
        exporting.request(boss, searching.Criteria(boss.merchant_id))


# Over HTTP


def test_the_merchants_pages(app: Any, db: Any) -> None:
    shop, buyer, order = many(db)
    order_id, account_id = order.id, buyer.account_id
    line_id = queries.lines_of([order_id])[order_id][0].id
    browser = Browser(app)
    browser.sign_in("/merchant", shop.login, market.PASSWORD)
    here = f"/merchant/orders/{order_id}"
    kept = browser.post(f"{here}/split", {f"units-{line_id}": "99", "reason": "分批"})
    assert (kept.status_code, kept.soup.select_one(f"#units-{line_id}")["value"]) == (422, "99")
    assert browser.post(f"{here}/split", {f"units-{line_id}": "a"}).status_code == 422
    assert browser.post(f"{here}/split", {f"units-{line_id}": "2"}).status_code == 303
    wrong = browser.post(f"{here}/address", {"receiver": "李四", "phone": "1", "street": "幸福路 88 号", "reason": "x"})
    assert (wrong.status_code, "11 位手机号" in wrong.soup.get_text()) == (422, True)
    good = {"receiver": "李四", "phone": "13812341234", "street": "幸福路 88 号 2 楼", "reason": "补充楼层"}
    assert browser.post(f"{here}/address", good).status_code == 303
    assert "等待买家确认" in browser.get(f"{here}/address").soup.get_text()
    assert browser.post(f"{here}/address/withdraw").status_code == 303
    assert "没有待开票的发票" in browser.get("/merchant/invoices").soup.get_text()
    with transaction():
        invoices.request(buyer, order_id, invoices.checked("personal", "李四"))
    invoice_id = invoices.of(order_id).id  # type: ignore[union-attr]
    page = f"/merchant/invoices/{invoice_id}"
    assert browser.post(f"{page}/issue", {"number": "1"}).status_code == 422
    import io

    fake = {"number": "12345678", "file": (io.BytesIO(b"MZ"), "a.pdf")}
    assert browser.post(f"{page}/issue", fake, content_type="multipart/form-data").status_code == 422
    real = {"number": "12345678", "file": (io.BytesIO(b"%PDF-1.7 test"), "a.pdf")}
    assert browser.post(f"{page}/issue", real, content_type="multipart/form-data").status_code == 303
    with browser.get(f"{page}/file") as answer:
        assert answer.data.startswith(b"%PDF-")
    assert browser.post("/merchant/order-exports", {"status": "paid"}).status_code == 303
    assert "生成中" in browser.get("/merchant/order-exports").soup.get_text()
    for query in ("q=13812341234", "q=%E6%9D%8E%E5%9B%9B", "since=2026-01-01&until=2099-01-01"):
        assert len(browser.get(f"/merchant/orders?{query}").soup.select("tbody tr")) == 2
    assert browser.get("/merchant/orders?since=abc").status_code == 422
    assert account_id


def test_merged_shipping_over_http(app: Any, db: Any) -> None:
    shop, _, ids = twins(db)
    browser = Browser(app)
    browser.sign_in("/merchant", shop.login, market.PASSWORD)
    assert len(browser.get("/merchant/order-bundles").soup.select("input[name=order]")) == 2
    assert browser.post("/merchant/order-bundles", {"order": [str(ids[0])]}).headers["Location"].endswith("/order-bundles")
    assert browser.post("/merchant/order-bundles", {"order": [str(i) for i in ids]}).status_code == 303
    assert "一起发出" in browser.get(f"/merchant/orders/{ids[0]}").soup.get_text()
    assert browser.post(f"/merchant/orders/{ids[1]}/unbundle").status_code == 303
    assert desk.fresh(ids[0]).bundle_id == 0


def test_the_buyers_pages(app: Any, db: Any, client: Browser) -> None:
    from tests.integration.orders.test_checkout import add_address, form_of, sign_in

    shop = market.make_shop()
    account_id = sign_in(client, "13820000088")
    add_address(account_id)
    url = f"/checkout?sku={shop.sku_ids[0]}&qty=1"
    form = {**form_of(client.get(url)), "sku": shop.sku_ids[0], "qty": 1}
    bad = client.post("/checkout", {**form, "invoice-kind": "enterprise", "invoice-title": "某某公司", "invoice-tax_no": "123"})
    assert (bad.status_code, db.query(Order).count()) == (422, 0)
    assert "税号不正确" in bad.soup.get_text()
    assert bad.soup.select_one("input[name=invoice-tax_no]")["value"] == "123"
    assert client.post("/checkout", {**form, **form_of(bad), "invoice-kind": "personal", "invoice-title": "李四"}).status_code == 303
    order_id = db.query(Order).one().id
    assert "待开票" in client.get(f"/orders/{order_id}/invoice").soup.get_text()
    assert client.post(f"/orders/{order_id}/invoice/withdraw").status_code == 303
    kept = client.post(f"/orders/{order_id}/invoice", {"kind": "enterprise", "title": "某某公司", "tax_no": "9"})
    assert (kept.status_code, kept.soup.select_one("input[name=title]")["value"]) == (422, "某某公司")
    assert client.post(f"/orders/{order_id}/invoice", {"kind": "personal", "title": "李四", "keep": "1"}).status_code == 303
    title_id = invoices.titles(account_id)[0].id
    assert client.post("/invoice-titles/1/remove").status_code == 404
    assert client.post(f"/invoice-titles/{title_id}/remove", {"order": order_id}).status_code == 303
    wrong = client.post(f"/orders/{order_id}/address", {"receiver": "王五", "phone": "2", "street": "新华路 9 号"})
    assert (wrong.status_code, wrong.soup.select_one("input[name=receiver]")["value"]) == (422, "王五")
    moved = client.post(f"/orders/{order_id}/address", {"receiver": "王五", "phone": "13800001111", "street": "新华路 9 号", "area_code": "T77"})
    assert moved.status_code == 422
    assert client.post(f"/orders/{order_id}/address", {"receiver": "王五", "phone": "13800001111", "street": "新华路 9 号"}).status_code == 303
    assert "王五" in client.get(f"/orders/{order_id}").soup.get_text()
    for path in ("address", "invoice", "invoice/file"):
        assert client.get(f"/orders/1/{path}").status_code == 404


def test_buying_now_leaves_the_cart_alone(app: Any, db: Any, client: Browser) -> None:
    from app.carts import service as cart_service
    from tests.integration.orders.test_checkout import add_address, form_of, sign_in

    shop = market.make_shop()
    account_id = sign_in(client, "13820000089")
    add_address(account_id)
    with transaction():
        cart_service.add(account_id, "", shop.sku_ids[0], 2)
        cart_service.add(account_id, "", shop.sku_ids[1], 1)
    url = f"/checkout?sku={shop.sku_ids[0]}&qty=1"
    form = {**form_of(client.get(url)), "sku": shop.sku_ids[0], "qty": 1}
    assert client.post("/checkout", form).status_code == 303
    assert db.query(Order).one().item_count == 1
    db.expire_all()
    picked, _, _ = carts.selection(account_id)
    assert sorted(picked) == sorted([(shop.sku_ids[0], 2), (shop.sku_ids[1], 1)])
