"""Exchange, repair, compensation, bad fruit, arbitration and the timers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.aftersales import queries, rules, service, states
from app.aftersales.models import Case
from app.aftersales.service import timers
from app.catalog.models import Category, Product
from app.core import cache_reset, clock
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.tx import transaction
from app.inventory import queries as stock_queries
from app.inventory.models import Stock
from app.inventory.service import OutOfStock
from app.orders import queries as orders
from app.orders import service as orders_service
from app.orders.models import Order
from tests.factories import aftersales as cases
from tests.factories import market
from tests.integration.settlement import money


def row_of(db: Any, case_id: int) -> Case:
    db.rollback()
    db.expire_all()
    return db.get_one(Case, case_id)


def stock_of(db: Any, shop: market.Shop, variant: int = 0) -> tuple[int, int]:
    db.rollback()
    row = db.execute(select(Stock.on_hand, Stock.allocated).where(Stock.sku_id == shop.sku_ids[variant])).one()
    return row.on_hand, row.allocated


def run_timers() -> None:
    """The scan and what it queues, as the worker does."""
    with transaction():
        service.queue_due()
    money.deliver()


def fresh_shop(db: Any, **options: Any) -> market.Shop:
    """A shop whose category is outside the seven days: fresh goods."""
    shop = market.make_shop(**options)
    with transaction():
        category = session.get_one(Category, session.get_one(Product, shop.product_id).category_id)
        category.return_exclusion = "fresh"
    cache_reset.reset_all()
    return shop


def test_an_exchange_holds_its_replacement_and_ships_it(db: Any) -> None:
    shop = market.make_shop(stock=5, price_fen=1_000)
    buyer, order_id = cases.delivered_order(shop, 2)
    case_id = cases.opened(buyer, order_id, states.EXCHANGE, quantity=1)
    assert stock_of(db, shop) == (3, 0)
    with transaction():
        service.approve(cases.owner(shop), case_id)
    assert stock_of(db, shop) == (3, 1), "the replacement waits"
    with transaction():
        service.send_back(buyer, case_id, "中通快递", "123456789012")
    with pytest.raises(Conflict, match="case.sent"), transaction():
        service.withdraw(buyer, case_id)
    with pytest.raises(Invalid, match="case.inspected"), transaction():
        service.check(cases.owner(shop), case_id, 0, 0)
    with transaction():
        service.check(cases.owner(shop), case_id, 0, 1)
    with transaction():
        service.ship(cases.owner(shop), case_id, "中通快递", "123456789013")
    assert stock_of(db, shop) == (2, 0)
    with transaction():
        service.confirm_received(buyer, case_id)
    row = row_of(db, case_id)
    assert (row.status, row.refund_fen, row.finished_at is not None) == (states.DONE, 0, True)
    back = orders.backs_of([order_id])[row.line_id]
    assert (back.case_units, back.back_units) == (0, 0), "the buyer has two units again"
    for quantity in (2,):  # the replacement can come back, too: each unit to where it left from
        second = cases.sent_back(buyer, shop, order_id, quantity=quantity)
        with transaction():
            service.check(cases.owner(shop), second, quantity, 0)
    assert stock_of(db, shop) == (4, 0)
    assert stock_queries.audit_columns() == []


def test_an_exchange_without_stock_is_refused_and_withdrawing_frees_it(db: Any) -> None:
    shop = market.make_shop(stock=2)
    buyer, order_id = cases.delivered_order(shop, 1)
    first, second = cases.delivered_order(shop, 1)
    case_id = cases.opened(buyer, order_id, states.EXCHANGE)
    with pytest.raises(OutOfStock), transaction():
        service.approve(cases.owner(shop), case_id)
    assert row_of(db, case_id).status == states.PENDING, "nothing of the refused approval remains"
    again = cases.sent_back(first, shop, second)
    with transaction():
        service.check(cases.owner(shop), again, 1, 0)
    with transaction():
        service.approve(cases.owner(shop), case_id)
    assert stock_of(db, shop) == (1, 1)
    with transaction():
        service.withdraw(buyer, case_id)
    assert stock_of(db, shop) == (1, 0)


def test_only_variants_of_the_same_price_may_replace(db: Any) -> None:
    shop = market.make_shop(variants=("红", "蓝"))
    buyer, order_id = cases.delivered_order(shop)
    with pytest.raises(Invalid, match="case.replacement"):
        cases.opened(buyer, order_id, states.EXCHANGE, new_sku_id=shop.sku_ids[1])  # a yuan dearer


def test_a_repair_returns_the_same_goods_and_stock_never_moves(db: Any) -> None:
    shop = market.make_shop(stock=5)
    buyer, order_id = cases.delivered_order(shop)
    case_id = cases.sent_back(buyer, shop, order_id, states.REPAIR, reason="malfunction")
    with transaction():
        service.check(cases.owner(shop), case_id, 1, 0, "外观完好")
    assert row_of(db, case_id).status == states.REPAIRING
    with transaction():
        service.ship(cases.owner(shop), case_id, "京东物流", "JD0012345678")
    with clock.travel(timedelta(days=8)):
        run_timers()
    assert row_of(db, case_id).status == states.DONE
    assert stock_of(db, shop) == (4, 0)


def test_a_compensation_lowers_what_a_later_return_gives_and_the_merchant_bears_it(db: Any) -> None:
    shop = market.make_shop(price_fen=1_000)
    buyer, order_id = cases.delivered_order(shop, 2)
    money.deliver()
    before = money.platform("refund", "fee")
    frozen = money.balances(shop)["frozen"]
    claim = cases.opened(buyer, order_id, states.CLAIM, "missing", 1, amount_fen=700)
    with transaction():
        service.approve(cases.owner(shop), claim)
    money.deliver()
    assert (row_of(db, claim).refund_fen, money.balances(shop)["frozen"]) == (700, frozen - 700)
    back = cases.sent_back(buyer, shop, order_id, quantity=2)
    with transaction():
        service.check(cases.owner(shop), back, 2, 0)
    money.deliver()
    row = row_of(db, back)
    assert (row.refund_fen, row.freight_fen) == (1_300 + 500, 500), "never more than was paid"
    order = db.get_one(Order, order_id)
    assert order.refunded_fen == order.payable_fen
    assert (money.balances(shop)["frozen"], money.balances(shop)["receivable"]) == (0, 0)
    assert money.moved(before).get("refund", 0) == 0
    money.assert_proven()


def test_a_claim_beyond_the_order_becomes_a_receivable(db: Any) -> None:
    """The platform keeps its commission on a compensation, so the merchant's part does not cover all of it."""
    shop = market.make_shop(price_fen=10_000)
    buyer, order_id = cases.delivered_order(shop)
    with transaction():
        from app.settlement.service import splitting

        splitting.ensure_split(order_id)  # at five per cent, before the free year is granted
    claim = cases.opened(buyer, order_id, states.CLAIM, "quality", 1, amount_fen=10_000)
    with transaction():
        service.approve(cases.owner(shop), claim)
    money.deliver()
    found = money.balances(shop)
    assert (found["frozen"], found["receivable"]) == (0, 0), "the freight of five yuan just covers the commission"
    money.assert_proven()


