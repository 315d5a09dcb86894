"""Verbs of payment: start an attempt, receive a notice, apply it (commerce.md §2.7). Calls to channels: `gateway`.

A notice is stored and committed before anything is done with it; applying it is a second transaction that the
job table repeats after a crash. A receipt that cannot be applied becomes a refund, exactly once (`refunding`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from app.audit import service as audit
from app.core import cas, clock, events, jobs, runtime, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.ids import new_id
from app.orders import queries as order_queries
from app.orders import service as orders
from app.payments import abnormal, channels, wallet
from app.payments.channels.values import PAYMENT, Notice, load_notice
from app.payments.events import PaymentReceived, StrayPaymentReceived
from app.payments.models import ChannelNotice, PaymentAttempt, PaymentIntent, Refund
from app.payments.refunding import note_refund, refund_trade, write_refund
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation
from security.tokens import digest

__all__ = [
    "APPLY_JOB", "ASK_JOB", "CLOSE_JOB", "MAX_ATTEMPTS", "PAYABLE", "apply_notice", "payable_trade", "receipt_cause", "receive_notice",
    "refund_trade", "release_stored", "start", "store_notice",
]  # fmt: skip
APPLY_JOB = "payments.apply_notice"
ASK_JOB = "payments.ask_payment"
CLOSE_JOB = "payments.close_attempt"
MAX_ATTEMPTS = 10
FIRST_ASK = timedelta(seconds=15)
PAYABLE = ("created", "pending")
_KNOWN = select(ChannelNotice.id).where(
    ChannelNotice.channel == bindparam("channel"), ChannelNotice.notice_id == bindparam("notice_id")
)
_NOTICE = select(
    ChannelNotice.id, ChannelNotice.channel, ChannelNotice.state, ChannelNotice.outcome,
    ChannelNotice.body.label("body"), ChannelNotice.facts.label("facts"), ChannelNotice.received_at,
).where(ChannelNotice.id == bindparam("row_id"))
_ATTEMPT = (
    select(
        PaymentAttempt.id, PaymentAttempt.intent_id, PaymentAttempt.status, PaymentAttempt.channel_txn, PaymentAttempt.amount_fen,
        PaymentAttempt.channel, PaymentAttempt.payment_no, PaymentIntent.trade_id, PaymentIntent.held_fen,
        PaymentIntent.status.label("intent_status"), PaymentIntent.amount_fen.label("owed_fen"),
    )
    .join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
    .where(PaymentAttempt.payment_no == bindparam("payment_no"))
)  # fmt: skip
_TRIED = select(func.count(PaymentAttempt.id)).where(PaymentAttempt.intent_id == bindparam("intent_id"))
_INTENT = select(PaymentIntent.id, PaymentIntent.amount_fen, PaymentIntent.held_fen).where(PaymentIntent.trade_id == bindparam("trade_id"))


def start(actor: Actor, trade_no: str, channel: str, *, stored: bool = False) -> PaymentAttempt:
    """Begin an attempt at a channel for the actor's unpaid trade; the amount comes from the trade alone.

    stored: the buyer's stored value bears what it can, the channel the rest; when nothing is left the trade is paid here and its
    attempt, which has succeeded, is returned. A network channel's attempt that still shows the right amount is returned again.
    Raises Invalid(`payment.channel`), Conflict(`trade.not_payable`), TooMany(`payment.attempts`).
    """
    trade = payable_trade(actor, trade_no)
    intent_id, owed_fen, held_fen, is_new = _intent_of(trade)
    if stored != bool(held_fen):
        owed_fen = _set_stored(trade, intent_id, owed_fen + held_fen, stored=stored)
    if stored and owed_fen == 0:
        return _pay_from_stored(actor, trade, intent_id)
    if channel not in channels.names():
        raise Invalid("payment.channel", "请选择可用的支付方式", field="channel")
    if not is_new and channel in (*channels.NETWORK, channels.BANK):
        again = _still_shown(intent_id, channel, owed_fen)
        if again is not None:
            return again
    tried = 0 if is_new else sql.read(_TRIED, {"intent_id": intent_id}).scalar()
    if (tried or 0) >= MAX_ATTEMPTS:
        raise TooMany("payment.attempts", "支付尝试次数过多，请重新下单")
    attempt_id = new_id()
    attempt = PaymentAttempt(
        id=attempt_id, intent_id=intent_id, payment_no=f"P{attempt_id}", channel=channel, amount_fen=owed_fen, status="created",
        created_at=clock.now(),
    )  # fmt: skip
    session.add(attempt)
    audit.record(actor, "payment.started", "trade", trade.trade_no, detail={"channel": channel})
    if channel == channels.BANK:
        hold = timedelta(hours=runtime.current().settings.payment.bank.hold_h)
        orders.extend_unpaid(trade.id, clock.now() + hold)
        attempt.status, attempt.pay_kind = "pending", "bank"
    if channel in channels.NETWORK:
        jobs.enqueue(ASK_JOB, {"attempt_id": attempt_id, "n": 0}, key=f"a{attempt_id}-0", due_at=clock.now() + FIRST_ASK)
    return attempt


def _set_stored(trade: Any, intent_id: int, whole_fen: int, *, stored: bool) -> int:
    """Set stored value aside for the intent or give it back; returns what a channel has to bring.

    Attempts that show another amount are closed at their channels.
    """
    wallet.release(trade.account_id, intent_id, f"订单 {trade.trade_no}")
    held = wallet.hold(trade.account_id, intent_id, whole_fen, f"订单 {trade.trade_no}") if stored else 0
    shown = (PaymentAttempt.intent_id == intent_id, PaymentAttempt.status.in_(PAYABLE), PaymentAttempt.amount_fen != whole_fen - held)
    for attempt_id in session.scalars(select(PaymentAttempt.id).where(*shown, PaymentAttempt.channel.in_(tuple(channels.NETWORK)))):
        jobs.enqueue_once(CLOSE_JOB, {"attempt_id": attempt_id}, key=f"c{attempt_id}")
    return whole_fen - held


def _pay_from_stored(actor: Actor, trade: Any, intent_id: int) -> PaymentAttempt:
    """Pay the whole trade with what was set aside; no channel is asked. Raises Conflict(`trade.not_payable`)."""
    trade_id, trade_no, whole_fen, at = trade.id, trade.trade_no, trade.payable_fen, clock.now()
    if not orders.mark_trade_paid(trade_id, whole_fen):
        raise Conflict("trade.not_payable", "订单已不能支付，请查看订单状态")
    where = {"status": "open", "held_fen": whole_fen}
    if not cas.change(PaymentIntent, intent_id, where=where, values={"status": "paid", "paid_at": at}):
        raise RunAgain("the stored value set aside for the trade has changed")
    wallet.capture(trade_id, intent_id, at)
    audit.record(actor, "payment.started", "trade", trade_no, detail={"channel": channels.WALLET, "amount_fen": whole_fen})
    paid = (PaymentAttempt.intent_id == intent_id, PaymentAttempt.channel == channels.WALLET, PaymentAttempt.status == "succeeded")
    return session.scalars(select(PaymentAttempt).where(*paid)).one()


def release_stored(trade_id: int) -> None:
    """Give back what a trade that will not be paid had set aside; repeating it changes nothing."""
    found = session.execute(
        select(PaymentIntent.id, PaymentIntent.account_id).where(
            PaymentIntent.trade_id == trade_id, PaymentIntent.status == "open", PaymentIntent.held_fen > 0
        )
    ).one_or_none()
    if found is not None:
        wallet.release(found.account_id, found.id, "订单已取消")


def payable_trade(actor: Actor, trade_no: str) -> Any:
    """Return the actor's trade that can be paid now. Raises NotFound, Conflict(`trade.not_payable`)."""
    trade = order_queries.get_trade(actor, trade_no)
    if trade.status != "unpaid" or trade.expires_at <= clock.now():
        raise Conflict("trade.not_payable", "订单已不能支付，请查看订单状态")
    return trade


