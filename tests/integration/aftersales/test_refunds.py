"""Refund-only and return with refund: money, stock, coupons and books end where they should."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.aftersales import queries, service, states
from app.aftersales.models import Case
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.inventory import queries as stock_queries
from app.inventory.models import Movement, Stock
from app.orders import queries as orders
from app.orders import service as orders_service
from app.orders.models import Order
from app.payments.models import Refund
from app.settlement.models import OrderSplit
from tests.factories import aftersales as cases
from tests.factories import market
from tests.integration.settlement import money


def case_row(db: Any, case_id: int) -> Case:
    db.rollback()
    db.expire_all()
    return db.get_one(Case, case_id)


def on_hand(db: Any, shop: market.Shop, variant: int = 0) -> tuple[int, int]:
    """(on hand, allocated) of a variant."""
    db.rollback()
    row = db.execute(select(Stock.on_hand, Stock.allocated).where(Stock.sku_id == shop.sku_ids[variant])).one()
    return row.on_hand, row.allocated


def refunds_of(db: Any, case_id: int) -> list[int]:
    db.rollback()
    return list(db.scalars(select(Refund.amount_fen).where(Refund.cause == f"aftersale:{case_id}")))


def test_units_of_an_unshipped_order_go_back_and_the_last_one_cancels_it(db: Any) -> None:
    shop = market.make_shop(stock=10, price_fen=1_000)
    buyer, order_id = money.paid_order(shop, 3)
    money.deliver()
    assert on_hand(db, shop) == (10, 3)
    first = cases.opened(buyer, order_id, states.REFUND, "dont_want", 1, files=())
    with pytest.raises(Conflict, match="order.not_shippable"), transaction():
        orders_service.mark_shipped(cases.owner(shop), order_id)
    with transaction():
        service.approve(cases.owner(shop), first)
    assert on_hand(db, shop) == (10, 2)
    assert case_row(db, first).refund_fen == 1_000
    assert db.get_one(Order, order_id).hold == "-"
    money.deliver()
    assert case_row(db, first).status == states.DONE
    second = cases.opened(buyer, order_id, states.REFUND, "late", 2, files=())
    with transaction():
        service.approve(cases.owner(shop), second)
    money.deliver()
    row = case_row(db, second)
    assert (row.status, row.refund_fen, row.freight_fen) == (states.DONE, 2_500, 500)
    order = db.get_one(Order, order_id)
    assert (order.status, order.refunded_fen, order.case_count) == ("cancelled", 3_500, 0)
    assert on_hand(db, shop) == (10, 0)
    assert money.balances(shop)["frozen"] == 0
    assert db.scalar(select(OrderSplit.status).where(OrderSplit.order_id == order_id)) == "reversed"
    assert stock_queries.audit_columns() == []
    money.assert_proven()


def test_a_return_is_refunded_after_its_inspection_and_restocks_what_is_good(db: Any) -> None:
    shop = market.make_shop(stock=10, price_fen=1_000)
    buyer, order_id = cases.delivered_order(shop, 3, completed=True)
    money.deliver()
    assert on_hand(db, shop) == (7, 0)
    case_id = cases.sent_back(buyer, shop, order_id, quantity=2)
    assert refunds_of(db, case_id) == [], "nothing is paid before the goods were seen"
    with transaction():
        service.check(cases.owner(shop), case_id, 1, 1, "一件变质")
    row = case_row(db, case_id)
    assert (row.status, row.back_units, row.good_units, row.scrap_units, row.refund_fen) == (states.REFUNDING, 2, 1, 1, 2_000)
    assert on_hand(db, shop) == (8, 0), "only the good unit is on sale again"
    kinds = set(db.scalars(select(Movement.kind).where(Movement.cause_type == "return", Movement.cause_id == case_id)))
    assert kinds == {"return_good", "return_bad"}
    with pytest.raises(Conflict, match="case.state"), transaction():
        service.check(cases.owner(shop), case_id, 2, 0)
    money.deliver()
    assert case_row(db, case_id).status == states.DONE
    assert refunds_of(db, case_id) == [2_000]
    assert stock_queries.audit_columns() == []
    money.assert_proven()


def test_only_what_came_back_is_refunded_and_the_rest_may_be_asked_for_again(db: Any) -> None:
    shop = market.make_shop(price_fen=1_000)
    buyer, order_id = cases.delivered_order(shop, 3)
    case_id = cases.sent_back(buyer, shop, order_id, quantity=3)
    with transaction():
        service.check(cases.owner(shop), case_id, 2, 0, "少一件")
    row = orders.backs_of([order_id])[cases.line_of(order_id)]
    assert (row.case_units, row.back_units, row.back_fen) == (0, 2, 2_000)
    assert cases.opened(buyer, order_id, quantity=1)
    with pytest.raises(Conflict, match="line.units"):
        cases.opened(buyer, order_id, quantity=1)


@pytest.mark.parametrize("sequence", [(1, 1, 1), (2, 1), (1, 2), (3,)])
def test_any_sequence_of_returns_ends_at_exactly_what_was_paid(db: Any, sequence: tuple[int, ...]) -> None:
    """1,990 does not divide by three with a coupon; here the odd price does it: F telescopes."""
    shop = market.make_shop(price_fen=3_337, free_over_fen=5_000)
    buyer, order_id = cases.delivered_order(shop, 3)
    money.deliver()
    line = orders.lines_of([order_id])[order_id][0]
    with transaction():
        orders_service.compensate(line.id, 1)  # an odd remainder to share
    done = 0
    for number in sequence:
        case_id = cases.sent_back(buyer, shop, order_id, quantity=number)
        with transaction():
            service.check(cases.owner(shop), case_id, number, 0)
        done += case_row(db, case_id).refund_fen
    assert done == line.paid_fen - 1
    assert orders.backs_of([order_id])[line.id].back_fen == line.paid_fen


def test_freight_goes_back_with_the_whole_order_when_the_merchant_is_at_fault(db: Any) -> None:
    shop = market.make_shop(price_fen=1_000)
    for reason, freight in (("quality", 500), ("no_reason", 0)):
        buyer, order_id = cases.delivered_order(shop, 2)
        first = cases.sent_back(buyer, shop, order_id, reason=reason)
        with transaction():
            service.check(cases.owner(shop), first, 1, 0)
        assert case_row(db, first).freight_fen == 0, "a unit is still with the buyer"
        second = cases.sent_back(buyer, shop, order_id, reason=reason)
        with transaction():
            service.check(cases.owner(shop), second, 1, 0)
        assert case_row(db, second).freight_fen == freight
        money.deliver()
        db.rollback()
        assert db.get_one(Order, order_id).refunded_fen == 2_000 + freight
    money.assert_proven()


def test_a_pickup_is_paid_by_who_is_at_fault(db: Any) -> None:
    from app.aftersales.service.applying import slots

    shop = market.make_shop(price_fen=1_000)
    money.deliver()  # the shop's first year is free of commission from here on

    for reason, refunded, merchant in (("quality", 1_000, -800), ("no_reason", 200, 0)):
        before = money.platform("logistics", "refund")
        buyer, order_id = cases.delivered_order(shop, 2)
        money.deliver()
        frozen = money.balances(shop)["frozen"]
        case_id = cases.opened(buyer, order_id, reason=reason, method=states.PICKUP, slot=slots()[0])
        with transaction():
            service.approve(cases.owner(shop), case_id)
        assert case_row(db, case_id).status == states.COLLECTING
        with transaction():
            service.collected(cases.owner(shop), case_id, "", "LZ20261125001")
        with transaction():
            service.check(cases.owner(shop), case_id, 1, 0)
        money.deliver()
        row = case_row(db, case_id)
        assert (row.refund_fen, row.buyer_fee_fen + row.merchant_fee_fen) == (refunded, 800)
        assert money.moved(before) == {"logistics": 800}
        assert money.balances(shop)["frozen"] == frozen - 1_000 + merchant, "a unit, and the pickup by fault"
    money.assert_proven()


def test_a_return_after_the_release_is_taken_from_the_balance_or_owed(db: Any) -> None:
    shop = market.make_shop(price_fen=1_000)
    buyer, order_id = money.released_order(shop, 2)
    with transaction():
        from app.settlement.service import ledger

        # The merchant has drawn all but one yuan.
        drawn = money.books.balances_of(shop.merchant_id)["payable"] - 100
        ledger.post("payout", f"test:{order_id}", (ledger.Line("payable", drawn, shop.merchant_id), ledger.Line("custody", -drawn)))
    case_id = cases.sent_back(buyer, shop, order_id)
    with transaction():
        service.check(cases.owner(shop), case_id, 1, 0)
    money.deliver()
    found = money.balances(shop)
    assert (found["payable"], found["receivable"]) == (0, 850), "950 of the unit was the merchant's, one yuan is left of it"
    assert case_row(db, case_id).status == states.DONE
    money.assert_proven()


def test_an_open_case_stops_release_and_confirmation(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop, completed=True)
    money.deliver()
    case_id = cases.opened(buyer, order_id)
    with money.releasing():
        money.release_all()
        assert money.balances(shop)["payable"] == 0, "disputed money stays frozen"
        with transaction():
            service.withdraw(buyer, case_id)
        money.release_all()
        assert money.balances(shop)["payable"] > 0
    money.assert_proven()


def test_an_order_with_an_open_case_cannot_be_cancelled(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = money.paid_order(shop, 2)
    case_id = cases.opened(buyer, order_id, states.REFUND, "dont_want", files=())
    with pytest.raises(Conflict, match="order.in_case"), transaction():
        orders_service.cancel_paid(buyer, order_id, "不要了")
    with transaction():
        service.approve(cases.owner(shop), case_id)
    with transaction():
        orders_service.cancel_paid(buyer, order_id, "不要了")
    money.deliver()
    db.rollback()
    order = db.get_one(Order, order_id)
    assert (order.status, order.refunded_fen) == ("cancelled", order.payable_fen)
    assert money.balances(shop)["frozen"] == 0
    assert on_hand(db, shop) == (10, 0)
    money.assert_proven()


def test_events_in_the_wrong_order_and_twice_change_nothing(db: Any) -> None:
    """The cancellation reaches the books before the case's refund, and each is delivered again."""
    from app.aftersales.events import UnitsRefunded
    from app.core.jobs import Job
    from app.orders.events import OrderCancelled
    from app.settlement import handlers

    shop = market.make_shop(price_fen=1_237)
    before = money.platform("advance", "refund", "fee")
    buyer, order_id = money.paid_order(shop, 3)
    case_id = cases.opened(buyer, order_id, states.REFUND, "dont_want", files=())
    with transaction():
        service.approve(cases.owner(shop), case_id)
    with transaction():
        orders_service.cancel_paid(buyer, order_id, "不要了")
    found = {
        name: db.scalars(select(Job.payload).where(Job.name == f"settlement.{name}")).all()
        for name in ("on_order_cancelled", "on_units_refunded")
    }  # fmt: skip
    assert [len(v) for v in found.values()] == [1, 1]
    for _ in range(2):
        with transaction():
            handlers.on_order_cancelled(OrderCancelled(**found["on_order_cancelled"][0]))
        with transaction():
            handlers.on_units_refunded(UnitsRefunded(**found["on_units_refunded"][0]))
    money.deliver()
    assert money.balances(shop)["frozen"] == 0
    assert money.moved(before) == {}
    money.assert_proven()