def test_bad_fruit_is_paid_at_once_and_once_a_line(db: Any) -> None:
    shop = fresh_shop(db, price_fen=3_333)
    buyer, order_id = cases.delivered_order(shop, 3)
    fruit = {"reason": "bad_fruit", "quantity": 3}
    with pytest.raises(Conflict, match="claim.share"):
        cases.opened(buyer, order_id, states.CLAIM, sampled=30, bad=3, **fruit)  # ten per cent is not above ten
    for sampled, bad, code in ((0, 1, "claim.sampled"), (10, 0, "claim.bad"), (10, 11, "claim.bad"), (10_001, 5_000, "claim.sampled")):
        with pytest.raises(Invalid, match=code):
            cases.opened(buyer, order_id, states.CLAIM, sampled=sampled, bad=bad, **fruit)
    case_id = cases.opened(buyer, order_id, states.CLAIM, sampled=29, bad=3, **fruit)
    line = orders.lines_of([order_id])[order_id][0]
    assert row_of(db, case_id).refund_fen == line.paid_fen * 3 // 29
    money.deliver()
    assert row_of(db, case_id).status == states.DONE
    with pytest.raises(Conflict, match="claim.twice"):
        cases.opened(buyer, order_id, states.CLAIM, sampled=10, bad=9, **fruit)
    money.assert_proven()


