"""The books of the platform, read from the database: what must hold whatever was killed when."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update

from app.core import clock, jobs, periodic
from app.core.db import release_session, session
from app.core.idempotency import IdempotencyKey
from app.core.tx import retry_conflicts, transaction
from app.inventory import queries as inventory
from app.inventory.models import Reservation, Stock
from app.orders.models import Order, OrderEvent, OrderLine, Trade
from app.payments import channels, simulator
from app.payments import queries as payments
from app.payments.models import ChannelNotice, PaymentAttempt, PaymentIntent, Refund
from app.payments.service import receipt_cause
from app.supervision.models import DailyRollup
from tests.processes.crowd import Told
from tests.processes.platform import until

RESERVED = {"unpaid": "active", "paid": "consumed", "cancelled": "released"}


def settle() -> None:
    """Make late notices due now, then wait until the job workers have nothing left but their periodic jobs."""

    def bring_forward() -> None:
        with transaction():
            late = (jobs.Job.name == simulator.DELIVER_JOB, jobs.Job.status == jobs.QUEUED)
            session.execute(update(jobs.Job).where(*late).values(due_at=clock.now()).execution_options(synchronize_session=False))

    retry_conflicts(bring_forward)
    until(lambda: not waiting(), "every job is done", 150, every=0.3, tell=waiting)


def waiting(*, due: bool = False) -> list[tuple[str, str, str | None]]:
    """Return (name, status, error) of jobs that are neither done nor periodic. due: leave out those whose time is to come."""
    regular = {declared.name for declared in periodic.declared()} | {"probe.tick"}
    release_session()
    statement = select(jobs.Job.name, jobs.Job.status, jobs.Job.last_error).where(jobs.Job.status.in_((jobs.QUEUED, jobs.RUNNING)))
    if due:
        statement = statement.where(jobs.Job.due_at <= clock.now())
    found = [(row.name, row.status, row.last_error) for row in session.execute(statement) if row.name not in regular]
    release_session()
    return found


def expire_all() -> None:
    """Let the time of every unpaid trade run out and wait for the platform to close them."""

    def run_out() -> None:
        with transaction():
            past = clock.now() - timedelta(seconds=1)
            session.execute(update(Trade).where(Trade.status == "unpaid").values(expires_at=past).execution_options(synchronize_session=False))

    def closed() -> bool:
        release_session()
        return not session.scalar(select(func.count()).select_from(Trade).where(Trade.status == "unpaid"))

    retry_conflicts(run_out)
    until(closed, "unpaid trades are closed", 150, every=0.3)
    settle()


def check(told: list[Told]) -> Counter[str]:
    """Check everything; returns how many trades there are of each status."""
    release_session()
    trades = {trade.id: trade for trade in session.scalars(select(Trade))}
    orders: dict[int, list[Order]] = defaultdict(list)
    for order in session.scalars(select(Order)):
        orders[order.trade_id].append(order)
    _check_shape(trades, orders)
    _check_told(trades, orders, told)
    _check_timeline([order for group in orders.values() for order in group])
    _check_stock()
    _check_money(trades)
    _check_rollup(orders)
    parked = session.scalars(select(jobs.Job.name).where(jobs.Job.status == jobs.PARKED)).all()
    assert not parked, f"parked: {parked}"
    return Counter(trade.status for trade in trades.values())


def _check_shape(trades: dict[int, Trade], orders: dict[int, list[Order]]) -> None:
    """Every trade is whole: orders of its own status, sums that agree, one key, reservations as its status says."""
    assert set(orders) == set(trades), "every trade has orders, every order its trade"
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in session.scalars(select(OrderLine)):
        lines[line.order_id].append(line)
    held = {r.line_id: r for r in session.scalars(select(Reservation))}
    assert sum(len(group) for group in lines.values()) == len(held), "one reservation for each line"
    for trade_id, trade in trades.items():
        group = orders[trade_id]
        assert trade.payable_fen == sum(order.payable_fen for order in group), trade.trade_no
        assert {order.status for order in group} == {trade.status}, trade.trade_no
        assert len({order.merchant_id for order in group}) == len(group), "one order for each merchant"
        for order in group:
            mine = lines.pop(order.id)
            assert order.goods_fen == sum(line.paid_fen for line in mine), order.order_no
            assert order.item_count == sum(line.quantity for line in mine), order.order_no
            for line in mine:
                kept = held[line.id]
                assert (kept.quantity, kept.state) == (line.quantity, RESERVED[order.status]), order.order_no
    assert not lines, "no line without its order"
    keys = session.scalars(select(IdempotencyKey.result).where(IdempotencyKey.scope.like("place:%"))).all()
    assert sorted(int(result["trade_id"]) for result in keys) == sorted(trades), "one key for each trade and no other"


def _check_told(trades: dict[int, Trade], orders: dict[int, list[Order]], told: list[Told]) -> None:
    """What a buyer was told exists as he ordered it, and one submission made one trade."""
    by_number = {trade.trade_no: trade for trade in trades.values()}
    missing = [t.trade_no for t in told if t.trade_no not in by_number]
    assert not missing, f"confirmed to the buyer and not there: {missing}"
    assert len({t.trade_no for t in told}) == len(told), "two submissions never share a trade"
    statement = select(IdempotencyKey.key, IdempotencyKey.result).where(IdempotencyKey.scope.like("place:%"))
    made = {row.key: int(row.result["trade_id"]) for row in session.execute(statement)}
    for t in told:
        assert made[t.key] == by_number[t.trade_no].id, t.trade_no
    wanted = {t.trade_no: dict(t.basket.picked) for t in told if t.basket.picked}
    bought: dict[str, dict[int, int]] = defaultdict(dict)
    of_order = {order.id: trades[order.trade_id].trade_no for group in orders.values() for order in group}
    for line in session.scalars(select(OrderLine)):
        bought[of_order[line.order_id]][line.sku_id] = line.quantity
    differing = [number for number, picked in wanted.items() if len(picked) == 1 and bought[number] != picked]
    assert not differing, f"not what was ordered: {differing}"


def _check_timeline(orders: list[Order]) -> None:
    """Each order was placed once, and paid or cancelled at most once, as its status says."""
    kinds: dict[int, Counter[str]] = defaultdict(Counter)
    for order_id, kind in session.execute(select(OrderEvent.order_id, OrderEvent.kind)):
        kinds[order_id][kind] += kind != "case"  # money that came twice is also a case of finance's
    for order in orders:
        expected = Counter(placed=1) + Counter({order.status: 1} if order.status != "unpaid" else {})
        assert kinds[order.id] == expected, f"{order.order_no}: {kinds[order.id]}"
    assert len(kinds) == len(orders), "no timeline without an order"


def _check_stock() -> None:
    """Columns are the sums of the ledger, nothing is negative, and what is held is what orders hold."""
    assert inventory.audit_columns() == []
    states = session.execute(select(Reservation.stock_id, Reservation.state, func.sum(Reservation.quantity)).group_by(
        Reservation.stock_id, Reservation.state)).all()  # fmt: skip
    held = {(stock_id, state): int(units) for stock_id, state, units in states}
    for stock in session.scalars(select(Stock)):
        free = stock.on_hand - stock.allocated - stock.reserved - stock.quota_held
        assert min(stock.on_hand, stock.allocated, stock.reserved, stock.quota_held, free) >= 0, stock.id
        assert stock.reserved == held.get((stock.id, "active"), 0), stock.id
        assert stock.allocated == held.get((stock.id, "consumed"), 0), stock.id


def _check_money(trades: dict[int, Trade]) -> None:
    """Every fen a channel reported stays with a paid trade or goes back, exactly once."""
    assert payments.unsettled() == []
    refunds = list(session.scalars(select(Refund)))
    assert {refund.status for refund in refunds} <= {"done"}
    trade_of = dict(
        session.execute(
            select(PaymentAttempt.payment_no, PaymentIntent.trade_id).join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
        ).tuples().all()
    )
    received: dict[int, dict[str, int]] = defaultdict(dict)
    caused: set[str] = set()
    for row in session.scalars(select(ChannelNotice)):
        notice = channels.parse(row.body.encode())
        if notice.result == "paid":
            received[trade_of[notice.payment_no]][notice.channel_txn] = notice.amount_fen
        if row.state == "refunded":
            caused.add(receipt_cause(row.channel, notice.channel_txn))
    assert {refund.cause for refund in refunds} == caused, "a refund for each receipt that could not be kept, and no other"
    attempts = dict(session.execute(select(PaymentAttempt.id, PaymentIntent.trade_id).join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)).tuples().all())
    returned: Counter[int] = Counter()
    for refund in refunds:
        returned[attempts[refund.attempt_id]] += refund.amount_fen
    for trade in trades.values():
        kept = sum(received[trade.id].values()) - returned[trade.id]
        assert kept == (trade.payable_fen if trade.status == "paid" else 0), f"{trade.trade_no}: {kept} fen kept, {trade.status}"


def _check_rollup(orders: dict[int, list[Order]]) -> None:
    """The authority's sums count each paid order once: the event reached its handler exactly once in effect."""
    paid = [order for group in orders.values() for order in group if order.status == "paid"]
    row: Any = session.execute(select(func.sum(DailyRollup.paid_fen), func.sum(DailyRollup.order_count))).one()
    assert (int(row[0] or 0), int(row[1] or 0)) == (sum(order.payable_fen for order in paid), len(paid))