def _still_shown(intent_id: int, channel: str, amount_fen: int) -> PaymentAttempt | None:
    """Return the attempt whose code or link the buyer already has."""
    wanted = (
        PaymentAttempt.intent_id == intent_id, PaymentAttempt.channel == channel, PaymentAttempt.status == "pending",
        PaymentAttempt.amount_fen == amount_fen,
    )  # fmt: skip
    return session.scalars(select(PaymentAttempt).where(*wanted).order_by(PaymentAttempt.id.desc()).limit(1)).first()


def _intent_of(trade: Any) -> tuple[int, int, int, bool]:
    """Return the trade's one intent, made at the first attempt: (id, fen a channel has to bring, fen held, whether it is new)."""
    found = sql.read(_INTENT, {"trade_id": trade.id}).one_or_none()
    if found is not None:
        return found.id, found.amount_fen - found.held_fen, found.held_fen, False
    intent = {"id": new_id(), "trade_id": trade.id, "account_id": trade.account_id, "amount_fen": trade.payable_fen, "status": "open"}
    try:
        sql.add(PaymentIntent, intent | {"created_at": clock.now()})
    except UniqueViolation as error:  # a twin request was faster: the door runs this again and finds its intent
        raise RunAgain("the same trade is being paid") from error
    return intent["id"], trade.payable_fen, 0, True