def test_bad_fruit_after_a_day_is_too_late(db: Any) -> None:
    shop = fresh_shop(db)
    buyer, order_id = cases.delivered_order(shop)
    with clock.travel(timedelta(hours=24)), pytest.raises(Conflict, match="case.late"):
        cases.opened(buyer, order_id, states.CLAIM, "bad_fruit", sampled=10, bad=5)


def test_many_claims_of_one_buyer_go_to_the_platform(db: Any) -> None:
    shop = fresh_shop(db, price_fen=1_000)
    buyer, address_id = market.make_buyer()
    found = []
    for _ in range(4):
        trade_id = money.place(buyer, address_id, [(shop.sku_ids[0], 1)])
        money.pay(buyer, trade_id)
        order_id = orders.orders_of_trade(trade_id)[0].id
        cases.arrive(order_id)
        found.append(cases.opened(buyer, order_id, states.CLAIM, "bad_fruit", sampled=4, bad=1))
    assert [row_of(db, case_id).status for case_id in found] == [states.REFUNDING] * 3 + [states.DISPUTED]
    judge = cases.operator()
    with transaction():
        service.decide(judge, found[3], "compensate", "照片属实", fault="merchant")
    assert row_of(db, found[3]).refund_fen == 250


def test_fresh_goods_are_outside_the_seven_days_only_as_confirmed_at_purchase(db: Any) -> None:
    shop = fresh_shop(db)
    buyer, order_id = cases.delivered_order(shop)
    assert orders.lines_of([order_id])[order_id][0].exclusion == "fresh"
    with pytest.raises(Conflict, match="case.excluded"):
        cases.opened(buyer, order_id, states.RETURN, "no_reason", files=())
    assert cases.opened(buyer, order_id, states.RETURN, "quality")
    other = market.make_shop()
    late, late_order = cases.delivered_order(other)
    with clock.travel(timedelta(days=7)), pytest.raises(Conflict, match="case.late"):
        cases.opened(late, late_order, states.RETURN, "no_reason", files=())
    with clock.travel(timedelta(days=7) - timedelta(minutes=1)):
        assert cases.opened(late, late_order, states.RETURN, "no_reason", files=())


def test_a_merchant_that_does_not_answer_has_agreed(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop, 3)
    back, claim = cases.opened(buyer, order_id), cases.opened(buyer, order_id, states.CLAIM, "missing", amount_fen=100)
    run_timers()
    assert row_of(db, back).status == states.PENDING, "not before its time"
    with clock.travel(timedelta(hours=24)):
        run_timers()
        run_timers()
    assert row_of(db, back).status == states.SENDING
    assert row_of(db, back).return_to != "-", "the buyer is told where to"
    assert row_of(db, claim).status == states.DISPUTED, "nobody looked at the money: the platform does"
    with clock.travel(timedelta(days=9)):  # nobody ran for a week: the scan catches up
        run_timers()
    assert row_of(db, back).status == states.CLOSED
    assert orders.backs_of([order_id])[row_of(db, back).line_id].case_units == 1, "only the dispute still holds a unit"


def test_asking_for_proof_stops_the_merchants_clock(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop)
    case_id = cases.opened(buyer, order_id)
    with clock.travel(timedelta(hours=20)):
        with transaction():
            service.ask(cases.owner(shop), case_id, "请补拍快递面单")
        left = row_of(db, case_id).left_us
        assert abs(left - 4 * 3_600_000_000) < 60_000_000
    with clock.travel(timedelta(hours=60)):
        run_timers()
        assert row_of(db, case_id).status == states.ASKING, "the buyer's own term is 48 hours from the question"
        with transaction():
            service.answer(buyer, case_id, "面单见图", [cases.PICTURE])
        row = row_of(db, case_id)
        assert row.status == states.PENDING
        assert abs(row.due_us - clock.microseconds(clock.now()) - left) < 60_000_000, "it goes on with what it had"
    with clock.travel(timedelta(hours=60 + 5)):
        run_timers()
    assert row_of(db, case_id).status == states.SENDING


