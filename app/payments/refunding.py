"""Giving money back: one refund for each cause, each source its frozen share, acceptance is not success (commerce.md §2.4, §2.7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas, clock, events, jobs, runtime, sql
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.payments import abnormal, channels, wallet
from app.payments.channels.values import RefundOrder, RefundState
from app.payments.events import PaymentRefunded
from app.payments.models import PaymentAttempt, PaymentIntent, Refund
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation
from security.tokens import digest

REFUND_JOB = "payments.send_refund"
ASK_REFUND_JOB = "payments.ask_refund"
OPEN = ("pending", "sent", "accepted")
ASK_AFTER_S = (60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400, 86_400, 86_400, 86_400)


def refund_trade(trade_id: int, amount_fen: int, *, cause: str, reason: str) -> int:
    """Give part of a paid trade back through the attempt that paid it; one per cause. Returns the refund's id, 0 for nothing.

    Raises Conflict(`payment.not_paid`) when no attempt paid the trade, Conflict(`refund.exceeds`) beyond what it was paid.
    """
    if amount_fen <= 0:
        return 0
    known = session.scalar(select(Refund.id).where(Refund.cause == cause))
    if known is not None:
        return known
    intent = session.execute(
        select(PaymentIntent.id, PaymentIntent.amount_fen, PaymentIntent.refunded_fen, PaymentIntent.paid_at)
        .where(PaymentIntent.trade_id == trade_id, PaymentIntent.status == "paid")
    ).one_or_none()  # fmt: skip
    sources = _sources(intent) if intent is not None else {}
    if intent is None or not sources:
        raise Conflict("payment.not_paid", "该交易没有已到账的付款，不能退款")
    before = intent.refunded_fen
    if before + amount_fen > intent.amount_fen:
        raise Conflict("refund.exceeds", "退款金额超过实付金额")
    if not cas.change(PaymentIntent, intent.id, where={"refunded_fen": before}, values={"refunded_fen": before + amount_fen}):
        raise RunAgain("the trade is being refunded by another worker")
    written = [
        write_refund(attempt_id, part_fen, cause if first else f"part:{digest(cause)[:40]}", reason, bonus_fen)[0]
        for first, (attempt_id, part_fen, bonus_fen) in _first_marked(_parts(sources, intent.amount_fen, before, amount_fen))
    ]
    return written[0]


def _sources(intent: Any) -> dict[str, Any]:
    """Return the attempts that paid an intent, by `channel` and `stored`; others succeeded too late or with a wrong amount."""
    rows = session.execute(
        select(PaymentAttempt.id, PaymentAttempt.channel, PaymentAttempt.amount_fen, PaymentAttempt.bonus_fen)
        .where(PaymentAttempt.intent_id == intent.id, PaymentAttempt.status == "succeeded", PaymentAttempt.finished_at == intent.paid_at)
        .order_by(PaymentAttempt.id.desc())
    )
    return {"stored" if row.channel == channels.WALLET else "channel": row for row in rows}


def split(total_fen: int, stored_fen: int, bonus_fen: int, before_fen: int, amount_fen: int) -> tuple[int, int, int]:
    """Return (channel, stored, bonus within stored) of a refund of a trade of which before_fen is refunded already.

    F(x) = ⌊x·stored/total⌋ telescopes, and so does the bonus inside it: any sequence of refunds ends at exactly what each source
    paid. Source: commerce.md §2.4.
    """
    first, last = before_fen * stored_fen // total_fen, (before_fen + amount_fen) * stored_fen // total_fen
    bonus = last * bonus_fen // stored_fen - first * bonus_fen // stored_fen if stored_fen else 0
    return amount_fen - (last - first), last - first, bonus


def _parts(sources: dict[str, Any], total_fen: int, before_fen: int, amount_fen: int) -> list[tuple[int, int, int]]:
    """Return (attempt, fen, bonus) for each source that gives something back."""
    held = sources.get("stored")
    channel, stored, bonus = split(total_fen, held.amount_fen if held else 0, held.bonus_fen if held else 0, before_fen, amount_fen)
    parts = [(sources["channel"].id, channel, 0)] if channel else []
    return parts + ([(held.id, stored, bonus)] if held is not None and stored else [])


def _first_marked(parts: list[tuple[int, int, int]]) -> list[tuple[bool, tuple[int, int, int]]]:
    return [(position == 0, part) for position, part in enumerate(parts)]


def write_refund(attempt_id: int, amount_fen: int, cause: str, reason: str, bonus_fen: int = 0) -> tuple[int, bool]:
    """Write the refund of a cause and queue it; returns its id and whether this call has written it.

    What the channel's limits forbid is written as failed, with a case for finance.
    """
    known = session.scalar(select(Refund.id).where(Refund.cause == cause))
    if known is not None:
        return known, False
    refund_id, at = new_id(), clock.now()
    due_at, forbidden = _limits(attempt_id)
    row = {
        "id": refund_id, "refund_no": f"R{refund_id}", "attempt_id": attempt_id, "amount_fen": amount_fen, "bonus_fen": bonus_fen,
        "cause": cause, "reason": reason, "status": "failed" if forbidden else "pending", "created_at": at,
    }  # fmt: skip
    try:
        sql.add(Refund, row)
    except UniqueViolation as error:  # the same cause at the same moment: the door runs this again and finds the refund
        raise RunAgain("the same refund is being written") from error
    if forbidden:
        _open_case(session.get_one(Refund, refund_id), "refund_failed", forbidden)
    else:
        jobs.enqueue(REFUND_JOB, {"refund_id": refund_id}, key=f"r{refund_id}", due_at=due_at)
    return refund_id, True


def _limits(attempt_id: int) -> tuple[Any, str]:
    """Return (when the refund may be sent, None for now; why the channel would refuse it, empty when it would not)."""
    attempt = session.get_one(PaymentAttempt, attempt_id)
    if not channels.switched_on(attempt.channel):
        return None, ""
    allowed, at = channels.get(attempt.channel).limits, clock.now()
    count, last = session.execute(select(func.count(Refund.id), func.max(Refund.created_at)).where(Refund.attempt_id == attempt_id)).one()
    if allowed.refunds and count >= allowed.refunds:
        return None, f"该笔付款已退 {count} 次，渠道不再受理"
    if allowed.days and (attempt.finished_at or at) + timedelta(days=allowed.days) < at:
        return None, f"付款已超过 {allowed.days} 天，渠道不再受理退款"
    if last is not None and allowed.interval_s:
        return max(at, last + timedelta(seconds=allowed.interval_s)), ""
    return None, ""


def begin(refund_id: int) -> tuple[str, RefundOrder] | None:
    """First step of sending: note it and return (channel, what to order); None when nothing is left to send.

    The simulated channel pays back at once. A repeat sends the same number again, which a channel carries out once.
    """
    refund = session.get_one(Refund, refund_id)
    attempt = session.get_one(PaymentAttempt, refund.attempt_id)
    if refund.status not in OPEN or refund.status == "accepted":
        return None
    if attempt.channel == channels.BANK:
        if cas.change(Refund, refund_id, where={"status": "pending"}, values={"status": "sent"}):
            _open_case(refund, "manual_refund", "付款经银行转账，请由财务转账退回后登记")
        return None
    if attempt.channel not in channels.NETWORK:
        finish(refund_id, "-")
        return None
    cas.change(Refund, refund_id, where={"status": "pending"}, values={"status": "sent"})
    return attempt.channel, _order(refund, attempt)


def asked(refund_id: int) -> tuple[str, RefundOrder] | None:
    """Return (channel, refund) to ask about, None when its outcome is known."""
    refund = session.get_one(Refund, refund_id)
    attempt = session.get_one(PaymentAttempt, refund.attempt_id)
    waiting = refund.status in {"sent", "accepted"} and attempt.channel in channels.NETWORK
    return (attempt.channel, _order(refund, attempt)) if waiting else None


def _order(refund: Refund, attempt: PaymentAttempt) -> RefundOrder:
    base = runtime.current().settings.payment.public_url.rstrip("/")
    url = f"{base}/api/payments/{attempt.channel}/notices" if base else ""
    return RefundOrder(
        refund.refund_no, attempt.payment_no, attempt.channel_txn, refund.amount_fen, received(attempt), refund.reason, url
    )


def received(attempt: PaymentAttempt) -> int:
    """Return what the channel took, which a wrong amount makes differ from what was asked."""
    strays = session.scalar(
        select(func.max(Refund.amount_fen)).where(Refund.attempt_id == attempt.id, Refund.cause.startswith("receipt:"))
    )
    return strays or attempt.amount_fen


def note_refund(refund_id: int, state: str, channel_refund: str, detail: str, n: int = 0) -> None:
    """Note what a channel said of a refund: done | accepted | failed | missing. Repeating it changes nothing.

    accepted: it is asked again later; failed also after acceptance: a case for finance; missing: it is sent again.
    """
    if state == "done":
        finish(refund_id, channel_refund)
    elif state == "failed":
        values = {"status": "failed", "channel_refund": channel_refund, "finished_at": clock.now()}
        if cas.change(Refund, refund_id, where={"status": OPEN}, values=values):
            _open_case(session.get_one(Refund, refund_id), "refund_failed", detail)
    elif state == "missing":
        if cas.change(Refund, refund_id, where={"status": ("sent", "accepted")}, values={"status": "pending"}):
            jobs.enqueue_once(REFUND_JOB, {"refund_id": refund_id}, key=f"r{refund_id}-again{n}")
    else:
        cas.change(Refund, refund_id, where={"status": "sent"}, values={"status": "accepted", "channel_refund": channel_refund})
        _ask_later(refund_id, n)


def _ask_later(refund_id: int, n: int) -> None:
    if n >= len(ASK_AFTER_S):
        _open_case(session.get_one(Refund, refund_id), "refund_failed", "渠道已受理退款，但长时间没有结果")
        return
    due = clock.now() + timedelta(seconds=ASK_AFTER_S[n])
    jobs.enqueue_once(ASK_REFUND_JOB, {"refund_id": refund_id, "n": n + 1}, key=f"q{refund_id}-{n}", due_at=due)


def noted(refund_id: int, state: RefundState, n: int) -> None:
    """As `note_refund`, for an answer of the channel."""
    note_refund(refund_id, state.state, state.channel_refund, state.detail, n)


def finish(refund_id: int, channel_refund: str, *, by_hand: bool = False) -> bool:
    """Mark a refund as arrived, once; tells the books. by_hand: finance has transferred it, also after the channel failed."""
    at = clock.now()
    values = {"status": "done", "finished_at": at, "channel_refund": channel_refund[:64]}
    if not cas.change(Refund, refund_id, where={"status": (*OPEN, "failed") if by_hand else OPEN}, values=values):
        return False
    refund = session.get_one(Refund, refund_id)
    attempt = session.get_one(PaymentAttempt, refund.attempt_id)
    if attempt.channel == channels.WALLET:
        _credit(refund, attempt)
    channel = channels.BANK if by_hand else attempt.channel
    events.publish(PaymentRefunded(refund_id, refund.amount_fen, channel, refund.refund_no, clock.microseconds(at), refund.bonus_fen))
    abnormal.settle_refund(refund_id, "款项已退回")
    audit.record(
        SYSTEM, "payment.refunded", "refund", refund.refund_no,
        detail={"amount_fen": refund.amount_fen, "reason": refund.reason},
    )  # fmt: skip
    return True


def _credit(refund: Refund, attempt: PaymentAttempt) -> None:
    account_id = session.scalars(select(PaymentIntent.account_id).where(PaymentIntent.id == attempt.intent_id)).one()
    principal = refund.amount_fen - refund.bonus_fen
    wallet.move(account_id, principal, refund.bonus_fen, kind="refund", cause=f"refund:{refund.id}", memo=refund.reason)


def resend(refund_id: int) -> None:
    """Order a failed refund again, under a new number: a channel keeps the failed one. Raises Conflict(`refund.state`)."""
    values = {"status": "pending", "refund_no": f"R{new_id()}", "finished_at": None}
    if not cas.change(Refund, refund_id, where={"status": "failed"}, values=values):
        raise Conflict("refund.state", "该退款不在失败状态，请刷新查看")
    jobs.enqueue(REFUND_JOB, {"refund_id": refund_id}, key=f"r{refund_id}-{new_id()}")


def _open_case(refund: Refund, kind: str, detail: str) -> None:
    attempt = session.get_one(PaymentAttempt, refund.attempt_id)
    abnormal.open_case(
        kind, f"refund:{refund.refund_no}", channel=attempt.channel, payment_no=attempt.payment_no, amount_fen=refund.amount_fen,
        detail=detail, refund_id=refund.id,
    )  # fmt: skip
