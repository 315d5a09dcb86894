"""Random histories of money: whatever is ordered, paid, refunded, released, paid out and reconciled, the books add up (oracles c d f j)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from app.core import clock, events
from app.core.db import release_session, session
from app.core.errors import AppError
from app.core.jobs import Job
from app.core.tx import transaction
from app.orders import service as orders_service
from app.orders.models import Order
from app.payments import bills as simulator_bills
from app.payments.events import PaymentReceived, PaymentRefunded, StrayPaymentReceived
from app.payments.models import Refund
from app.settlement.models import Account, OrderSplit, Payout, ReconCase, Statement
from app.settlement.queries import books, statements
from app.settlement.service import bills, cases, closing, deposits, payouts, rates, release, splitting
from app.settlement.service.splitting import Units
from tests.factories import market
from tests.integration.settlement import money

EVENTS = (PaymentReceived, StrayPaymentReceived, PaymentRefunded)
_offset = [900]


class Money(RuleBasedStateMachine):
    """One shop with odd prices; time only moves forward, in days."""

    @initialize(fee=st.integers(0, 2_000), promoter=st.integers(0, 500), carrier=st.booleans())
    def open(self, fee: int, promoter: int, carrier: bool) -> None:
        _offset[0] += 3_000  # days of its own: vouchers outlive the example
        self.travelled = clock.travel(timedelta(days=_offset[0]))
        self.travelled.__enter__()
        self.shop = market.make_shop(stock=10_000, price_fen=1_237)
        self.owner = money.with_bank(self.shop)
        self.first, self.second = money.finance("甲"), money.finance("乙")
        with transaction():
            rates.save(
                self.first, rates.RateInput(1, fee, promoter, 33, "carrier" if carrier else "merchant", self.shop.merchant_id)
            )
        self.paid: list[tuple[Any, int]] = []
        self.done: list[int] = []
        self.keys = 0
        self.before = money.platform("channel", "custody", "channel_fee", "suspense", "refund", "advance")

    def key(self) -> str:
        self.keys += 1
        return f"request-{_offset[0]}-{self.keys:04d}"

    def attempt(self, verb: Any, *args: Any) -> Any:
        """Run a verb in a transaction; a refusal is an outcome like any other."""
        try:
            with transaction():
                return verb(*args)
        except AppError:
            return None

    @rule(quantity=st.integers(1, 5))
    def buy(self, quantity: int) -> None:
        self.paid.append(money.paid_order(self.shop, quantity))

    @rule(outcome=st.sampled_from(["wrong_amount", "duplicate", "failed"]))
    def pay_oddly(self, outcome: str) -> None:
        buyer, address_id = market.make_buyer()
        money.pay(buyer, money.place(buyer, address_id, [(self.shop.sku_ids[0], 1)]), outcome)

    @rule()
    def deliver(self) -> None:
        money.deliver()

    @precondition(lambda self: self.paid)
    @rule(index=st.integers(0, 50))
    def cancel(self, index: int) -> None:
        buyer, order_id = self.paid.pop(index % len(self.paid))
        self.attempt(orders_service.cancel_paid, buyer, order_id, "不要了")

    @precondition(lambda self: self.paid)
    @rule(index=st.integers(0, 50))
    def complete(self, index: int) -> None:
        buyer, order_id = self.paid.pop(index % len(self.paid))
        money.complete(buyer, order_id)
        self.done.append(order_id)

    @precondition(lambda self: self.done)
    @rule(index=st.integers(0, 50), count=st.integers(1, 4), freight=st.booleans())
    def refund(self, index: int, count: int, freight: bool) -> None:
        order_id = self.done[index % len(self.done)]
        with transaction():
            splitting.ensure_split(order_id)
        units = [Units(line.line_id, 1 if freight else count) for line in splitting.lines_of(order_id) if (line.line_id == 0) == freight]
        self.attempt(release.refund, self.first, order_id, units, "质量", self.key())

    @rule(days=st.integers(1, 12))
    def wait(self, days: int) -> None:
        self.travelled.__exit__(None, None, None)
        _offset[0] += days
        self.travelled = clock.travel(timedelta(days=_offset[0]))
        self.travelled.__enter__()
        money.release_all()

    @rule(fen=st.integers(1_000, 9_000))
    def claim(self, fen: int) -> None:
        self.attempt(payouts.request, self.owner, fen, self.key())

    @rule(end=st.sampled_from(["paid", "failed", "reject", "withdraw"]))
    def finish_payout(self, end: str) -> None:
        row = session.scalar(select(Payout.id).where(Payout.status.in_(("requested", "approved"))).limit(1))
        if row is None:
            return
        if end == "withdraw":
            self.attempt(payouts.withdraw, self.owner, row)
        elif end == "reject":
            self.attempt(payouts.reject, self.first, row, "驳回")
        else:
            self.attempt(payouts.approve, self.first, row)
            verb = payouts.confirm_paid if end == "paid" else payouts.confirm_failed
            self.attempt(verb, self.second, row, "HD-9")

    @rule(fen=st.integers(1, 3_000))
    def deposit(self, fen: int) -> None:
        self.attempt(deposits.pay_from_balance, self.owner, fen, self.key())

    @rule()
    def offset(self) -> None:
        self.attempt(deposits.offset, self.first, self.shop.merchant_id, self.key())

    @rule(back=st.integers(1, 3), differences=st.booleans())
    def reconcile(self, back: int, differences: bool) -> None:
        money.deliver()
        day = clock.business_date() - timedelta(days=back)
        lines = list(simulator_bills.daily_bill(day, differences=differences))
        self.attempt(bills.import_bill, self.first, "simulator", day, lines)
        money.deliver()

    @rule()
    def resolve(self) -> None:
        row = session.scalar(select(ReconCase.id).where(ReconCase.status == "open").limit(1))
        if row is not None:
            self.attempt(cases.take, self.first, row)
            self.attempt(cases.resolve, self.first, row, "suspense", "先挂账")

    @rule()
    def redeliver(self) -> None:
        """Every event of money again: no second effect."""
        money.deliver()
        for event_type in EVENTS:
            name = next(n for n in events.handlers_of(event_type) if n.startswith("settlement."))
            for payload in session.scalars(select(Job.payload).where(Job.name == name)).all():
                money.redeliver(name.removeprefix("settlement."), event_type(**payload))

    @invariant()
    def books_add_up(self) -> None:
        session.rollback()
        assert books.verify() == []

    @invariant()
    def frozen_is_what_the_orders_say(self) -> None:
        if hasattr(self, "shop"):
            wanted = OrderSplit.merchant_id == self.shop.merchant_id, OrderSplit.status == "frozen"
            assert books.balances_of(self.shop.merchant_id)["frozen"] == (session.scalar(select(func.sum(OrderSplit.net_fen)).where(*wanted)) or 0)

    @invariant()
    def transit_is_what_the_payouts_say(self) -> None:
        if hasattr(self, "shop"):
            open_ = select(func.sum(Payout.amount_fen)).where(Payout.status.in_(("requested", "approved")))
            assert books.balances_of(self.shop.merchant_id)["transit"] == (session.scalar(open_) or 0)

    def teardown(self) -> None:
        """At rest: no advance, no refund owed, what is left on the channel is what no bill named and no case booked; months reconcile."""
        if not hasattr(self, "shop"):
            return
        money.deliver()
        left = {kind: money.moved(self.before).get(kind, 0) for kind in ("advance", "refund")}
        assert left == {"advance": 0, "refund": 0}
        for order_id, refunded in session.execute(select(Order.id, Order.refunded_fen)).all():
            given = select(func.sum(Refund.amount_fen)).where((Refund.cause == f"order:{order_id}") | Refund.cause.startswith(f"refund:{order_id}:"))
            assert (session.scalar(given) or 0) == refunded
        self._close_months()
        self.travelled.__exit__(None, None, None)
        with transaction():
            from tests import cleaning

            cleaning.clean()
        release_session()

    def _close_months(self) -> None:
        with clock.travel(timedelta(days=32)):
            with transaction():
                closing.plan()
            money.deliver()
            rows = session.scalars(
                select(Statement).where(Statement.merchant_id == self.shop.merchant_id).order_by(Statement.month_no)
            ).all()
            for earlier, later in zip(rows, rows[1:], strict=False):
                assert earlier.closing_fen == later.opening_fen
            owned = select(func.sum(Account.balance_fen)).where(Account.owner_id == self.shop.merchant_id)
            if rows:
                assert rows[-1].closing_fen == -int(session.scalar(owned) or 0)
                totals = statements.totals_of(rows[-1])
                assert all(a.opening + a.increase - a.decrease == a.closing for a in totals.accounts)


@pytest.mark.timeout(280)
def test_random_histories_add_up(db: Any) -> None:
    run_state_machine_as_test(
        Money,
        settings=settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None),
    )
