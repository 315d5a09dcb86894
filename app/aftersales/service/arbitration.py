"""The platform between the sides: escalate, give evidence, decide (commerce.md §2.9)."""

from __future__ import annotations

from collections.abc import Sequence

from app.aftersales import queries, states
from app.aftersales.models import Case
from app.aftersales.service import base, claims, deciding, money, replacing
from app.core import cas
from app.core.actor import Actor
from app.core.errors import Conflict, Forbidden, Invalid

OUTCOMES = {
    "refund": "支持买家：仅退款", "return": "支持买家：退货后退款", "exchange": "支持买家：换货", "compensate": "支持买家：赔付",
    "dismiss": "支持商家：关闭售后",
}  # fmt: skip


def escalate(actor: Actor, case_id: int, note: str, files: Sequence[bytes] = ()) -> None:
    """Ask the platform to decide about a refusal, or about goods that came back wrong. Raises Invalid(`case.words`), Conflict."""
    base.own_turn(actor, "consumer")
    case = queries.get_for(actor, case_id)
    said, keys = base.words(note, "请说明申请平台介入的理由（2–500 字）"), base.keep(files)
    if case.status not in (states.REJECTED, states.SHIPPED):
        raise Conflict("case.state", "商家拒绝后，或对寄出的商品有异议时，才能申请平台介入")
    base.move(case, states.DISPUTED, actor, "escalated", said, data={"pictures": keys})


def give_evidence(actor: Actor, case_id: int, note: str, files: Sequence[bytes] = ()) -> None:
    """Add words and pictures to a disputed case, from either side. Raises Invalid(`case.words`), Conflict(`case.state`)."""
    case = queries.get_for(actor, case_id)
    said, keys = base.words(note, "请填写说明（2–500 字）"), base.keep(files)
    if not cas.change(Case, case.id, where={"status": states.DISPUTED}, values={"status": states.DISPUTED}):
        raise Conflict("case.state", "该售后单不在平台介入中，不能再举证")
    base.add_entry(case_id, actor, "evidence", said, {"pictures": keys})


def outcomes_for(case: Case) -> dict[str, str]:
    """Return the decisions that fit a disputed case, key -> words."""
    allowed = {"dismiss"}
    if case.kind == states.CLAIM:
        allowed |= {"compensate"}
    elif case.status == states.DISPUTED:
        allowed |= {"refund", "compensate"} if case.was_shipped else {"refund"}
        if case.kind in states.SENDS_BACK and case.tracking_no == "-":
            allowed |= {"return"}
        if case.kind == states.EXCHANGE:
            allowed |= {"exchange"}
    return {key: text for key, text in OUTCOMES.items() if key in allowed}


def decide(actor: Actor, case_id: int, outcome: str, note: str, *, fault: str, amount_fen: int = 0) -> None:
    """Decide a disputed case; the decision carries itself out. fault: who bears freight; amount_fen: of a compensation.

    Raises Forbidden, Invalid(`case.words`, `case.outcome`, `case.fault`, `case.amount`), Conflict(`case.state`),
    OutOfStock for an exchange.
    """
    if actor.realm not in {"operator", "system"}:
        raise Forbidden("access.denied", "您没有执行此操作的权限")
    actor.require("aftersale.arbitrate")
    case = queries.get_for(actor, case_id)
    why = base.words(note, "请填写裁决理由（2–500 字）")
    if case.status != states.DISPUTED:
        raise Conflict("case.state", "该售后单不在平台介入中，可能已经裁决")
    if outcome not in outcomes_for(case):
        raise Invalid("case.outcome", "请选择裁决结果", field="outcome")
    if fault not in states.FAULTS:
        raise Invalid("case.fault", "请选择责任方", field="fault")
    if not cas.change(Case, case_id, where={"status": states.DISPUTED}, values={"fault": fault}):
        raise Conflict("case.state", "售后单状态已变化，请刷新后再试")
    text = f"{OUTCOMES[outcome]}。{why}"[: base.MAX_NOTE]
    _carry_out(actor, case, outcome, text, amount_fen)


def _carry_out(actor: Actor, case: Case, outcome: str, text: str, amount_fen: int) -> None:
    case_id, exchange, sent = case.id, case.kind == states.EXCHANGE, case.tracking_no != "-"
    if outcome == "dismiss":
        base.move(case, states.CLOSED, actor, "decided", text)
    elif outcome == "refund":
        money.refund_units(actor, case, case.quantity, "decided", text)
    elif outcome == "compensate":
        if case.reason == states.BAD_FRUIT:
            base.add_entry(case_id, actor, "decided", text)
            claims.pay(case)
        elif amount_fen < 1:
            raise Invalid("case.amount", "请填写赔付金额", field="amount")
        else:
            money.compensate(actor, case, amount_fen, "decided", text)
    elif outcome == "exchange" and sent:
        base.move(case, states.SHIPPING, actor, "decided", text)  # the replacement is held since the approval
        return
    else:
        if outcome == "return":
            cas.change(Case, case_id, where={"status": states.DISPUTED}, values={"kind": states.RETURN})
        deciding.agree(actor, case, "decided", note=text)
        return
    if exchange:
        replacing.free(case_id)
