"""Random interleavings of cases on orders; after each step money, units, books and stock are what the oracles say."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from app.aftersales import service, states
from app.aftersales.models import Case, FruitClaim
from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import release_session, session
from app.core.errors import AppError
from app.core.money import share_of
from app.core.tx import transaction
from app.inventory import queries as stock_queries
from app.orders import queries as orders
from app.orders import service as orders_service
from app.orders.models import LineBack, Order, OrderLine
from app.payments.models import Refund
from app.promotions import service as promotions
from app.promotions.models import Coupon
from app.settlement.models import OrderSplit
from app.settlement.queries import books
from app.settlement.service import release
from app.settlement.service.splitting import Units
from tests.factories import aftersales as cases
from tests.factories import market
from tests.factories import promotions as offers
from tests.integration.aftersales.test_other_kinds import fresh_shop
from tests.integration.settlement import money

_serial = count(1)
KINDS = st.sampled_from([
    (states.REFUND, "dont_want"), (states.REFUND, "quality"), (states.REFUND, "not_received"), (states.RETURN, "quality"),
    (states.RETURN, "quality"), (states.CLAIM, "missing"), (states.CLAIM, "bad_fruit"),
])  # fmt: skip


class Cases(RuleBasedStateMachine):
    """One fresh shop with an odd price and a coupon on every order; time only moves forward."""

    @initialize(price=st.integers(301, 3_999))
    def open(self, price: int) -> None:
        self.passed = timedelta(0)
        self.travelled = clock.travel(self.passed)
        self.travelled.__enter__()
        self.shop = fresh_shop(None, stock=500, price_fen=price)
        self.owner, self.judge, self.officer = cases.owner(self.shop), cases.operator(), money.finance()
        until = clock.now() + timedelta(days=360)
        self.coupon_rule = offers.start(
            "coupon", merchant_id=self.shop.merchant_id, tiers=((300, 101),), per_account=1, quantity=1_000, ends_at=until
        )
        self.orders: list[tuple[Any, int, int]] = []  # buyer, order, coupon
        self.before = money.platform("refund", "advance", "logistics")

    def attempt(self, verb: Any, *args: Any, **values: Any) -> Any:
        """Run a verb in a transaction; a refusal is an outcome like any other."""
        try:
            with transaction():
                return verb(*args, **values)
        except AppError:
            return None

    def pick(self, status: tuple[str, ...], index: int) -> Case | None:
        session.rollback()
        found = session.scalars(select(Case).where(Case.status.in_(status)).order_by(Case.id)).all()
        return found[index % len(found)] if found else None

    @rule(quantity=st.integers(1, 4))
    def buy(self, quantity: int) -> None:
        buyer, address_id = market.make_buyer()
        with transaction():
            coupon_id = promotions.claim(buyer, self.coupon_rule)
        trade_id = money.place_as(buyer, address_id, [(self.shop.sku_ids[0], quantity)])
        assert money.pay(buyer, trade_id) == ["paid"]
        self.orders.append((buyer, orders.orders_of_trade(trade_id)[0].id, coupon_id))

    @precondition(lambda self: self.orders)
    @rule(index=st.integers(0, 20), far=st.booleans())
    def ship(self, index: int, far: bool) -> None:
        _, order_id, _ = self.orders[index % len(self.orders)]
        self.attempt(orders_service.mark_shipped, SYSTEM, order_id)
        if far:
            with transaction():
                orders_service.mark_delivered(order_id)

    @precondition(lambda self: self.orders)
    @rule(index=st.integers(0, 20), kind=KINDS, quantity=st.integers(1, 3), amount=st.integers(1, 900))
    def ask_for(self, index: int, kind: tuple[str, str], quantity: int, amount: int) -> None:
        buyer, order_id, _ = self.orders[index % len(self.orders)]
        more = {"amount_fen": amount} if kind[0] == states.CLAIM else {}
        more |= {"sampled": 7, "bad": 1 + amount % 3} if kind[1] == "bad_fruit" else {}
        self.attempt(service.apply, buyer, order_id, cases.wanted(order_id, kind[0], kind[1], quantity, **more))

    @rule(index=st.integers(0, 20), what=st.sampled_from(["approve", "approve", "reject", "withdraw"]))
    def answer(self, index: int, what: str) -> None:
        case = self.pick((states.PENDING,), index)
        if case is None:
            return
        if what == "approve":
            self.attempt(service.approve, self.owner, case.id)
        elif what == "reject":
            self.attempt(service.reject, self.owner, case.id, "不认可")
        else:
            self.attempt(service.withdraw, self.buyer_of(case), case.id)

    def buyer_of(self, case: Case) -> Any:
        return next(buyer for buyer, order_id, _ in self.orders if order_id == case.order_id)

    @rule(index=st.integers(0, 20), good=st.integers(0, 3), bad=st.integers(0, 2))
    def bring_back(self, index: int, good: int, bad: int) -> None:
        case = self.pick((states.SENDING,), index)
        if case is not None:
            self.attempt(service.send_back, self.buyer_of(case), case.id, "中通快递", "123456789012")
            self.attempt(service.check, self.owner, case.id, good, bad)

    @rule(index=st.integers(0, 20), outcome=st.sampled_from(["refund", "compensate", "dismiss"]), amount=st.integers(1, 500))
    def dispute(self, index: int, outcome: str, amount: int) -> None:
        case = self.pick((states.REJECTED,), index)
        if case is not None:
            self.attempt(service.escalate, self.buyer_of(case), case.id, "不认可拒绝")
            self.attempt(service.decide, self.judge, case.id, outcome, "核对双方证据", fault="merchant", amount_fen=amount)

    @precondition(lambda self: self.orders)
    @rule(index=st.integers(0, 20), what=st.sampled_from(["cancel", "complete", "finance"]))
    def end(self, index: int, what: str) -> None:
        buyer, order_id, _ = self.orders[index % len(self.orders)]
        if what == "cancel":
            self.attempt(orders_service.cancel_paid, buyer, order_id, "不要了")
        elif what == "complete":
            self.attempt(orders_service.complete, buyer, order_id)
        else:
            unit = [Units(cases.line_of(order_id), 1)]
            self.attempt(release.refund, self.officer, order_id, unit, "协商", f"request-{next(_serial):06d}")

    @rule()
    def deliver(self) -> None:
        money.deliver()

    @rule(hours=st.sampled_from([1, 25, 80, 200]))
    def wait(self, hours: int) -> None:
        self.travelled.__exit__(None, None, None)
        self.passed += timedelta(hours=hours)
        self.travelled = clock.travel(self.passed)
        self.travelled.__enter__()
        with transaction():
            service.queue_due()
        money.release_all()

    @invariant()
    def nothing_beyond_what_was_bought(self) -> None:
        session.rollback()
        session.expire_all()
        for line, back, order in session.execute(
            select(OrderLine, LineBack, Order).join(LineBack, LineBack.id == OrderLine.id).join(Order, Order.id == OrderLine.order_id)
        ):
            held = session.scalars(select(Case).where(Case.line_id == line.id)).all()
            open_units = sum(c.quantity for c in held if c.status in states.OPEN and c.status != states.REFUNDING)
            assert back.case_units == open_units
            assert back.case_units + back.back_units <= line.quantity
            assert back.back_fen <= line.paid_fen
            claimed = sum(c.refund_fen for c in held if c.kind == states.CLAIM or not c.back_units)
            if not claimed:
                assert back.back_fen == share_of(line.paid_fen, line.quantity, 0, back.back_units), "F(j) of the frozen line"
            if back.back_units == line.quantity:
                assert back.back_fen == line.paid_fen, "all units back: all of it, however often and in whatever order"
            assert order.case_count == sum(1 for c in held if c.status in states.OPEN and c.status != states.REFUNDING)
            assert session.scalar(select(func.count(FruitClaim.id)).where(FruitClaim.line_id == line.id)) <= 1

    @invariant()
    def what_was_paid_out_is_what_the_orders_say(self, *, at_rest: bool = False) -> None:
        """A cancellation is noted at once and paid by its event; everything else is written with its fact."""
        for order in session.scalars(select(Order)):
            causes = [f"order:{order.id}", *(f"aftersale:{i}" for i in session.scalars(select(Case.id).where(Case.order_id == order.id)))]
            given = select(func.sum(Refund.amount_fen)).where(Refund.cause.in_(causes) | Refund.cause.startswith(f"refund:{order.id}:"))
            paid = session.scalar(given) or 0
            assert paid <= order.refunded_fen <= order.payable_fen
            assert paid == order.refunded_fen or (order.status == "cancelled" and not at_rest)

    @invariant()
    def stock_is_the_sum_of_its_movements(self) -> None:
        assert stock_queries.audit_columns() == []

    @invariant()
    def books_add_up(self) -> None:
        assert books.verify() == []
        if hasattr(self, "shop"):
            frozen = select(func.sum(OrderSplit.net_fen)).where(OrderSplit.merchant_id == self.shop.merchant_id, OrderSplit.status == "frozen")
            assert books.balances_of(self.shop.merchant_id)["frozen"] == (session.scalar(frozen) or 0)

    @invariant()
    def a_coupon_is_back_exactly_when_nothing_is_left_of_its_trade(self) -> None:
        for _, order_id, coupon_id in getattr(self, "orders", []):
            order = session.get_one(Order, order_id)
            left = sum(line.quantity for line in orders.lines_of([order_id])[order_id]) - sum(
                back.back_units for back in orders.backs_of([order_id]).values()
            )
            undone = order.status == "cancelled" or not left
            assert (session.get_one(Coupon, coupon_id).status == "used") is not undone

    def teardown(self) -> None:
        """At rest: every refund reached the buyer, no advance and no refund is owed, the merchant's part of undone orders is nothing."""
        if not hasattr(self, "shop"):
            return
        money.deliver()
        session.rollback()
        session.expire_all()
        assert not session.scalars(select(Case.id).where(Case.status == states.REFUNDING)).all()
        self.what_was_paid_out_is_what_the_orders_say(at_rest=True)
        assert {kind: money.moved(self.before).get(kind, 0) for kind in ("advance", "refund")} == {"advance": 0, "refund": 0}
        for split in session.scalars(select(OrderSplit)):
            order = session.get_one(Order, split.order_id)
            if order.refunded_fen == order.payable_fen and split.status != "released":
                assert (split.net_fen, split.status) == (0, "reversed")
        self.travelled.__exit__(None, None, None)
        with transaction():
            from tests import cleaning

            cleaning.clean()
        release_session()


@pytest.mark.timeout(290)
def test_random_interleavings_keep_the_oracles(db: Any) -> None:
    run_state_machine_as_test(
        Cases,
        settings=settings(
            max_examples=14, stateful_step_count=24, deadline=None, suppress_health_check=list(HealthCheck), database=None,
            phases=(Phase.generate,),
        ),
    )
