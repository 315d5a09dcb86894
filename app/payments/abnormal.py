"""Receipts and refunds that need a person: opened by the gateway, owned by an officer, closed with a reason (commerce.md §2.7)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.payments.models import AbnormalReceipt

KINDS = {
    "late": "关闭后到账", "second": "重复付款", "wrong_amount": "金额不符", "foreign": "非本商户通知", "refund_failed": "退款失败",
    "manual_refund": "待人工退款",
}  # fmt: skip
STATES = {"open": "待认领", "taken": "处理中", "resolved": "已处理"}
WAITING = ("open", "taken")


def open_case(kind: str, cause: str, *, channel: str, payment_no: str, amount_fen: int, detail: str = "-", refund_id: int = 0) -> bool:
    """Open a case once per cause; True when it is new."""
    if session.scalar(select(AbnormalReceipt.id).where(AbnormalReceipt.cause == cause)) is not None:
        return False
    row: dict[str, Any] = {
        "id": new_id(), "kind": kind, "cause": cause, "channel": channel, "payment_no": payment_no, "refund_id": refund_id,
        "amount_fen": amount_fen, "status": "open", "detail": detail[:200] or "-", "owner_id": 0, "owner_name": "-",
        "opened_at": clock.now(),
    }  # fmt: skip
    sql.add(AbnormalReceipt, row)
    return True


def settle_refund(refund_id: int, note: str) -> int:
    """Close what waited for a refund that has arrived; returns how many cases."""
    done = session.execute(
        update(AbnormalReceipt)
        .where(AbnormalReceipt.refund_id == refund_id, AbnormalReceipt.status.in_(WAITING))
        .values(status="resolved", note=note[:200], resolved_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def get(case_id: int) -> AbnormalReceipt:
    """Return a case. Raises NotFound."""
    found = session.get(AbnormalReceipt, case_id)
    if found is None:
        raise NotFound("abnormal.missing", "案例不存在")
    return found


def take(actor: Actor, case_id: int) -> None:
    """Become the owner of an open case. Raises NotFound, Conflict(`abnormal.state`)."""
    get(case_id)
    values = {"status": "taken", "owner_id": actor.account_id, "owner_name": actor.name[:60] or "-"}
    if not cas.change(AbnormalReceipt, case_id, where={"status": "open"}, values=values):
        raise Conflict("abnormal.state", "案例已被认领或已处理")
    audit.record(actor, "abnormal.taken", "abnormal", case_id)


def must_own(actor: Actor, case: AbnormalReceipt) -> None:
    """Raise Conflict(`abnormal.state`) unless the actor has taken the case and it is not resolved."""
    if case.status != "taken" or case.owner_id != actor.account_id:
        raise Conflict("abnormal.state", "请先认领案例；他人认领的案例由认领人处理")


def check_note(note: str) -> str:
    """Return the words about what was done. Raises Invalid(`abnormal.note`)."""
    why = clean(note)
    if not 4 <= len(why) <= 200:
        raise Invalid("abnormal.note", "请写明处理结果（4–200 个字）", field="note")
    return why


def resolve(actor: Actor, case_id: int, note: str) -> None:
    """Close a case the actor owns with what was done about it.

    Raises NotFound, Invalid(`abnormal.note`), Conflict(`abnormal.state`).
    """
    get(case_id)
    why = check_note(note)
    values = {"status": "resolved", "note": why, "resolved_at": clock.now()}
    if not cas.change(AbnormalReceipt, case_id, where={"status": "taken", "owner_id": actor.account_id}, values=values):
        raise Conflict("abnormal.state", "请先认领案例；他人认领的案例由认领人处理")
    audit.record(actor, "abnormal.resolved", "abnormal", case_id, detail={"note": why})