def test_a_question_without_answer_closes_the_case(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop)
    case_id = cases.opened(buyer, order_id)
    with transaction():
        service.ask(cases.owner(shop), case_id, "请补拍快递面单")
    with clock.travel(timedelta(hours=48)):
        run_timers()
    assert row_of(db, case_id).status == states.CLOSED


def test_a_pickup_that_did_not_happen_becomes_a_parcel_and_a_missed_inspection_passes(db: Any) -> None:
    from app.aftersales.service.applying import slots

    shop = market.make_shop(stock=5, price_fen=1_000)
    buyer, order_id = cases.delivered_order(shop, 2)
    case_id = cases.opened(buyer, order_id, method=states.PICKUP, slot=slots()[0])
    with transaction():
        service.approve(cases.owner(shop), case_id)
    with clock.travel(timedelta(days=2)):
        run_timers()
        row = row_of(db, case_id)
        assert (row.status, row.method) == (states.SENDING, states.SELF)
        with transaction():
            service.send_back(buyer, case_id, "中通快递", "123456789012")
    with clock.travel(timedelta(days=10)):
        run_timers()
    row = row_of(db, case_id)
    assert (row.status, row.refund_fen, row.good_units) == (states.DONE, 1_000, 0)
    assert stock_of(db, shop) == (3, 0), "nobody has seen the goods: they are not on sale"


def test_the_order_confirms_itself_after_what_was_left_of_its_time(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop)
    with clock.travel(timedelta(days=5)):
        case_id = cases.opened(buyer, order_id)
    with clock.travel(timedelta(days=9)):
        with transaction():
            assert orders_service.confirm_due() == 0, "after-sale stops the clock"
        with transaction():
            service.withdraw(buyer, case_id)
        with transaction():
            assert orders_service.confirm_due() == 0, "two days were left"
    with clock.travel(timedelta(days=11, minutes=1)), transaction():
        assert orders_service.confirm_due() == 1


def refused(shop: market.Shop, kind: str = states.RETURN, **values: Any) -> tuple[Any, int, int]:
    """A case the merchant refused; returns (buyer, order id, case id)."""
    buyer, order_id = cases.delivered_order(shop, 2)
    case_id = cases.opened(buyer, order_id, kind, **values)
    with transaction():
        service.reject(cases.owner(shop), case_id, "图片看不出问题")
    return buyer, order_id, case_id


def test_the_platform_decides_and_the_decision_carries_itself_out(db: Any) -> None:
    shop = market.make_shop(price_fen=1_000)
    judge = cases.operator()
    for outcome, status, paid in (("refund", states.REFUNDING, 1_000), ("return", states.SENDING, 0), ("compensate", states.REFUNDING, 300),
                                  ("dismiss", states.CLOSED, 0)):  # fmt: skip
        buyer, order_id, case_id = refused(shop)
        with transaction():
            service.escalate(buyer, case_id, "商家不认可质量问题", [cases.PICTURE])
        with transaction():
            service.give_evidence(cases.owner(shop), case_id, "出库照片完好", [cases.PICTURE])
        with transaction():
            service.decide(judge, case_id, outcome, "双方证据已核对", fault="merchant", amount_fen=300)
        row = row_of(db, case_id)
        assert (row.status, row.refund_fen) == (status, paid), outcome
        with pytest.raises(Conflict, match="case.state"), transaction():
            service.decide(judge, case_id, outcome, "再裁一次", fault="merchant", amount_fen=300)
    money.deliver()
    money.assert_proven()
    assert len(queries.picture_keys(case_id)) == 1, "the same picture of both sides is one file"


