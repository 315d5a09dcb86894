"""Verbs of payment: start an attempt, receive a notice, apply it, refund (commerce.md §2.7).

A notice is stored and committed before anything is done with it; applying it is a second transaction that the
job table repeats after a crash. A receipt that cannot be applied becomes a refund, exactly once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas, clock, events, jobs
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.ids import new_id
from app.orders import queries as order_queries
from app.orders import service as orders
from app.payments import channels
from app.payments.events import PaymentReceived, PaymentRefunded
from app.payments.models import ChannelNotice, PaymentAttempt, PaymentIntent, Refund
from dbadapters.errors import UniqueViolation

APPLY_JOB = "payments.apply_notice"
REFUND_JOB = "payments.send_refund"
MAX_ATTEMPTS = 10


def start(actor: Actor, trade_no: str, channel: str) -> PaymentAttempt:
    """Begin an attempt at a channel for the actor's unpaid trade; the amount comes from the trade alone.

    Raises Invalid(`payment.channel`), Conflict(`trade.not_payable`), TooMany(`payment.attempts`).
    """
    if channel not in channels.names():
        raise Invalid("payment.channel", "请选择可用的支付方式", field="channel")
    trade = order_queries.get_trade(actor, trade_no)
    if trade.status != "unpaid" or trade.expires_at <= clock.now():
        raise Conflict("trade.not_payable", "订单已不能支付，请查看订单状态")
    intent = _intent_of(trade)
    tried = session.scalar(
        select(func.count()).select_from(PaymentAttempt).where(PaymentAttempt.intent_id == intent.id)
    )
    if (tried or 0) >= MAX_ATTEMPTS:
        raise TooMany("payment.attempts", "支付尝试次数过多，请重新下单")
    attempt_id = new_id()
    attempt = PaymentAttempt(
        id=attempt_id, intent_id=intent.id, payment_no=f"P{attempt_id}", channel=channel,
        amount_fen=intent.amount_fen, status="created", created_at=clock.now(),
    )  # fmt: skip
    session.add(attempt)
    audit.record(actor, "payment.started", "trade", trade.trade_no, detail={"channel": channel})
    return attempt


def _intent_of(trade: Any) -> PaymentIntent:
    found = session.scalar(select(PaymentIntent).where(PaymentIntent.trade_id == trade.id))
    if found is not None:
        return found
    intent = PaymentIntent(
        id=new_id(), trade_id=trade.id, account_id=trade.account_id, amount_fen=trade.payable_fen, status="open",
        created_at=clock.now(),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(intent)
            session.flush()  # one intent per trade: a twin request uses the other's
    except UniqueViolation:
        return session.scalars(select(PaymentIntent).where(PaymentIntent.trade_id == trade.id)).one()
    return intent


def receive_notice(channel: str, body: bytes, signature: str) -> int:
    """Store a verified notice exactly as received and queue its application; returns the notice row's id.

    A repeated notice id returns the row it already has. Raises what `channels.check` raises; nothing is stored then.
    """
    notice = channels.check(channel, body, signature)
    known = _notice_id(channel, notice.notice_id)
    if known is not None:
        return known
    row_id = new_id()
    try:
        with session.begin_nested():
            session.add(
                ChannelNotice(
                    id=row_id, channel=channel, notice_id=notice.notice_id, payment_no=notice.payment_no,
                    body=body.decode(), state="received", received_at=clock.now(),
                )
            )  # fmt: skip
            session.flush()  # the unique (channel, notice id) decides between two deliveries
    except UniqueViolation:
        known = _notice_id(channel, notice.notice_id)
        if known is None:
            raise
        return known
    jobs.enqueue(APPLY_JOB, {"notice_id": row_id}, key=f"n{row_id}")
    return row_id


def _notice_id(channel: str, notice_id: str) -> int | None:
    return session.scalar(
        select(ChannelNotice.id).where(ChannelNotice.channel == channel, ChannelNotice.notice_id == notice_id)
    )


def apply_notice(row_id: int) -> str:
    """Apply a stored notice to its trade, or refund it; returns the outcome. Repeating it changes nothing.

    Outcomes: paid, failed, duplicate, refunded (late, second or wrong amount), unknown.
    """
    row = session.get(ChannelNotice, row_id)
    if row is None:
        raise NotFound("payment.notice", "通知不存在")
    if row.state != "received":
        return row.outcome
    notice = channels.parse(row.body.encode())
    attempt = session.scalar(select(PaymentAttempt).where(PaymentAttempt.payment_no == notice.payment_no))
    state, outcome = ("rejected", "unknown") if attempt is None else _settle(row, notice, attempt)
    _close_notice(row_id, state, outcome)
    audit.record(
        SYSTEM, "payment.notice_applied", "payment", notice.payment_no,
        result="ok" if outcome in {"paid", "failed", "duplicate"} else "refused",
        detail={"outcome": outcome, "amount_fen": notice.amount_fen, "channel": row.channel},
    )  # fmt: skip
    return outcome


def _close_notice(row_id: int, state: str, outcome: str) -> None:
    """Leave `received` by compare-and-set; a twin that was faster makes this transaction roll back."""
    at_us = clock.microseconds(clock.now())
    values = {"state": state, "outcome": outcome, "applied_us": at_us}
    if not cas.change(ChannelNotice, row_id, where={"state": "received"}, values=values):
        raise Conflict("payment.notice_moved", "通知已被处理")


def _settle(row: ChannelNotice, notice: channels.Notice, attempt: PaymentAttempt) -> tuple[str, str]:
    """Decide what a notice about a known attempt means; returns (state, outcome)."""
    at = clock.now()
    if notice.result == "failed":
        cas.change(PaymentAttempt, attempt.id, where={"status": "created"}, values={"status": "failed", "finished_at": at})
        return "applied", "failed"
    if attempt.status == "succeeded" and attempt.channel_txn == notice.channel_txn:
        return "applied", "duplicate"
    intent = session.get_one(PaymentIntent, attempt.intent_id)
    right_amount = notice.amount_fen == attempt.amount_fen
    first = attempt.status != "succeeded" and cas.change(
        PaymentAttempt, attempt.id, where={"status": ("created", "failed", "closed")},
        values={"status": "succeeded", "channel_txn": notice.channel_txn, "finished_at": at},
    )  # fmt: skip
    if right_amount and first and orders.mark_trade_paid(intent.trade_id, notice.amount_fen):
        cas.change(PaymentIntent, intent.id, where={"status": "open"}, values={"status": "paid", "paid_at": at})
        events.publish(PaymentReceived(intent.trade_id, notice.amount_fen, row.channel))
        return "applied", "paid"
    reason = "实付金额与应付不符" if not right_amount else "订单已关闭或已支付，款项原路退回"
    if notice.amount_fen > 0:
        request_refund(attempt.id, notice.amount_fen, cause=f"notice:{row.id}", reason=reason)
    return "refunded", "refunded"


def request_refund(attempt_id: int, amount_fen: int, *, cause: str, reason: str) -> int:
    """Write a refund and queue it; one per cause, so repeating is harmless. Returns the refund's id."""
    known = session.scalar(select(Refund.id).where(Refund.cause == cause))
    if known is not None:
        return known
    refund_id = new_id()
    session.add(
        Refund(
            id=refund_id, refund_no=f"R{refund_id}", attempt_id=attempt_id, amount_fen=amount_fen, cause=cause,
            reason=reason, status="pending", created_at=clock.now(),
        )
    )  # fmt: skip
    jobs.enqueue(REFUND_JOB, {"refund_id": refund_id}, key=f"r{refund_id}")
    return refund_id


def send_refund(refund_id: int) -> None:
    """Have the channel pay back. The simulator accepts at once; the same refund number never pays twice."""
    at = clock.now()
    if cas.change(Refund, refund_id, where={"status": "pending"}, values={"status": "done", "finished_at": at}):
        refund = session.get_one(Refund, refund_id)
        events.publish(PaymentRefunded(refund_id, refund.amount_fen))
        audit.record(
            SYSTEM, "payment.refunded", "refund", refund.refund_no,
            detail={"amount_fen": refund.amount_fen, "reason": refund.reason},
        )  # fmt: skip
