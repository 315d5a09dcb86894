"""Cases of the reconciliation: taken by somebody, resolved by a voucher or by the other side's arrival (commerce.md §2.8)."""

from __future__ import annotations

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.text import clean
from app.settlement.chart import NONE
from app.settlement.models import ReconCase
from app.settlement.service import bills, ledger
from app.settlement.service.ledger import About, Line

KINDS = {"surplus": "长款", "short": "短款", "amount": "金额差", "state": "状态差"}
KIND_HINTS = {
    "surplus": "渠道账单有、账上没有", "short": "账上有、渠道账单没有", "amount": "两边都有，金额不同", "state": "本平台有单但状态未到账",
}  # fmt: skip
STATES = {"open": "待认领", "taken": "处理中", "resolved": "已处理"}
RESOLUTIONS = {"suspense": "转待处理款项", "other_income": "确认为营业外收入", "loss": "确认为对账损失", "timing": "跨日到账，两边已一致"}


def get(case_id: int) -> ReconCase:
    """Return a case. Raises NotFound."""
    found = session.get(ReconCase, case_id)
    if found is None:
        raise NotFound("case.missing", "对账案例不存在")
    return found


def choices(case: ReconCase) -> dict[str, str]:
    """Return the resolutions a case allows: income only for more money, loss only for less."""
    allowed = {"suspense", "timing", "other_income" if case.diff_fen > 0 else "loss"}
    return {key: text for key, text in RESOLUTIONS.items() if key in allowed}


def take(actor: Actor, case_id: int) -> None:
    """Make the actor the owner of an open case. Raises NotFound, Conflict(`case.state`) when somebody was faster."""
    get(case_id)
    cas.move(
        ReconCase, case_id, from_="open", to="taken", code="case.state", message="案例已被认领或已处理，请刷新查看",
        owner_id=actor.account_id, owner_name=actor.name[:60] or NONE,
    )  # fmt: skip
    audit.record(actor, "case.taken", "case", case_id)


def resolve(actor: Actor, case_id: int, resolution: str, note: str) -> None:
    """End a case the actor owns; all but `timing` book its difference, once. Raises Invalid, NotFound, Conflict(`case.state`,
    `case.owner`, `case.differs` for `timing` while the sides still differ).
    """
    case, why = get(case_id), clean(note)[:200]
    if resolution not in choices(case):
        raise Invalid("case.resolution", "请选择处理方式", field="resolution")
    if not why:
        raise Invalid("case.note", "请写明处理依据", field="note")
    if case.status == "taken" and case.owner_id != actor.account_id:
        raise Conflict("case.owner", f"该案例由 {case.owner_name} 处理")
    if resolution == "timing" and not bills.now_matches(case):
        raise Conflict("case.differs", "两边仍不一致，不能按跨日到账处理", field="resolution")
    voucher_id = 0
    diff, channel, ref_no, label = case.diff_fen, case.channel, case.ref_no, KINDS[case.kind]
    cas.move(
        ReconCase, case_id, from_="taken", to="resolved", code="case.state", message="请先认领；或案例已处理，请刷新查看",
        resolution=resolution, note=why, resolved_at=clock.now(),
    )  # fmt: skip
    if resolution != "timing":
        lines = (Line("channel", diff, subject=channel), Line(resolution, -diff))
        about = About(f"{label} {ref_no}", channel=channel, maker=actor)
        voucher_id = ledger.post("case", f"case:{case_id}", lines, about) or 0
        cas.change(ReconCase, case_id, where={"status": "resolved"}, values={"voucher_id": voucher_id})
    audit.record(actor, "case.resolved", "case", case_id, detail={"resolution": resolution, "voucher": voucher_id, "diff_fen": diff})


def open_count() -> int:
    """Return how many cases wait."""
    return len(session.scalars(select(ReconCase.id).where(ReconCase.status != "resolved").limit(1_000)).all())