def test_goods_that_came_back_wrong_go_to_the_platform_with_the_exchange_still_held(db: Any) -> None:
    shop = market.make_shop(stock=4)
    buyer, order_id = cases.delivered_order(shop)
    case_id, judge = cases.sent_back(buyer, shop, order_id, states.EXCHANGE), cases.operator()
    with pytest.raises(Invalid, match="case.proof"), transaction():
        service.refuse_goods(cases.owner(shop), case_id, "已使用")
    with transaction():
        service.refuse_goods(cases.owner(shop), case_id, "已使用", [cases.PICTURE])
    assert stock_of(db, shop) == (3, 1)
    with transaction():
        service.escalate(buyer, case_id, "没有使用过")
    with transaction():
        service.decide(judge, case_id, "exchange", "痕迹为原有瑕疵", fault="merchant")
    assert row_of(db, case_id).status == states.SHIPPING
    with clock.travel(timedelta(hours=48)):
        run_timers()
    assert row_of(db, case_id).status == states.DISPUTED, "a merchant that does not send meets the platform again"
    with transaction():
        service.decide(judge, case_id, "refund", "商家未发出", fault="merchant")
    assert stock_of(db, shop) == (3, 0), "the held replacement is free"


def test_wrong_decisions_are_refused(db: Any) -> None:
    shop = market.make_shop()
    buyer, _, case_id = refused(shop)
    judge = cases.operator()
    with pytest.raises(Conflict, match="case.state"), transaction():
        service.decide(judge, case_id, "refund", "还没有介入", fault="merchant")
    with transaction():
        service.escalate(buyer, case_id, "商家不认可质量问题")
    for outcome, note, fault, amount, code in (
        ("refund", " ", "merchant", 0, "case.words"), ("gift", "理由充分", "merchant", 0, "case.outcome"),
        ("refund", "理由充分", "weather", 0, "case.fault"), ("compensate", "理由充分", "merchant", 0, "case.amount"),
        ("exchange", "理由充分", "merchant", 0, "case.outcome"),
    ):  # fmt: skip
        with pytest.raises(Invalid, match=code), transaction():
            service.decide(judge, case_id, outcome, note, fault=fault, amount_fen=amount)
    for who in (buyer, cases.owner(shop)):
        with pytest.raises(Forbidden), transaction():
            service.decide(who, case_id, "refund", "理由充分", fault="merchant")


def test_a_refusal_nobody_disputes_closes(db: Any) -> None:
    shop = market.make_shop()
    _, order_id, case_id = refused(shop)
    with clock.travel(timedelta(days=3)):
        run_timers()
    assert row_of(db, case_id).status == states.CLOSED
    assert db.get_one(Order, order_id).case_count == 0


def test_an_old_timer_does_nothing(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop)
    case_id = cases.opened(buyer, order_id)
    due = row_of(db, case_id).due_us
    with transaction():
        service.approve(cases.owner(shop), case_id)
    with clock.travel(timedelta(hours=25)), transaction():
        assert timers.expire(case_id, due) is False
    assert row_of(db, case_id).status == states.SENDING


def test_every_move_leads_somewhere_and_every_timer_is_allowed() -> None:
    """The table of moves: ended states end, every open one can end, timers only make listed moves."""
    starts = {a for a, _ in states.MOVES}
    assert not starts & set(states.ENDED)
    assert starts == set(states.OPEN)
    reach: dict[str, set[str]] = {status: {b for a, b in states.MOVES if a == status} for status in states.OPEN}
    for _ in states.STATUSES:
        reach = {a: found | {c for b in found for c in reach.get(b, set())} for a, found in reach.items()}
    assert all(found & set(states.ENDED) for found in reach.values())
    assert set(timers.TIMED) == set(timers._ENDS)


@pytest.mark.parametrize(("bad", "sampled", "above"), [(1, 10, False), (11, 100, True), (101, 1_000, True), (100, 1_000, False), (1, 9, True)])
def test_ten_per_cent_is_strict_and_in_integers(bad: int, sampled: int, above: bool) -> None:
    assert rules.is_bad(bad, sampled) is above
