"""What every verb of a case does: leave a status by compare-and-set, write the timeline, set the timer, tell others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.aftersales import states
from app.aftersales.events import CaseMoved
from app.aftersales.models import NEVER_US, Case, CaseEvent
from app.audit import service as audit
from app.core import cas, clock, events, pictures, runtime, sql
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.storage import FileStorage
from app.core.text import clean
from app.orders import service as orders

MAX_PICTURES = 6
MAX_NOTE = 500


def limits() -> Any:
    """Return the settings of after-sale."""
    return runtime.current().settings.aftersales


def within(**span: int) -> int:
    """Return the instant some hours or days from now, in microseconds."""
    return clock.microseconds(clock.now() + timedelta(**span))


def due_of(status: str) -> int:
    """Return when a status that begins now ends by itself, in microseconds."""
    s = limits()
    spans: dict[str, dict[str, int]] = {
        states.PENDING: {"hours": s.reply_h}, states.ASKING: {"hours": s.evidence_h}, states.SENDING: {"days": s.return_days},
        states.COLLECTING: {"days": 2}, states.CHECKING: {"days": s.inspect_days}, states.SHIPPING: {"hours": s.replace_h},
        states.SHIPPED: {"days": s.receive_days}, states.REPAIRING: {"days": s.repair_work_days},
        states.REJECTED: {"days": s.escalate_days}, states.DISPUTED: {"hours": s.decide_h},
    }  # fmt: skip
    return within(**spans[status]) if status in spans else NEVER_US


def move(
    case: Case, to: str, actor: Actor, kind: str, note: str | None = None, *, data: dict[str, Any] | None = None, due_us: int = 0,
    **values: Any,
) -> None:  # fmt: skip
    """Leave the case's present status for another, exactly once; ends the hold on the order when the case ends or its money goes.

    Raises Conflict(`case.state`) when the case moved meanwhile or the move is not allowed.
    """
    from_, case_id = case.status, case.id
    if (from_, to) not in states.MOVES:
        raise Conflict("case.state", f"售后单当前为“{states.STATUSES[from_]}”，不能进行此操作")
    ended = {"finished_at": clock.now()} if to in states.ENDED else {}
    cas.move(
        Case, case_id, from_=from_, to=to, code="case.state", message="售后单状态已变化，请刷新后再试", due_us=due_us or due_of(to),
        **ended, **values,
    )  # fmt: skip
    entry = add_entry(case_id, actor, kind, note, data)
    facts = {"kind": case.kind, "from": from_, "to": to} | ({"note": note[:120]} if note else {})
    audit.record(actor, "aftersale.moved", "aftersale", case_id, detail=facts)
    events.publish(CaseMoved(case_id, entry, case.order_id, case.merchant_id, case.account_id, to))
    if to in states.ENDED and from_ != states.REFUNDING:
        orders.close_case(case.order_id, case.line_id, case.quantity)
        orders.note_case(case.order_id, actor, f"{states.KINDS[case.kind]}：{states.STATUSES[to]}")


def add_entry(case_id: int, actor: Actor, kind: str, note: str | None = None, data: dict[str, Any] | None = None) -> int:
    """Write one entry of a case's timeline; returns its id."""
    entry_id = new_id()
    sql.add(
        CaseEvent,
        {
            "id": entry_id, "case_id": case_id, "kind": kind, "realm": actor.realm, "actor_name": actor.name or "系统",
            "note": note or None, "data": data or {}, "at": clock.now(),
        },
    )  # fmt: skip
    return entry_id


def words(text: str, message: str, *, field: str = "note", most: int = MAX_NOTE) -> str:
    """Return cleaned text that must not be empty. Raises Invalid(`case.words`) naming the field."""
    said = clean(text)
    if not 2 <= len(said) <= most:
        raise Invalid("case.words", message, field=field)
    return said


def keep(files: Sequence[bytes]) -> list[str]:
    """Store pictures as pure pixels and return their keys. Raises Invalid(`case.pictures`, `picture.*`)."""
    if len(files) > MAX_PICTURES:
        raise Invalid("case.pictures", f"最多上传 {MAX_PICTURES} 张图片", field="pictures")
    return [evidence().put(data, "jpg") for data in [pictures.reencode(f) for f in files]]


def evidence() -> FileStorage:
    """Return where evidence is kept: apart from the public pictures, since only the sides of a case may see it."""
    return FileStorage(runtime.current().home.joinpath("evidence"))


def own_turn(actor: Actor, realm: str) -> None:
    """Refuse a verb of the other side; the system may do both."""
    if actor.realm not in {realm, "system"}:
        raise Conflict("case.side", "此操作不属于您的身份")
