"""The steps that call a channel, each between two short transactions: announce, ask, close, refund (commerce.md §2.7, §4 no. 4).

Whatever a step leaves open is found again by asking: a job asks with growing pauses until the outcome is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import select

from app.core import cas, clock, jobs, runtime
from app.core.db import session
from app.core.errors import Upstream
from app.core.tx import retry_conflicts, transaction
from app.orders.models import Trade
from app.payments import channels, refunding, service
from app.payments.channels.values import ChannelRefused, Notice, Payable, Started
from app.payments.models import PaymentAttempt, PaymentIntent

log = structlog.get_logger(__name__)
T = TypeVar("T")
ASK_AFTER_S = (15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800)
GRACE = timedelta(minutes=10)
BATCH = 100


def committed(work: Callable[[], T]) -> T:
    """Run work in a transaction of its own, again on a conflict."""

    def once() -> T:
        with transaction():
            return work()

    return retry_conflicts(once)


def begin(payment_no: str, scene: str, client_address: str, return_url: str, payer_id: str = "") -> Started:
    """Announce an attempt at its channel and keep what the buyer needs; an announced one shows what it has.

    Raises what the channel's `create` raises; the attempt stays and is asked about.
    """
    attempt, trade = _of(payment_no)
    if attempt.status == "pending" and attempt.pay_value:
        return Started(attempt.pay_kind, attempt.pay_value)
    mine = runtime.current().settings.payment
    expires_at = max(trade.expires_at - timedelta(seconds=mine.channel_expiry_s), clock.now() + timedelta(seconds=60))
    client = channels.get(attempt.channel)
    payable = Payable(
        attempt.payment_no, attempt.amount_fen, f"{runtime.current().settings.site.name}订单 {trade.trade_no}", expires_at,
        f"{mine.public_url.rstrip('/')}/api/payments/{attempt.channel}/notices", scene if scene in client.scenes else client.scenes[0],
        client_address, payer_id, return_url,
    )  # fmt: skip
    attempt_id = attempt.id
    started = client.create(payable)
    values = {"status": "pending", "pay_kind": started.kind, "pay_value": started.value}
    committed(lambda: cas.change(PaymentAttempt, attempt_id, where={"status": "created"}, values=values))
    return started


def _of(payment_no: str) -> tuple[PaymentAttempt, Trade]:
    return session.execute(
        select(PaymentAttempt, Trade)
        .join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
        .join(Trade, Trade.id == PaymentIntent.trade_id)
        .where(PaymentAttempt.payment_no == payment_no)
    ).one()._tuple()  # fmt: skip


def ask(attempt_id: int) -> str:
    """Ask the channel about an attempt whose outcome is open, and apply what it says; returns the attempt's status afterwards."""
    attempt = session.get_one(PaymentAttempt, attempt_id)
    channel, payment_no, status = attempt.channel, attempt.payment_no, attempt.status
    if status not in service.PAYABLE or not channels.switched_on(channel):
        return status
    state = channels.get(channel).query(payment_no)
    if state.state == "paid":
        notice = Notice(f"Q{payment_no}-{state.channel_txn}"[:64], payment_no, state.amount_fen, "paid", state.channel_txn)
        row_id = committed(lambda: service.store_notice(channel, notice, notice.dump().encode()))
        committed(lambda: service.apply_notice(row_id))
        return "succeeded"
    if state.state in {"closed", "failed"}:
        _end(attempt_id, state.state)
        return state.state
    return status


def _end(attempt_id: int, status: str) -> None:
    values = {"status": status, "finished_at": clock.now()}
    committed(lambda: cas.change(PaymentAttempt, attempt_id, where={"status": service.PAYABLE}, values=values))


