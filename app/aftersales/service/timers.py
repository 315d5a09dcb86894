"""Timers of cases: a scan queues one job for each status whose time is over; a job that comes late or twice changes nothing (trap 27)."""

from __future__ import annotations

from sqlalchemy import select

from app.aftersales import states
from app.aftersales.models import Case
from app.aftersales.service import base, deciding, money, replacing
from app.core import clock, jobs
from app.core.actor import SYSTEM
from app.core.db import session
from app.inventory import queries as stock

EXPIRE_JOB = "aftersales.expire"
BATCH = 500
TIMED = (
    states.PENDING, states.ASKING, states.SENDING, states.COLLECTING, states.CHECKING, states.SHIPPING, states.SHIPPED, states.REPAIRING,
    states.REJECTED,
)  # fmt: skip


def queue_due() -> int:
    """Periodic job: queue one job for each case whose status has run out, however long nobody ran it; returns how many are due."""
    now_us = clock.microseconds(clock.now())
    due = session.execute(
        select(Case.id, Case.due_us).where(Case.status.in_(TIMED), Case.due_us <= now_us).order_by(Case.due_us, Case.id).limit(BATCH)
    ).all()
    for row in due:
        jobs.enqueue_once(EXPIRE_JOB, {"case_id": row.id, "due_us": row.due_us}, key=f"c{row.id}-{row.due_us}")
    return len(due)


def expire(case_id: int, due_us: int) -> bool:
    """Let a status end by itself; False when the case moved, was paused or is not due. Raises RunAgain with a twin."""
    case = session.get(Case, case_id)
    if case is None or case.due_us != due_us or due_us > clock.microseconds(clock.now()) or case.status not in TIMED:
        return False
    _ENDS[case.status](case)
    return True


def _pending(case: Case) -> None:
    """Agree for a merchant that does not answer; money nobody has looked at, and goods nobody has, go to the platform."""
    short = case.kind == states.EXCHANGE and stock.available([case.new_sku_id])[case.new_sku_id] < case.quantity
    if case.kind == states.CLAIM or short:
        why = "换货库存不足" if short else "赔付申请超时未处理"
        base.move(case, states.DISPUTED, SYSTEM, "auto_escalated", f"{why}，转平台处理")
    else:
        deciding.agree(SYSTEM, case, "auto_approved")


def _close(case: Case) -> None:
    exchange, case_id = case.kind == states.EXCHANGE, case.id
    base.move(case, states.CLOSED, SYSTEM, "auto_closed", f"{states.STATUSES[case.status]}已超过时限")
    if exchange:
        replacing.free(case_id)


def _collecting(case: Case) -> None:
    base.move(case, states.SENDING, SYSTEM, "not_collected", method=states.SELF)


def _checking(case: Case) -> None:
    """Take an inspection that did not happen as passed; stock does not move, as nobody has seen the goods."""
    if case.kind == states.RETURN:
        money.refund_units(SYSTEM, case, case.quantity, "auto_checked")
    else:
        base.move(case, states.SHIPPING if case.kind == states.EXCHANGE else states.REPAIRING, SYSTEM, "auto_checked")


def _late(case: Case) -> None:
    base.move(case, states.DISPUTED, SYSTEM, "auto_escalated", "商家超时未寄出，转平台处理")


def _shipped(case: Case) -> None:
    base.move(case, states.DONE, SYSTEM, "auto_received")


_ENDS = {
    states.PENDING: _pending, states.ASKING: _close, states.SENDING: _close, states.COLLECTING: _collecting, states.CHECKING: _checking,
    states.SHIPPING: _late, states.REPAIRING: _late, states.SHIPPED: _shipped, states.REJECTED: _close,
}  # fmt: skip