def receive_notice(channel: str, body: bytes, signature: str) -> int:
    """Verify and store a notice of the simulated channel; returns the notice row's id. Raises what `channels.check` raises."""
    return store_notice(channel, channels.check(channel, body, signature), body)


def store_notice(channel: str, notice: Notice, body: bytes) -> int:
    """Store a verified notice exactly as received and queue its application; returns the notice row's id.

    A repeated notice id returns the row it already has.
    """
    known = _notice_id(channel, notice.notice_id)
    if known is not None:
        return known
    row_id = new_id()
    row = {
        "id": row_id, "channel": channel, "notice_id": notice.notice_id, "payment_no": notice.payment_no,
        "body": body.decode("utf-8", "replace"), "facts": None if channel == channels.SIMULATOR else notice.dump(), "state": "received",
        "outcome": "-", "received_at": clock.now(), "applied_us": 0,
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
    """Apply a stored notice to its trade or refund, or give its money back; returns the outcome. Repeating it changes nothing.

    Outcomes: paid, failed, duplicate, refunded (late, second or wrong amount), foreign, unknown; of a refund: done, failed.
    """
    row = sql.read(_NOTICE, {"row_id": row_id}).one_or_none()
    if row is None:
        raise NotFound("payment.notice", "通知不存在")
    if row.state != "received":
        return str(row.outcome)
    notice = load_notice(row.facts or row.body)
    state, outcome = _judge(row, notice)
    _close_notice(row_id, state, outcome)
    audit.record(
        SYSTEM, "payment.notice_applied", "payment", notice.payment_no,
        result="ok" if outcome in {"paid", "failed", "duplicate", "done"} else "refused",
        detail={"outcome": outcome, "amount_fen": notice.amount_fen, "channel": row.channel},
    )  # fmt: skip
    return outcome


def _judge(row: Any, notice: Notice) -> tuple[str, str]:
    """Return (state, outcome) of a notice; what belongs to nobody here becomes a case."""
    if notice.result == "foreign":
        abnormal.open_case(
            "foreign", f"notice:{row.id}", channel=row.channel, payment_no=notice.payment_no, amount_fen=notice.amount_fen,
            detail=f"渠道单号 {notice.channel_txn}，商户、应用或币种不是本平台的",
        )  # fmt: skip
        return "rejected", "foreign"
    if notice.kind != PAYMENT:
        refund_id = session.scalar(select(Refund.id).where(Refund.refund_no == notice.refund_no))
        if refund_id is None:
            return "rejected", "unknown"
        note_refund(refund_id, notice.result, notice.channel_txn, "渠道通知退款失败")
        return "applied", notice.result
    attempt = sql.read(_ATTEMPT, {"payment_no": notice.payment_no}).one_or_none()
    if attempt is None or attempt.channel != row.channel:
        return "rejected", "unknown"
    return _settle(row, notice, attempt)


def _close_notice(row_id: int, state: str, outcome: str) -> None:
    """Leave `received` by compare-and-set; when a twin was faster the door runs this one again and finds its outcome."""
    at_us = clock.microseconds(clock.now())
    values = {"state": state, "outcome": outcome, "applied_us": at_us}
    if not cas.change(ChannelNotice, row_id, where={"state": "received"}, values=values):
        raise RunAgain("the notice was applied by a twin")


def _settle(row: Any, notice: Notice, attempt: Any) -> tuple[str, str]:
    """Decide what a notice about a known attempt means; returns (state, outcome). row, attempt: as `_NOTICE`, `_ATTEMPT`."""
    at = clock.now()
    if notice.result == "failed":
        cas.change(PaymentAttempt, attempt.id, where={"status": PAYABLE}, values={"status": "failed", "finished_at": at})
        return "applied", "failed"
    if attempt.status == "succeeded" and attempt.channel_txn == notice.channel_txn:
        return "applied", "duplicate"
    right_amount = notice.amount_fen == attempt.amount_fen
    first = attempt.status != "succeeded"
    values = {"status": "succeeded", "channel_txn": notice.channel_txn, "finished_at": at}
    if first and not cas.change(PaymentAttempt, attempt.id, where={"status": (*PAYABLE, "failed", "closed")}, values=values):
        # Another notice settled it since it was read. That may be this very payment, which must not go back: look again.
        raise RunAgain("the attempt was settled by a twin")
    enough = right_amount and notice.amount_fen + attempt.held_fen == attempt.owed_fen
    if enough and first and orders.mark_trade_paid(attempt.trade_id, attempt.owed_fen):
        _close_intent(attempt, at)
        came_us = clock.microseconds(row.received_at)
        events.publish(PaymentReceived(attempt.trade_id, notice.amount_fen, row.channel, notice.channel_txn, came_us))
        return "applied", "paid"
    if notice.amount_fen > 0 and not _give_back(row, notice, attempt, right_amount=right_amount):
        return "applied", "duplicate"
    return "refunded", "refunded"


def _close_intent(attempt: Any, at: datetime) -> None:
    """Mark the intent paid with the stored value that was counted on; when it changed meanwhile the door runs this again."""
    where = {"status": "open", "held_fen": attempt.held_fen}
    if not cas.change(PaymentIntent, attempt.intent_id, where=where, values={"status": "paid", "paid_at": at}):
        raise RunAgain("the stored value set aside for the trade has changed")
    if attempt.held_fen:
        wallet.capture(attempt.trade_id, attempt.intent_id, at)


def _give_back(row: Any, notice: Notice, attempt: Any, *, right_amount: bool) -> bool:
    """Refund a receipt nothing is owed for, once for each payment at the channel; False when that was done before."""
    kind = "wrong_amount" if not right_amount else "second" if attempt.intent_status == "paid" else "late"
    reason = "实付金额与应付不符" if kind == "wrong_amount" else "订单已关闭或已支付，款项原路退回"
    refund_id, is_new = write_refund(attempt.id, notice.amount_fen, receipt_cause(row.channel, notice.channel_txn), reason)
    if not is_new:
        return False
    abnormal.open_case(
        kind, f"notice:{row.id}", channel=row.channel, payment_no=attempt.payment_no, amount_fen=notice.amount_fen, refund_id=refund_id,
        detail=f"渠道单号 {notice.channel_txn}，已自动退款",
    )  # fmt: skip
    came_us = clock.microseconds(row.received_at)
    events.publish(StrayPaymentReceived(row.id, notice.amount_fen, row.channel, notice.channel_txn, came_us))
    return True


def receipt_cause(channel: str, channel_txn: str) -> str:
    """Return the cause of giving a receipt back: the payment at the channel, however often it was notified."""
    return f"receipt:{digest(f'{channel}:{channel_txn}')[:48]}"
