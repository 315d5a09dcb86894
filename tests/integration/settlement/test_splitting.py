"""Paid orders become vouchers once, and refunds take everybody's part back exactly (commerce.md §2.8, §2.25 d f j; traps 6 9)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from app.core import events, jobs
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.tx import transaction
from app.orders import queries as orders
from app.orders import service as orders_service
from app.orders.events import OrderCancelled, OrderCompleted, OrderPaid
from app.orders.models import Order
from app.payments.events import PaymentReceived, PaymentRefunded, StrayPaymentReceived
from app.payments.models import ChannelNotice, Refund
from app.promotions.models import PromotionAdjustment
from app.settlement.models import Entry, LineSplit, OrderSplit, Voucher
from app.settlement.queries import books
from app.settlement.service import ledger, rates, release
from app.settlement.service.ledger import About, Line
from app.settlement.service.splitting import Units
from dbadapters.errors import DbError
from tests.factories import market
from tests.integration.settlement import money

ALL = ("channel", "custody", "advance", "frozen", "payable", "refund", "fee", "promoter", "logistics", "subsidy", "receivable")


def vouchers(order_id: int) -> list[str]:
    return [v.kind for v in books.vouchers_of_order(order_id)]


def test_a_paid_order_is_split_once(db: Any) -> None:
    shop = market.make_shop(price_fen=1_990)
    before = money.platform(*ALL)
    _, order_id = money.paid_order(shop, 2)
    money.deliver()
    assert money.moved(before) == {"channel": 4_480, "frozen": 4_281, "fee": 199}, "5% of 39.80, freight 5.00 to the merchant"
    assert money.balances(shop)["frozen"] == 4_281
    assert vouchers(order_id) == ["split"]
    row, lines = books.get_split(order_id)
    assert (row.status, row.net_fen, [line.line_id for line in lines][-1]) == ("frozen", 4_281, 0)
    money.assert_proven()


def test_the_rate_list_is_first_match_and_frozen_at_payment(db: Any) -> None:
    shop, finance = market.make_shop(price_fen=10_000), money.finance()
    with transaction():
        rates.save(finance, rates.RateInput(place=900, fee_bps=300, merchant_id=shop.merchant_id))
        rule = rates.save(
            finance, rates.RateInput(place=800, fee_bps=200, promoter_bps=100, logistics_bps=50, freight_to="carrier", area_code="T01"),
        )
    before = money.platform(*ALL)
    _, order_id = money.paid_order(shop)
    with transaction():  # the books are late: the rate is the one of the moment of payment
        rates.save(finance, rates.RateInput(place=800, fee_bps=9_000), rule_id=rule, version=1)
    money.deliver()
    assert money.moved(before) == {"channel": 10_500, "fee": 200, "promoter": 100, "logistics": 550, "frozen": 9_650}
    line = books.get_split(order_id)[1][0]
    assert (line.rule_id, line.rule_version, line.fee_bps) == (rule, 1, 200)
    with pytest.raises(Conflict, match=r"rate\.moved"), transaction():
        rates.save(finance, rates.RateInput(place=800, fee_bps=1), rule_id=rule, version=1)
    with transaction():
        rates.end(finance, rule, 2)
    before = money.platform(*ALL)
    money.paid_order(shop)
    money.deliver()
    assert money.moved(before)["fee"] == 300, "the next rule of the list"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"place": 0}, "place"), ({"fee_bps": 6_000, "promoter_bps": 5_000}, "fee_bps"), ({"merchant_id": 1}, "merchant_id"),
        ({"category_id": 1}, "category_id"), ({"area_code": "X"}, "area_code"), ({"freight_to": "me"}, "freight_to"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused(db: Any, wanted: dict[str, Any], field: str) -> None:
    finance = money.finance()
    with pytest.raises(Invalid) as refused, transaction():
        rates.save(finance, rates.RateInput(**{"place": 5, "fee_bps": 1, **wanted}))
    assert refused.value.field == field


def test_a_new_merchant_has_a_free_year_once(db: Any) -> None:
    shop = market.make_shop(price_fen=10_000)
    money.deliver()  # the approval
    before = money.platform(*ALL)
    money.paid_order(shop)
    money.deliver()
    assert "fee" not in money.moved(before)
    with transaction():
        assert rates.grant_first_year(shop.merchant_id) is False
    with money.releasing(days=366):
        before = money.platform(*ALL)
        money.paid_order(shop)
        money.deliver()
        assert money.moved(before)["fee"] == 500, "the dated rule has ended"


def test_funded_discounts_are_owed_to_the_merchant_and_go_back(db: Any) -> None:
    """Trap 10: platform and programme pay what they took off; the base of the commission holds it; reversal returns it."""
    shop = market.make_shop(price_fen=9_999, stock=20)
    buyer, order_id = money.paid_order(shop, 3)
    line_id = orders.lines_of([order_id])[order_id][0].id
    with transaction():
        for programme, platform_fen, programme_fen in (("-", 501, 0), ("LZ-2026-01", 0, 1_000)):
            db.add(
                PromotionAdjustment(
                    id=new_id(), trade_id=1, order_id=order_id, line_id=line_id, layer=4, kind="coupon", rule_id=1, version=1,
                    coupon_id=0, title="消费券", amount_fen=platform_fen + programme_fen, merchant_fen=0, platform_fen=platform_fen,
                    programme_fen=programme_fen, programme=programme, is_void=False,
                )
            )  # fmt: skip
    before = money.platform(*ALL)
    money.deliver()
    base = 29_997 + 1_501
    fee = (base * 500 * 2 + 10_000) // 20_000
    assert money.moved(before) == {"channel": 30_497, "subsidy": 1_501, "fee": fee, "frozen": 30_497 + 1_501 - fee}
    money.complete(buyer, order_id)
    money.deliver()
    finance, cash = money.finance(), []
    for index in range(3):
        with transaction():
            cash.append(release.refund(finance, order_id, [Units(line_id, 1)], "坏果", f"request-{index}"))
        money.deliver()
    assert sum(cash) == 29_997
    assert money.moved(before) == {"channel": 500, "frozen": 500}, "only the freight is left"
    money.assert_proven()


def test_partial_refunds_end_at_zero_for_everybody(db: Any) -> None:
    """Oracle j, with odd amounts that no unit divides."""
    shop, finance = market.make_shop(price_fen=3_333, stock=50), money.finance()
    with transaction():
        rates.save(finance, rates.RateInput(place=1, fee_bps=777, promoter_bps=333, logistics_bps=111, freight_to="carrier"))
    before = money.platform(*ALL)
    buyer, order_id = money.paid_order(shop, 7)
    money.deliver()
    money.complete(buyer, order_id)
    money.deliver()
    line_id = orders.lines_of([order_id])[order_id][0].id
    for index, count in enumerate((2, 1, 4)):
        with transaction():
            assert release.refund(finance, order_id, [Units(line_id, count)], "退货", f"request-{index}") > 0
        money.deliver()
    with transaction():
        assert release.refund(finance, order_id, [Units(0, 1)], "退运费", "request-freight") == 500
    money.deliver()
    assert money.moved(before) == {}
    assert db.scalar(select(OrderSplit.status).where(OrderSplit.order_id == order_id)) == "reversed"
    assert db.scalar(select(Order.refunded_fen).where(Order.id == order_id)) == 7 * 3_333 + 500
    with pytest.raises(Conflict, match=r"split\.units"), transaction():
        release.refund(finance, order_id, [Units(line_id, 1)], "再退", "request-more")
    money.assert_proven()


def test_the_same_refund_request_refunds_once(db: Any) -> None:
    shop, finance = market.make_shop(), money.finance()
    buyer, order_id = money.paid_order(shop, 2)
    with pytest.raises(Conflict, match=r"refund\.state"), transaction():
        release.refund(finance, order_id, [Units(orders.lines_of([order_id])[order_id][0].id, 1)], "未发货", "request-0")
    money.complete(buyer, order_id)
    money.deliver()
    line_id = orders.lines_of([order_id])[order_id][0].id
    with transaction():
        assert release.refund(finance, order_id, [Units(line_id, 1)], "少发", "request-1") == 1_990
    with transaction():
        assert release.refund(finance, order_id, [Units(line_id, 1)], "少发", "request-1") == 0
    assert db.query(Refund).count() == 1
    with pytest.raises(Invalid, match=r"refund\.reason"), transaction():
        release.refund(finance, order_id, [Units(line_id, 1)], " ", "request-2")


def test_cancelling_a_paid_order_returns_everything(db: Any) -> None:
    shop = market.make_shop(stock=5)
    before = money.platform(*ALL)
    buyer, order_id = money.paid_order(shop, 2)
    with transaction():
        orders_service.cancel_paid(buyer, order_id, "不想要了")
    with pytest.raises(Conflict, match=r"order\.state"), transaction():
        orders_service.cancel_paid(buyer, order_id, "再点一次")
    money.deliver()
    assert money.moved(before) == {}
    assert vouchers(order_id) == ["split", "reversal"]
    refund = db.query(Refund).one()
    assert (refund.status, refund.amount_fen) == ("done", 4_480)
    from app.inventory import queries as inventory

    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 5
    assert inventory.audit_columns() == []
    money.assert_proven()


@pytest.mark.parametrize("outcome", ["wrong_amount", "second", "late"])
def test_stray_money_is_booked_and_goes_back(db: Any, outcome: str) -> None:
    """Traps 5 and 6: a wrong amount, a second successful payment, a payment after the order closed."""
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    trade_id = money.place(buyer, address_id, [(shop.sku_ids[0], 1)])
    before = money.platform(*ALL)
    if outcome == "wrong_amount":
        assert money.pay(buyer, trade_id, "wrong_amount") == ["refunded"]
        kept: dict[str, int] = {}
    else:
        from app.orders.models import Trade
        from app.payments import channels, simulator
        from app.payments import service as payments

        with transaction():
            second = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        body = simulator.bodies(second, "paid")[0]
        if outcome == "second":
            assert money.pay(buyer, trade_id) == ["paid"]
            kept = {"channel": 2_490, "frozen": 2_390, "fee": 100}
        else:
            with transaction():
                orders_service.cancel_trade(buyer, trade_id, "不要了")
            kept = {}
        assert money.receive(body) == "refunded"
    money.deliver()
    assert money.moved(before) == kept
    kinds = db.scalars(select(Voucher.kind).where(Voucher.channel == "simulator").order_by(Voucher.id.desc()).limit(2)).all()
    assert set(kinds) == {"stray", "refund"}
    money.assert_proven()


def test_every_event_delivered_twice_has_no_second_effect(db: Any) -> None:
    """Oracle f: all payloads of the run again, in reverse order."""
    shop, finance = market.make_shop(price_fen=2_001, stock=50), money.finance()
    seen: list[Any] = []
    types = (PaymentReceived, StrayPaymentReceived, PaymentRefunded, OrderPaid, OrderCompleted, OrderCancelled)
    buyer, order_id = money.paid_order(shop, 3)
    other, cancelled = money.paid_order(shop, 1)
    with transaction():
        orders_service.cancel_paid(other, cancelled, "不要")
    stranger, address_id = market.make_buyer()
    money.pay(stranger, money.place(stranger, address_id, [(shop.sku_ids[0], 1)]), "wrong_amount")
    money.deliver()
    money.complete(buyer, order_id)
    money.deliver()
    with transaction():
        release.refund(finance, order_id, [Units(orders.lines_of([order_id])[order_id][0].id, 1)], "少一件", "request-1")
    money.deliver()
    for event_type in types:
        names = [name for name in events.handlers_of(event_type) if name.startswith("settlement.")]
        assert len(names) == 1, event_type
        for payload in db.scalars(select(jobs.Job.payload).where(jobs.Job.name == names[0])):
            seen.append((names[0].removeprefix("settlement."), event_type(**payload)))
    assert {type(event) for _, event in seen} == set(types)
    counted = [db.scalar(select(func.count()).select_from(model)) for model in (Voucher, Entry, LineSplit, OrderSplit, Refund)]
    before = money.platform(*ALL)
    for name, event in reversed(seen):
        money.redeliver(name, event)
    money.deliver()
    assert [db.scalar(select(func.count()).select_from(model)) for model in (Voucher, Entry, LineSplit, OrderSplit, Refund)] == counted
    assert money.moved(before) == {}
    money.assert_proven()


def test_release_waits_for_the_window_and_the_hold(db: Any) -> None:
    shop, finance = market.make_shop(), money.finance()
    buyer, order_id = money.paid_order(shop)
    money.deliver()
    money.complete(buyer, order_id)
    money.deliver()
    with money.releasing(days=6):
        money.release_all()
    assert money.balances(shop)["payable"] == 0
    with transaction():
        release.set_hold(finance, order_id, "买家投诉处理中")
    with money.releasing():
        money.release_all()
        with transaction():
            assert release.release(order_id) is False
    with transaction():
        release.set_hold(finance, order_id, "")
    with money.releasing(days=9):
        money.release_all()
        with transaction():
            assert release.release(order_id) is False, "once"
    assert (money.balances(shop)["frozen"], money.balances(shop)["payable"]) == (0, 2_390)
    with pytest.raises(Conflict, match=r"split\.released"), transaction():
        release.set_hold(finance, order_id, "太晚了")
    money.assert_proven()


def test_a_refund_after_the_payout_becomes_a_debt_and_is_withheld(db: Any) -> None:
    """Trap 9: never edits what was settled; the next release pays the debt first."""
    shop, finance = market.make_shop(stock=50), money.finance()
    buyer, order_id = money.released_order(shop, 2)
    have = money.balances(shop)["payable"]
    with transaction():
        ledger.post("payout", "test:out", (Line("payable", have, shop.merchant_id), Line("custody", -have)), About())
    line_id = orders.lines_of([order_id])[order_id][0].id
    with transaction():
        release.refund(finance, order_id, [Units(line_id, 1)], "质量问题", "request-1")
    money.deliver()
    assert (money.balances(shop)["payable"], money.balances(shop)["receivable"]) == (0, 1_891), "99 of the fee come back"
    money.released_order(shop)
    now = money.balances(shop)
    assert (now["receivable"], now["payable"]) == (0, 2_490 - 1_891), "the shop is approved by now: a free first year"
    memo = db.scalar(select(Voucher.memo).where(Voucher.kind == "release", Voucher.merchant_id == shop.merchant_id).order_by(Voucher.id.desc()))
    assert "已扣欠款" in memo
    money.assert_proven()


def test_the_books_refuse_change_and_imbalance(db: Any) -> None:
    shop = market.make_shop()
    money.fund(shop.merchant_id, 100)
    with pytest.raises(ValueError, match="balance"), transaction():
        ledger.post("deposit", "test:bad", (Line("custody", 5), Line("payable", -4, shop.merchant_id)))
    with pytest.raises(ledger.Short), transaction():
        ledger.post("deposit", "test:short", (Line("custody", -101), Line("payable", 101, shop.merchant_id)))
    assert db.scalar(select(Voucher.id).where(Voucher.cause == "test:short")) is None
    row = db.scalars(select(Entry).order_by(Entry.id.desc()).limit(1)).one().id
    for statement in (
        update(Entry).where(Entry.id == row).values(amount_fen=1), delete(Entry).where(Entry.id == row),
        update(Voucher).where(Voucher.kind == "deposit").values(memo="x"), delete(Voucher),
    ):  # fmt: skip
        with pytest.raises(DbError), transaction():
            db.execute(statement.execution_options(synchronize_session=False))
    money.assert_proven()


def test_the_proof_finds_a_balance_that_was_touched(db: Any) -> None:
    """The nightly job fails, so that it is parked and seen."""
    from app.settlement import registration
    from app.settlement.models import Account

    shop = market.make_shop()
    money.fund(shop.merchant_id, 100)
    wanted = Account.owner_id == shop.merchant_id, Account.kind == "payable"
    account_id = db.scalar(select(Account.id).where(*wanted))

    def shift(fen: int) -> None:
        with transaction():
            db.execute(update(Account).where(*wanted).values(balance_fen=Account.balance_fen + fen))

    shift(-7)
    try:
        assert books.verify() == [books.Difference("account", account_id, -7)]
        with pytest.raises(RuntimeError, match="off by -7 fen"):
            registration._verify()
    finally:
        shift(7)
    money.assert_proven()


def test_notices_that_repeat_book_one_receipt(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    before = money.platform("channel")
    assert money.pay(buyer, money.place(buyer, address_id, [(shop.sku_ids[0], 1)]), "duplicate") == ["paid", "duplicate", "duplicate"]
    money.deliver()
    assert money.moved(before) == {"channel": 2_490}
    assert db.query(ChannelNotice).count() == 3