def ask_again(attempt_id: int, n: int) -> None:
    """Job: ask, and while the outcome is open ask again later, with growing pauses, for a day."""
    problem: Upstream | None = None
    try:
        status = ask(attempt_id)
    except Upstream as error:
        status, problem = "pending", error
    if status not in service.PAYABLE or n >= len(ASK_AFTER_S):
        if problem is not None:
            raise problem
        return
    due = clock.now() + timedelta(seconds=ASK_AFTER_S[n])
    payload = {"attempt_id": attempt_id, "n": n + 1}
    committed(lambda: jobs.enqueue_once(service.ASK_JOB, payload, key=f"a{attempt_id}-{n + 1}", due_at=due))


def close_attempt(attempt_id: int) -> str:
    """Ask, then close at the channel; returns the attempt's status. Raises what the channel raises; nothing is assumed then."""
    status = ask(attempt_id)
    if status not in service.PAYABLE:
        return status
    attempt = session.get_one(PaymentAttempt, attempt_id)
    channel, payment_no = attempt.channel, attempt.payment_no
    if channels.switched_on(channel):
        try:
            channels.get(channel).close(payment_no)
        except ChannelRefused:  # paid between the question and the closing
            if ask(attempt_id) == "succeeded":
                return "succeeded"
            raise
    _end(attempt_id, "closed")
    return "closed"


def live_attempts(trade_ids: Sequence[int]) -> list[tuple[int, int, datetime]]:
    """Return (trade id, attempt id, end of the trade's time) of the network attempts that could still take money."""
    rows = session.execute(
        select(PaymentIntent.trade_id, PaymentAttempt.id, Trade.expires_at)
        .join(PaymentAttempt, PaymentAttempt.intent_id == PaymentIntent.id)
        .join(Trade, Trade.id == PaymentIntent.trade_id)
        .where(PaymentIntent.trade_id.in_(trade_ids), PaymentAttempt.status.in_(service.PAYABLE))
        .where(PaymentAttempt.channel.in_(tuple(channels.NETWORK)))
        .order_by(PaymentAttempt.id)
    )
    return [row._tuple() for row in rows]


def still_payable(trade_ids: Sequence[int]) -> set[int]:
    """Return the trades whose cancelling waits for a channel; a channel that does not answer holds them for ten minutes at most."""
    now = clock.now()
    return {trade_id for trade_id, _, expires_at in live_attempts(trade_ids) if expires_at + GRACE > now}


def close_trade(trade_id: int) -> None:
    """Close a trade's payments at their channels; one that does not answer is left to the jobs. Not inside a transaction."""
    for _, attempt_id, _ in live_attempts([trade_id]):
        try:
            close_attempt(attempt_id)
        except Upstream as error:
            log.warning("payment.close_failed", attempt_id=attempt_id, error=error.code)


def close_expired() -> None:
    """Periodic job: close at their channels the payments of trades whose time is over, so that the trades can be cancelled."""
    due = session.scalars(
        select(Trade.id).where(Trade.status == "unpaid", Trade.expires_at <= clock.now()).order_by(Trade.expires_at).limit(BATCH)
    ).all()
    for trade_id in dict.fromkeys(row[0] for row in live_attempts(due)):
        close_trade(trade_id)


def send_refund(refund_id: int) -> None:
    """Job: order a refund at its channel. An answer that leaves it open is asked about, by the same number."""
    step = committed(lambda: refunding.begin(refund_id))
    if step is None:
        return
    channel, order = step
    try:
        state = channels.get(channel).refund(order)
    except ChannelRefused as error:
        detail = error.message
        committed(lambda: refunding.note_refund(refund_id, "failed", "-", detail))
        return
    committed(lambda: refunding.noted(refund_id, state, 0))


def ask_refund(refund_id: int, n: int) -> None:
    """Job: ask what became of an accepted refund."""
    found = refunding.asked(refund_id)
    if found is None:
        return
    channel, order = found
    state = channels.get(channel).query_refund(order)
    committed(lambda: refunding.noted(refund_id, state, n))


def refresh_keys() -> None:
    """Periodic job: download the channels' certificates before the ones at hand run out."""
    for channel in channels.NETWORK:
        if channels.switched_on(channel):
            refresh = getattr(channels.get(channel), "refresh_keys", None)
            if refresh is not None:
                refresh()
