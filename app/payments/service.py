"""Verbs of payment: start an attempt, receive a notice, apply it, refund (commerce.md §2.7).

A notice is stored and committed before anything is done with it; applying it is a second transaction that the
job table repeats after a crash. A receipt that cannot be applied becomes a refund, exactly once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, select

from app.audit import service as audit
from app.core import cas, clock, events, jobs, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.ids import new_id
from app.orders import queries as order_queries
from app.orders import service as orders
from app.payments import channels
from app.payments.events import PaymentReceived, PaymentRefunded, StrayPaymentReceived
from app.payments.models import ChannelNotice, PaymentAttempt, PaymentIntent, Refund
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation
from security.tokens import digest

APPLY_JOB = "payments.apply_notice"
REFUND_JOB = "payments.send_refund"
MAX_ATTEMPTS = 10
_KNOWN = select(ChannelNotice.id).where(
    ChannelNotice.channel == bindparam("channel"), ChannelNotice.notice_id == bindparam("notice_id")
)
_NOTICE = select(
    ChannelNotice.id, ChannelNotice.channel, ChannelNotice.state, ChannelNotice.outcome,
    ChannelNotice.body.label("body"), ChannelNotice.received_at,
).where(ChannelNotice.id == bindparam("row_id"))
_ATTEMPT = (
    select(
        PaymentAttempt.id, PaymentAttempt.intent_id, PaymentAttempt.status, PaymentAttempt.channel_txn, PaymentAttempt.amount_fen,
        PaymentIntent.trade_id,
    )
    .join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
    .where(PaymentAttempt.payment_no == bindparam("payment_no"))
)  # fmt: skip
_TRIED = select(func.count(PaymentAttempt.id)).where(PaymentAttempt.intent_id == bindparam("intent_id"))
_INTENT = select(PaymentIntent.id, PaymentIntent.amount_fen).where(PaymentIntent.trade_id == bindparam("trade_id"))


def start(actor: Actor, trade_no: str, channel: str) -> PaymentAttempt:
    """Begin an attempt at a channel for the actor's unpaid trade; the amount comes from the trade alone.

    Raises Invalid(`payment.channel`), Conflict(`trade.not_payable`), TooMany(`payment.attempts`).
    """
    if channel not in channels.names():
        raise Invalid("payment.channel", "请选择可用的支付方式", field="channel")
    trade = order_queries.get_trade(actor, trade_no)
    if trade.status != "unpaid" or trade.expires_at <= clock.now():
        raise Conflict("trade.not_payable", "订单已不能支付，请查看订单状态")
    intent_id, amount_fen, is_new = _intent_of(trade)
    tried = 0 if is_new else sql.read(_TRIED, {"intent_id": intent_id}).scalar()
    if (tried or 0) >= MAX_ATTEMPTS:
        raise TooMany("payment.attempts", "支付尝试次数过多，请重新下单")
    attempt_id = new_id()
    attempt = PaymentAttempt(
        id=attempt_id, intent_id=intent_id, payment_no=f"P{attempt_id}", channel=channel, amount_fen=amount_fen, status="created",
        created_at=clock.now(),
    )  # fmt: skip
    session.add(attempt)
    audit.record(actor, "payment.started", "trade", trade.trade_no, detail={"channel": channel})
    return attempt


def _intent_of(trade: Any) -> tuple[int, int, bool]:
    """Return the trade's one intent, made at the first attempt: (id, amount in fen, whether it is new)."""
    found = sql.read(_INTENT, {"trade_id": trade.id}).one_or_none()
    if found is not None:
        return found.id, found.amount_fen, False
    intent = {"id": new_id(), "trade_id": trade.id, "account_id": trade.account_id, "amount_fen": trade.payable_fen, "status": "open"}
    try:
        sql.add(PaymentIntent, intent | {"created_at": clock.now()})
    except UniqueViolation as error:  # a twin request was faster: the door runs this again and finds its intent
        raise RunAgain("the same trade is being paid") from error
    return intent["id"], trade.payable_fen, True