def test_a_finance_refund_and_a_case_never_give_a_unit_twice(db: Any) -> None:
    from app.settlement.service import release
    from app.settlement.service.splitting import Units

    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop, 2)
    money.deliver()
    cases.opened(buyer, order_id)
    line, officer = cases.line_of(order_id), money.finance()
    with transaction():
        assert release.refund(officer, order_id, [Units(line, 1)], "协商", "request-a") == 1_990
    with pytest.raises(Conflict, match="line.units"), transaction():
        release.refund(officer, order_id, [Units(line, 1)], "协商", "request-b")


def test_one_request_key_is_one_case(db: Any) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop, 2)
    wanted = cases.wanted(order_id)
    with transaction():
        first = service.apply(buyer, order_id, wanted)
    with transaction():
        assert service.apply(buyer, order_id, wanted) == first


def test_strangers_find_nothing(db: Any) -> None:
    shop, other = market.make_shop(), market.make_shop()
    buyer, order_id = cases.delivered_order(shop)
    case_id = cases.opened(buyer, order_id)
    stranger, _ = market.make_buyer()
    for who in (stranger, cases.owner(other)):
        with pytest.raises(NotFound):
            queries.get_for(who, case_id)
    with pytest.raises(NotFound), transaction():
        service.apply(stranger, order_id, cases.wanted(order_id))
    with pytest.raises(NotFound), transaction():
        service.approve(cases.owner(other), case_id)
    with pytest.raises(Conflict, match="case.side"), transaction():
        service.approve(buyer, case_id)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"kind": "gift"}, "case.kind"),
        ({"reason": "because"}, "case.reason"),
        ({"kind": "repair", "reason": "no_reason"}, "case.reason"),
        ({"quantity": 0}, "line.units"),
        ({"quantity": 3}, "line.units"),
        ({"files": ()}, "case.proof"),
        ({"files": (b"not a picture",)}, "picture.type"),
        ({"files": (cases.PICTURE,) * 7}, "case.pictures"),
        ({"method": "pigeon"}, "case.method"),
        ({"method": "pickup", "slot": "2020-01-01 09:00–12:00"}, "case.slot"),
        ({"description": "长" * 501}, "case.words"),
        ({"request_key": "x"}, "case.key"),
        ({"reason": "dont_want", "kind": "refund"}, "case.unsent"),
        ({"kind": "exchange", "new_sku_id": 4711}, "case.replacement"),
        ({"kind": "claim", "amount_fen": 0}, "case.amount"),
        ({"kind": "claim", "amount_fen": 10**9}, "case.amount"),
        ({"kind": "claim", "reason": "bad_fruit", "sampled": 10, "bad": 5}, "case.not_fresh"),
    ],
)
def test_wrong_applications_are_refused_by_name(db: Any, values: dict[str, Any], code: str) -> None:
    shop = market.make_shop()
    buyer, order_id = cases.delivered_order(shop, 2)
    with pytest.raises((Invalid, Conflict), match=code), transaction():
        service.apply(buyer, order_id, cases.wanted(order_id, **values))
    db.rollback()
    assert db.scalar(select(Case.id).where(Case.order_id == order_id)) is None
