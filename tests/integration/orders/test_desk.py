"""Parts of a trade, holds and the queue of abnormal orders, with their races (T12 T13; traps 3, 4, 21, 24)."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import AuditEvent
from app.carts import queries as carts
from app.catalog import service as catalog
from app.catalog.models import Category
from app.catalog.queries.categories import forget
from app.core import clock
from app.core.actor import SYSTEM
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.inventory.models import Reservation
from app.merchants.models import Merchant
from app.orders import cases, holds, queries, service
from app.orders.models import Order, OrderCase, OrderHold, Trade
from app.payments import channels, simulator
from app.payments import service as payments
from app.promotions.models import PromotionAdjustment
from app.settlement.service import release, splitting
from tests.clients import Browser
from tests.factories import market, promotions
from tests.integration.orders import desk


def test_a_shops_cold_and_ambient_goods_become_two_orders_of_one_price(db: Any) -> None:
    shop, more = market.make_shop(price_fen=2_990), market.make_shop(price_fen=1_000)
    with transaction():
        catalog_product = db.get_one(Merchant, shop.merchant_id)
        catalog_product.freight_fen = 501
    cold = second_product(db, shop, "frozen")
    buyer, orders = desk.paid([(shop.sku_ids[0], 1), (cold, 2), (more.sku_ids[0], 1)])
    mine = sorted((o for o in orders if o.merchant_id == shop.merchant_id), key=lambda o: o.temperature)
    assert [(o.temperature, o.delivery_mode, o.item_count) for o in mine] == [("ambient", "express", 1), ("frozen", "express", 2)]
    assert sum(o.freight_fen for o in mine) == 501
    assert all(o.freight_fen > 0 for o in mine), "each parcel bears its part"
    assert sum(o.payable_fen for o in orders) == db.get_one(Trade, orders[0].trade_id).payable_fen
    for order in orders:
        lines = queries.lines_of([order.id])[order.id]
        assert order.goods_fen == sum(line.paid_fen for line in lines)
        assert order.item_count == sum(line.quantity for line in lines)
    with transaction():
        for order in orders:
            splitting.ensure_split(order.id)
    assert buyer.account_id == mine[0].account_id


def second_product(db: Any, shop: market.Shop, temperature: str, price_fen: int = 3_300) -> int:
    """Another product of the shop; returns its variant."""
    from app.catalog.models import Product, Sku
    from app.inventory import service as inventory

    with transaction():
        category = db.get_one(Product, shop.product_id).category_id
        picture = db.get_one(Product, shop.product_id).image_key
        product = catalog.create_product(
            SYSTEM,
            catalog.ProductInput(
                category_id=category, title="冷冻商品", skus=[catalog.SkuInput((), price_fen)], image_key=picture, cold_chain=temperature
            ),
            merchant_id=shop.merchant_id,
        )
        db.flush()
        catalog.submit(SYSTEM, product.id)
        catalog.approve(SYSTEM, product.id)
        catalog.put_on_shelf(SYSTEM, product.id)
        sku = db.scalars(select(Sku.id).where(Sku.product_id == product.id)).one()
        inventory.receive_declared(shop.merchant_id, [sku], [10], product.id)
    return sku


def test_freight_relief_is_frozen_on_the_orders_it_was_spread_to(db: Any) -> None:
    shop = market.make_shop(price_fen=2_990)
    cold = second_product(db, shop, "chilled")
    promotions.start("freight", owner="platform", tiers=(), min_fen=100, max_off_fen=333, merchant_id=0)
    _, orders = desk.paid([(shop.sku_ids[0], 1), (cold, 1)])
    rows = db.scalars(select(PromotionAdjustment).where(PromotionAdjustment.trade_id == orders[0].trade_id)).all()
    assert {row.order_id for row in rows} == {order.id for order in orders}
    assert sum(row.amount_fen for row in rows) == 333
    assert sum(order.freight_fen for order in orders) == 500 - 333
    for order in orders:
        own = sum(row.amount_fen for row in rows if row.order_id == order.id)
        with transaction():
            split = splitting.ensure_split(order.id)
        freight = next(line for line in splitting.lines_of(order.id) if line.line_id == 0)
        assert freight.paid_fen + freight.funded_fen == order.freight_fen + own
        assert split.net_fen > 0


def test_a_category_says_how_cold_its_goods_travel_and_what_is_a_service(db: Any) -> None:
    shop = market.make_shop()
    category_id = carts.price([(shop.sku_ids[0], 1)])[1][shop.sku_ids[0]].category_id
    with transaction():
        catalog.edit_category(SYSTEM, category_id, name="生鲜", cold_chain="chilled")
    _, orders = desk.paid([(shop.sku_ids[0], 1)])
    assert (orders[0].temperature, orders[0].delivery_mode) == ("chilled", "express")
    with transaction():
        catalog.edit_category(SYSTEM, category_id, name="家政", is_service=True)
    _, orders = desk.paid([(shop.sku_ids[0], 1)])
    assert (orders[0].delivery_mode, orders[0].freight_fen) == ("service", 0)
    with transaction(), pytest.raises(Invalid):
        catalog.edit_category(SYSTEM, category_id, name="家政", cold_chain="boiling")
    assert db.get_one(Category, category_id).is_service == 1
    forget()


def ways(db: Any, shop: market.Shop, modes: str) -> None:
    with transaction():
        db.get_one(Merchant, shop.merchant_id).delivery_modes = modes


def test_fetching_the_goods_costs_no_freight(db: Any) -> None:
    shop = market.make_shop(price_fen=2_000)
    ways(db, shop, "express,local,pickup")
    buyer, orders = desk.paid([(shop.sku_ids[0], 1)], {shop.merchant_id: "pickup"})
    assert (orders[0].delivery_mode, orders[0].freight_fen, orders[0].payable_fen) == ("pickup", 0, 2_000)
    assert (buyer.account_id, orders[0].hold) == (orders[0].account_id, "-")


def test_a_way_the_shop_does_not_offer_is_refused(db: Any) -> None:
    shop = market.make_shop()
    with pytest.raises(Invalid, match="order.mode"):
        desk.placed([(shop.sku_ids[0], 1)], {shop.merchant_id: "pickup"})
    ways(db, shop, "express,local")
    with transaction():
        db.get_one(Merchant, shop.merchant_id).area_code = "T99"
    with pytest.raises(Invalid, match="order.mode"):
        desk.placed([(shop.sku_ids[0], 1)], {shop.merchant_id: "local"})
    assert db.query(Order).count() == 0


def test_the_checkout_page_offers_the_ways_and_prices_the_choice(app: Any, db: Any, client: Browser) -> None:
    from tests.integration.orders.test_checkout import add_address, form_of, sign_in

    shop = market.make_shop(price_fen=1_000)
    ways(db, shop, "express,pickup")
    add_address(sign_in(client, "13820000077"))
    url = f"/checkout?sku={shop.sku_ids[0]}&qty=1"
    page = client.get(url)
    assert {i["value"] for i in page.soup.select(f"input[name=mode-{shop.merchant_id}]")} == {"express", "pickup"}
    form = {**form_of(page), "sku": shop.sku_ids[0], "qty": 1, f"mode-{shop.merchant_id}": "pickup"}
    refused = client.post("/checkout", form)
    assert refused.status_code == 409, "the price that was shown had freight"
    again = {**form, **form_of(refused)}
    assert client.post("/checkout", again).status_code == 303
    assert db.query(Order).one().delivery_mode == "pickup"
    wrong = client.post("/checkout", {**again, f"mode-{shop.merchant_id}": "drone"})
    assert wrong.status_code == 422


# Holds


def test_a_hold_stops_shipping_payout_and_automatic_confirmation(db: Any) -> None:
    shop = market.make_shop()
    boss = desk.officer()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        assert holds.place(boss, order.id, "platform", "核实中") is True
    with transaction():
        assert holds.place(boss, order.id, "platform", "再次") is False
    with transaction(), pytest.raises(Conflict, match="order.not_shippable"):
        service.mark_shipped(SYSTEM, order.id)
    with transaction():
        assert holds.lift(boss, order.id, "platform", "无误") is True
    with transaction():
        assert holds.lift(boss, order.id, "platform") is False
    with transaction():
        service.mark_shipped(SYSTEM, order.id)
    with transaction():
        holds.place(boss, order.id, "abnormal", "运输中发现异常")
    with clock.travel(timedelta(days=30)):
        with transaction():
            assert service.confirm_due() == 0
        with transaction():
            service.complete(SYSTEM, order.id)
        with transaction():
            release.plan_all([order.id])
    with clock.travel(timedelta(days=60)):
        with transaction():
            assert release.release(order.id) is False
        with transaction():
            holds_left = holds.lift(boss, order.id, "abnormal")
        assert holds_left
        with transaction():
            assert release.release(order.id) is True


def test_a_hold_moves_the_shipping_deadline_by_its_length(db: Any) -> None:
    shop = market.make_shop()
    boss = desk.officer()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    due = order.ship_due_at
    with transaction():
        holds.place(boss, order.id, "platform", "核实")
    with clock.travel(timedelta(hours=5)):
        with transaction():
            holds.place(boss, order.id, "address", "地址不明")
        with transaction():
            holds.lift(boss, order.id, "platform")
    assert desk.fresh(order.id).hold == "address", "the other reason still holds"
    assert desk.fresh(order.id).ship_due_at == due
    with clock.travel(timedelta(hours=9)), transaction():
        holds.lift(boss, order.id, "address")
    row = desk.fresh(order.id)
    assert (row.hold, row.held_at) == ("-", None)
    assert due is not None
    assert row.ship_due_at is not None
    assert timedelta(hours=9) <= row.ship_due_at - due < timedelta(hours=9, minutes=5)


def test_wrong_holds_are_refused(db: Any) -> None:
    shop = market.make_shop()
    buyer, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction(), pytest.raises(Invalid, match=r"hold\.reason"):
        holds.place(SYSTEM, order.id, "because", "x")
    with transaction(), pytest.raises(Invalid, match=r"hold\.note"):
        holds.place(SYSTEM, order.id, "platform", "  ")
    stranger = desk.owner(market.make_shop())
    with transaction(), pytest.raises(NotFound):
        holds.place(stranger, order.id, "platform", "x")
    with transaction():
        service.cancel_paid(buyer, order.id, "")
    with transaction(), pytest.raises(Conflict, match=r"order\.state"):
        holds.place(SYSTEM, order.id, "platform", "x")


@pytest.mark.parametrize("attempt", range(3))
def test_hold_against_ship(db: Any, attempt: int) -> None:
    """Either the order is held and stays, or it has left and the hold stands on the shipped order: never shipped under a hold."""
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    order_id = order.id
    outcome = desk.race(
        lambda: holds.place(SYSTEM, order_id, "platform", "核实"), lambda: service.mark_shipped(SYSTEM, order_id)
    )
    row = desk.fresh(order_id)
    assert outcome[0] == "done"
    assert row.hold == "platform"
    kinds = [event.kind for event in reversed(queries.timeline(order_id))]
    if outcome[1] == "done":
        assert row.status == "shipped"
    else:
        assert (outcome[1], row.status) == ("order.not_shippable", "paid")
        assert "shipped" not in kinds


def test_many_holds_and_lifts_at_once_end_consistent(db: Any) -> None:
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    order_id = order.id
    reasons = ("platform", "abnormal", "address", "risk")
    desk.race(*(lambda r=r: holds.place(SYSTEM, order_id, r, "x") for r in reasons * 2))
    assert len([row for row in holds.of(order_id) if row.open_key == 0]) == 4
    desk.race(*(lambda r=r: holds.lift(SYSTEM, order_id, r) for r in reasons * 2))
    assert desk.fresh(order_id).hold == "-"
    assert db.query(OrderHold).filter(OrderHold.open_key == 0).count() == 0


# Cases


def test_a_case_is_claimed_by_one_officer(db: Any) -> None:
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        case_id = cases.raise_by_hand(desk.owner(shop), order.id, "oversold", "仓库只剩一件破损的")
    officers = [desk.officer(f"运营{n}") for n in "甲乙丙"]
    outcomes = desk.race(*(lambda who=who: cases.claim(who, case_id) for who in officers))
    assert sorted(outcomes) == ["case.state", "case.state", "done"]
    winner, loser = officers[outcomes.index("done")], officers[outcomes.index("case.state")]
    assert cases.get(case_id).officer_id == winner.account_id
    with transaction(), pytest.raises(Conflict):
        cases.resolve(loser, case_id, "release", "不是我的")
    with transaction(), pytest.raises(Conflict):
        cases.give_back(loser, case_id)
    with transaction():
        cases.give_back(winner, case_id)
    with transaction():
        cases.claim(loser, case_id)
    db.expire_all()
    assert cases.get(case_id).officer_name == loser.name


def test_releasing_a_case_lets_the_order_go_on(db: Any) -> None:
    shop, boss = market.make_shop(), desk.officer()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        case_id = cases.raise_by_hand(boss, order.id, "address", "门牌号不存在")
    assert desk.fresh(order.id).hold == "address"
    with transaction(), pytest.raises(Conflict, match=r"case\.open"):
        cases.raise_by_hand(boss, order.id, "address", "又一次")
    with transaction():
        cases.claim(boss, case_id)
    for resolution, note, code in (("refund", "x", "case.resolution"), ("release", " ", "case.note")):
        with transaction(), pytest.raises(Invalid, match=code):
            cases.resolve(boss, case_id, resolution, note)
    with transaction():
        cases.resolve(boss, case_id, "release", "已与买家核实")
    assert desk.fresh(order.id).hold == "-"
    with transaction(), pytest.raises(Conflict):
        cases.resolve(boss, case_id, "release", "再次")
    with transaction():
        service.mark_shipped(SYSTEM, order.id)
    assert "已与买家核实" not in str([event.note for event in queries.timeline(order.id, internal=False)])
    audited = db.scalars(select(AuditEvent.action).where(AuditEvent.object_type == "order_case", AuditEvent.object_id == str(case_id)).order_by(AuditEvent.id))
    assert list(audited) == ["order_case.raised", "order_case.taken", "order_case.resolved"]


def test_cancelling_by_a_case_refunds_in_full(db: Any) -> None:
    shop, boss = market.make_shop(stock=5), desk.officer()
    _, (order,) = desk.paid([(shop.sku_ids[0], 2)])
    with transaction():
        case_id = cases.raise_by_hand(desk.owner(shop), order.id, "oversold", "缺货")
    with transaction():
        cases.claim(boss, case_id)
    with transaction():
        cases.resolve(boss, case_id, "cancel", "商家确认无货")
    row = desk.fresh(order.id)
    assert (row.status, row.refunded_fen) == ("cancelled", row.payable_fen)
    assert cases.get(case_id).resolution == "cancel"


def test_a_shipped_order_cannot_be_cancelled_by_its_case(db: Any) -> None:
    shop, boss = market.make_shop(), desk.officer()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        service.mark_shipped(SYSTEM, order.id)
    with transaction():
        case_id = cases.raise_by_hand(boss, order.id, "other", "买家称空包")
    with transaction():
        cases.claim(boss, case_id)
    assert "cancel" not in cases.choices(cases.get(case_id))
    with pytest.raises(Conflict, match=r"order\.state"), transaction():
        cases.resolve(boss, case_id, "cancel", "x")
    db.rollback()
    db.expire_all()
    assert cases.get(case_id).status == "claimed", "nothing of the refused resolution stays"


def test_missing_units_and_impossible_addresses_are_found(db: Any) -> None:
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 2)])
    with transaction():
        cases.inspect([order.id])
    assert db.query(OrderCase).count() == 0
    with transaction():
        db.query(Reservation).filter(Reservation.order_id == order.id).one().quantity = 1
    for _ in range(2):
        with transaction():
            cases.inspect([order.id])
    found = db.query(OrderCase).one()
    assert (found.kind, found.source, found.order_id) == ("oversold", "auto", order.id)
    assert "1 件" in found.reason
    assert desk.fresh(order.id).hold == "oversold"


@pytest.mark.parametrize(
    ("receiver", "street", "area", "ok"),
    [
        ("李四", "幸福路 88 号", "T01", True), ("李四", "幸福路 88 号", "T98", False), ("李四", "abcdef 12345", "T01", False),
        ("李四", "路路路路路路路", "T01", False), ("123", "幸福路 88 号", "T01", False), ("李四", "啊啊啊", "T01", False),
    ],
)  # fmt: skip
def test_what_an_address_must_read_like(db: Any, receiver: str, street: str, area: str, ok: bool) -> None:
    market.make_shop()
    assert (cases.doubtful(receiver, street, area) == "") is ok


def test_orders_a_day_late_enter_the_queue_once(db: Any) -> None:
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with clock.travel(timedelta(hours=71)), transaction():
        assert cases.watch_overdue() == 0
    with clock.travel(timedelta(hours=73)):
        for expected in (1, 0):
            with transaction():
                assert cases.watch_overdue() == expected
    assert desk.fresh(order.id).hold == "-", "late is no reason to stop shipping"


def test_money_that_was_not_owed_enters_the_queue(db: Any) -> None:
    from app.payments import handlers
    from app.payments.events import StrayPaymentReceived
    from app.payments.models import ChannelNotice

    shop = market.make_shop()
    buyer, trade_id = desk.placed([(shop.sku_ids[0], 1)])
    with transaction():
        attempt = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        body = simulator.bodies(attempt, "wrong_amount")[0]
    with transaction():
        row_id = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
    with transaction():
        assert payments.apply_notice(row_id) == "refunded"
    amount = channels.parse(db.get_one(ChannelNotice, row_id).body.encode()).amount_fen
    for _ in range(2):
        with transaction():
            handlers.on_stray_payment_received(StrayPaymentReceived(row_id, amount, channels.SIMULATOR, "tx", 0))
    case = db.query(OrderCase).one()
    assert (case.kind, case.trade_id, case.status) == ("payment", trade_id, "open")
    with transaction():
        assert cases.raise_payment(0, "stray:unknown", "不明款项") != case.id


def test_the_queue_over_http(app: Any, db: Any) -> None:
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    merchant, first, second = Browser(app), Browser(app), Browser(app)
    merchant.sign_in("/merchant", shop.login, market.PASSWORD)
    for browser in (first, second):
        browser.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    here = f"/merchant/orders/{order.id}"
    refused = merchant.post(f"{here}/cases", {"kind": "oversold", "reason": ""})
    assert refused.status_code == 422
    assert "请写明异常情况" in refused.soup.get_text()
    assert refused.soup.select_one("select[name=kind] option[selected]")["value"] == "oversold"
    assert merchant.post(f"{here}/cases", {"kind": "risk", "reason": "x"}).status_code == 422
    assert merchant.post(f"{here}/cases", {"kind": "oversold", "reason": "实物短少"}).status_code == 303
    assert "暂停发货" in merchant.get(here).soup.get_text()
    case_id, order_id = db.query(OrderCase).one().id, db.query(OrderCase).one().order_id
    listed = first.get("/operator/order-cases").soup
    assert "实物短少" in listed.get_text()
    url = f"/operator/order-cases/{case_id}"
    assert first.post(f"{url}/resolve", {"resolution": "release", "note": "x"}).status_code == 409, "not claimed yet"
    assert first.post(f"{url}/claim").status_code == 303
    late = second.post(f"{url}/claim")
    assert late.status_code == 409
    assert "已被认领" in late.soup.get_text()
    kept = first.post(f"{url}/resolve", {"resolution": "", "note": "已补货"})
    assert (kept.status_code, kept.soup.select_one("textarea[name=note]").get_text()) == (422, "已补货")
    assert first.post(f"{url}/resolve", {"resolution": "release", "note": "已补货"}).status_code == 303
    assert desk.fresh(order_id).hold == "-"
    assert "核实无误" in first.get("/operator/order-cases?view=resolved").soup.get_text()
    assert first.get("/operator/order-cases/77").status_code == 404
    for view, kind in itertools.product(("waiting", "mine", "resolved", "nonsense"), ("", "payment", "nonsense")):
        assert first.get(f"/operator/order-cases?view={view}&kind={kind}").status_code == 200


def test_operators_hold_and_lift_over_http(app: Any, db: Any) -> None:
    shop = market.make_shop()
    order_id = desk.paid([(shop.sku_ids[0], 1)])[1][0].id
    boss = Browser(app)
    boss.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    here = f"/operator/orders/{order_id}"
    assert boss.post(f"{here}/holds", {"reason": "risk", "note": "x"}).status_code == 422, "risk is placed by its rules"
    kept = boss.post(f"{here}/holds", {"reason": "platform", "note": " "})
    assert kept.status_code == 422
    assert boss.post(f"{here}/holds", {"reason": "platform", "note": "执法部门来函"}).status_code == 303
    assert "执法部门来函" in boss.get(here).soup.get_text()
    assert boss.post(f"{here}/holds/lift", {"reason": "risk"}).status_code == 409
    assert boss.post(f"{here}/holds/lift", {"reason": "platform"}).status_code == 303
    assert desk.fresh(order_id).hold == "-"


def test_the_buyer_reads_notes_meant_for_the_buyer_only(app: Any, db: Any) -> None:
    shop = market.make_shop()
    buyer, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    with transaction():
        service.add_note(desk.owner(shop), order.id, "客户难缠")
    with transaction():
        service.add_note(desk.owner(shop), order.id, "周三到货后发出", to_buyer=True)
    seen = [event.note for event in queries.timeline(order.id, internal=False) if event.kind == "note"]
    assert seen == ["周三到货后发出"]
    assert len([event for event in queries.timeline(order.id) if event.kind == "note"]) == 2
    assert buyer.account_id == order.account_id