def receive_notice(channel: str, body: bytes, signature: str) -> int:
    """Store a verified notice exactly as received and queue its application; returns the notice row's id.

    A repeated notice id returns the row it already has. Raises what `channels.check` raises; nothing is stored then.
    """
    notice = channels.check(channel, body, signature)
    known = _notice_id(channel, notice.notice_id)
    if known is not None:
        return known
    row_id = new_id()
    row = {
        "id": row_id, "channel": channel, "notice_id": notice.notice_id, "payment_no": notice.payment_no, "body": body.decode(),
        "state": "received", "outcome": "-", "received_at": clock.now(), "applied_us": 0,
    }  # fmt: skip
    try:
        sql.add(ChannelNotice, row)
    except UniqueViolation as error:  # the unique (channel, notice id) decides between two deliveries
        raise RunAgain("the same notice is being stored") from error
    jobs.enqueue(APPLY_JOB, {"notice_id": row_id}, key=f"n{row_id}")
    return row_id


def settle_job(row_id: int) -> None:
    """Take the queued application of a notice off the worker: the caller's transaction has just applied it."""
    jobs.settle(APPLY_JOB, f"n{row_id}")


def _notice_id(channel: str, notice_id: str) -> int | None:
    return sql.read(_KNOWN, {"channel": channel, "notice_id": notice_id}).scalar()


def apply_notice(row_id: int) -> str:
    """Apply a stored notice to its trade, or refund it; returns the outcome. Repeating it changes nothing.

    Outcomes: paid, failed, duplicate, refunded (late, second or wrong amount), unknown.
    """
    row = sql.read(_NOTICE, {"row_id": row_id}).one_or_none()
    if row is None:
        raise NotFound("payment.notice", "通知不存在")
    if row.state != "received":
        return str(row.outcome)
    notice = channels.parse(row.body.encode())
    attempt = sql.read(_ATTEMPT, {"payment_no": notice.payment_no}).one_or_none()
    state, outcome = ("rejected", "unknown") if attempt is None else _settle(row, notice, attempt)
    _close_notice(row_id, state, outcome)
    audit.record(
        SYSTEM, "payment.notice_applied", "payment", notice.payment_no,
        result="ok" if outcome in {"paid", "failed", "duplicate"} else "refused",
        detail={"outcome": outcome, "amount_fen": notice.amount_fen, "channel": row.channel},
    )  # fmt: skip
    return outcome


def _close_notice(row_id: int, state: str, outcome: str) -> None:
    """Leave `received` by compare-and-set; when a twin was faster the door runs this one again and finds its outcome."""
    at_us = clock.microseconds(clock.now())
    values = {"state": state, "outcome": outcome, "applied_us": at_us}
    if not cas.change(ChannelNotice, row_id, where={"state": "received"}, values=values):
        raise RunAgain("the notice was applied by a twin")


def _settle(row: Any, notice: channels.Notice, attempt: Any) -> tuple[str, str]:
    """Decide what a notice about a known attempt means; returns (state, outcome). row, attempt: as `_NOTICE`, `_ATTEMPT`."""
    at = clock.now()
    if notice.result == "failed":
        cas.change(PaymentAttempt, attempt.id, where={"status": "created"}, values={"status": "failed", "finished_at": at})
        return "applied", "failed"
    if attempt.status == "succeeded" and attempt.channel_txn == notice.channel_txn:
        return "applied", "duplicate"
    right_amount = notice.amount_fen == attempt.amount_fen
    first = attempt.status != "succeeded"
    values = {"status": "succeeded", "channel_txn": notice.channel_txn, "finished_at": at}
    if first and not cas.change(PaymentAttempt, attempt.id, where={"status": ("created", "failed", "closed")}, values=values):
        # Another notice settled it since it was read. That may be this very payment, which must not go back: look again.
        raise RunAgain("the attempt was settled by a twin")
    if right_amount and first and orders.mark_trade_paid(attempt.trade_id, notice.amount_fen):
        cas.change(PaymentIntent, attempt.intent_id, where={"status": "open"}, values={"status": "paid", "paid_at": at})
        came_us = clock.microseconds(row.received_at)
        events.publish(PaymentReceived(attempt.trade_id, notice.amount_fen, row.channel, notice.channel_txn, came_us))
        return "applied", "paid"
    reason = "实付金额与应付不符" if not right_amount else "订单已关闭或已支付，款项原路退回"
    if notice.amount_fen > 0:
        cause = receipt_cause(row.channel, notice.channel_txn)
        _, is_new = _write_refund(attempt.id, notice.amount_fen, cause, reason)
        if not is_new:
            return "applied", "duplicate"
        came_us = clock.microseconds(row.received_at)
        events.publish(StrayPaymentReceived(row.id, notice.amount_fen, row.channel, notice.channel_txn, came_us))
    return "refunded", "refunded"


def receipt_cause(channel: str, channel_txn: str) -> str:
    """Return the cause of giving a receipt back: the payment at the channel, however often it was notified."""
    return f"receipt:{digest(f'{channel}:{channel_txn}')[:48]}"


def request_refund(attempt_id: int, amount_fen: int, *, cause: str, reason: str) -> int:
    """Write a refund and queue it; one per cause, so repeating is harmless. Returns the refund's id."""
    return _write_refund(attempt_id, amount_fen, cause, reason)[0]


def _write_refund(attempt_id: int, amount_fen: int, cause: str, reason: str) -> tuple[int, bool]:
    """Return the refund of a cause, and whether this call has written it."""
    known = session.scalar(select(Refund.id).where(Refund.cause == cause))
    if known is not None:
        return known, False
    refund_id = new_id()
    row = {
        "id": refund_id, "refund_no": f"R{refund_id}", "attempt_id": attempt_id, "amount_fen": amount_fen, "cause": cause,
        "reason": reason, "status": "pending", "created_at": clock.now(),
    }  # fmt: skip
    try:
        sql.add(Refund, row)
    except UniqueViolation as error:  # the same cause at the same moment: the door runs this again and finds the refund
        raise RunAgain("the same refund is being written") from error
    jobs.enqueue(REFUND_JOB, {"refund_id": refund_id}, key=f"r{refund_id}")
    return refund_id, True


def refund_trade(trade_id: int, amount_fen: int, *, cause: str, reason: str) -> int:
    """Give part of a paid trade back through the attempt that paid it; one per cause. Returns the refund's id, 0 for nothing.

    Raises Conflict(`payment.not_paid`) when no attempt paid the trade.
    """
    if amount_fen <= 0:
        return 0
    paid_by = session.scalar(
        select(PaymentAttempt.id)
        .join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
        .where(PaymentIntent.trade_id == trade_id, PaymentIntent.status == "paid", PaymentAttempt.status == "succeeded")
        .where(PaymentAttempt.finished_at == PaymentIntent.paid_at)  # others succeeded too late or with a wrong amount
        .order_by(PaymentAttempt.id)
        .limit(1)
    )
    if paid_by is None:
        raise Conflict("payment.not_paid", "该交易没有已到账的付款，不能退款")
    return request_refund(paid_by, amount_fen, cause=cause, reason=reason)


def send_refund(refund_id: int) -> None:
    """Have the channel pay back. The simulator accepts at once; the same refund number never pays twice."""
    at = clock.now()
    if cas.change(Refund, refund_id, where={"status": "pending"}, values={"status": "done", "finished_at": at}):
        refund = session.get_one(Refund, refund_id)
        channel = session.get_one(PaymentAttempt, refund.attempt_id).channel
        events.publish(PaymentRefunded(refund_id, refund.amount_fen, channel, refund.refund_no, clock.microseconds(at)))
        audit.record(
            SYSTEM, "payment.refunded", "refund", refund.refund_no,
            detail={"amount_fen": refund.amount_fen, "reason": refund.reason},
        )  # fmt: skip
