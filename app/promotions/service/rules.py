"""Verbs of rules: draft, revise, submit, approve, reject, pause, resume, end (P02, M13, K26).

A merchant's own rule spends the merchant's money and starts when its owner says so. A platform's or programme's rule spends
others' money: somebody other than its author approves it.
"""

from __future__ import annotations

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import cas, clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.ids import new_id
from app.core.text import clean
from app.promotions.models import PromotionRevision, PromotionRule, PromotionVersion
from app.promotions.queries import active, desk
from app.promotions.spec import RuleSpec, check
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

EDITABLE = ("draft", "rejected", "paused")
BATCH = 200


def draft(actor: Actor, spec: RuleSpec) -> PromotionRule:
    """Write a rule with its first version, as a draft. Raises Invalid, NotFound for another shop."""
    _own(actor, spec.merchant_id)
    check(spec)
    at = clock.now()
    rule = PromotionRule(
        id=new_id(), kind=spec.kind, owner=spec.owner, merchant_id=spec.merchant_id, status="draft", version=1, used_count=0,
        used_fen=0, created_by=actor.account_id, created_at=at, **_head(spec),
    )  # fmt: skip
    session.add(rule)
    _add_version(actor, rule.id, 1, spec)
    session.flush()  # the next verb moves the row
    audit.record(actor, "promotion.created", "promotion", rule.id, detail={"kind": spec.kind, "owner": spec.owner})
    return rule


def revise(actor: Actor, rule_id: int, spec: RuleSpec) -> int:
    """Write the next version of a draft, refused or paused rule and make it a draft again; returns the version.

    Coupons and adjustments keep the version they name. Raises NotFound, Conflict(`promotion.state`), Invalid.
    """
    rule = desk.get_for(actor, rule_id)
    if (spec.kind, spec.owner, spec.merchant_id) != (rule.kind, rule.owner, rule.merchant_id):
        raise Invalid("promotion.kind", "活动类型和主体不能修改，请另建活动", field="kind")
    check(spec)
    if (spec.quantity and spec.quantity < rule.used_count) or (spec.budget_fen and spec.budget_fen < rule.used_fen):
        raise Invalid("promotion.limit", f"总量不能少于已用的 {rule.used_count} 份", field="quantity")
    version = rule.version + 1
    values = {"status": "draft", "version": version, "reject_reason": None, "created_by": actor.account_id, **_head(spec)}
    if not cas.change(PromotionRule, rule_id, where={"status": EDITABLE, "version": rule.version}, values=values):
        raise Conflict("promotion.state", "活动正在进行或审核中，请先暂停再修改")
    _add_version(actor, rule_id, version, spec)
    _touch()
    audit.record(actor, "promotion.edited", "promotion", rule_id, detail={"version": version})
    return version


def _head(spec: RuleSpec) -> dict[str, object]:
    return {
        "title": spec.title, "starts_at": spec.starts_at, "ends_at": spec.ends_at, "quantity": spec.quantity,
        "per_account": spec.per_account, "budget_fen": spec.budget_fen,
    }  # fmt: skip


def _add_version(actor: Actor, rule_id: int, version: int, spec: RuleSpec) -> None:
    session.add(
        PromotionVersion(
            id=new_id(), rule_id=rule_id, version=version, spec=spec.to_json(), created_by=actor.account_id, created_at=clock.now()
        )
    )


def _own(actor: Actor, merchant_id: int) -> None:
    if actor.realm == "merchant" and actor.merchant_id != merchant_id:
        raise desk.missing()


def submit(actor: Actor, rule_id: int) -> str:
    """Hand a draft in; a merchant's own starts at once, any other waits for approval. Returns the new status.

    Raises NotFound, Conflict(`promotion.state`), Conflict(`promotion.over`) when its window has passed.
    """
    rule = desk.get_for(actor, rule_id)
    if rule.owner == "merchant":
        _start(actor, rule, ("draft", "rejected"))
        return "active"
    cas.move(PromotionRule, rule_id, from_=("draft", "rejected"), to="submitted", code="promotion.state", reject_reason=None)
    audit.record(actor, "promotion.submitted", "promotion", rule_id, detail={"version": rule.version})
    return "submitted"


def _start(actor: Actor, rule: PromotionRule, from_: str | tuple[str, ...]) -> None:
    if rule.ends_at <= clock.now():
        raise Conflict("promotion.over", "活动时间已过，请先修改时间")
    rule_id, version = rule.id, rule.version
    cas.move(PromotionRule, rule_id, from_=from_, to="active", code="promotion.state", activated_at=clock.now())
    _touch()
    audit.record(actor, "promotion.active", "promotion", rule_id, detail={"version": version})


def approve(actor: Actor, rule_id: int) -> None:
    """Start a submitted rule. Raises Forbidden(`promotion.four_eyes`) for its own author, Conflict, NotFound."""
    rule = desk.get_for(actor, rule_id)
    if actor.account_id and rule.created_by == actor.account_id:
        raise Forbidden("promotion.four_eyes", "活动须由制定人以外的人审核")
    _start(actor, rule, "submitted")


def reject(actor: Actor, rule_id: int, reason: str) -> None:
    """Refuse a submitted rule. Raises Invalid(`promotion.reason`), NotFound, Conflict."""
    desk.get_for(actor, rule_id)
    why = clean(reason)[:200]
    if not why:
        raise Invalid("promotion.reason", "请填写驳回原因", field="reason")
    cas.move(PromotionRule, rule_id, from_="submitted", to="rejected", code="promotion.state", reject_reason=why)
    audit.record(actor, "promotion.rejected", "promotion", rule_id, detail={"reason": why})


def pause(actor: Actor, rule_id: int) -> None:
    """Stop a rule for now; coupons already claimed stay usable. Raises NotFound, Conflict(`promotion.state`)."""
    desk.get_for(actor, rule_id)
    cas.move(PromotionRule, rule_id, from_="active", to="paused", code="promotion.state")
    _touch()
    audit.record(actor, "promotion.paused", "promotion", rule_id)


def resume(actor: Actor, rule_id: int) -> None:
    """Let a paused rule go on. Raises NotFound, Conflict(`promotion.state`, `promotion.over`)."""
    _start(actor, desk.get_for(actor, rule_id), "paused")


def end(actor: Actor, rule_id: int) -> None:
    """End a rule for good; coupons already claimed stay usable. Raises NotFound, Conflict(`promotion.state`)."""
    desk.get_for(actor, rule_id)
    cas.move(PromotionRule, rule_id, from_=("active", "paused"), to="ended", code="promotion.state")
    _touch()
    audit.record(actor, "promotion.ended", "promotion", rule_id)


def end_due() -> int:
    """Periodic job: end rules whose window is over; returns how many. Prices follow the clock, this only tidies the lists."""
    late = (PromotionRule.status.in_(("active", "paused")), PromotionRule.ends_at <= clock.now())
    ids = session.scalars(select(PromotionRule.id).where(*late).order_by(PromotionRule.ends_at).limit(BATCH)).all()
    done = [i for i in ids if cas.change(PromotionRule, i, where={"status": ("active", "paused")}, values={"status": "ended"})]
    for rule_id in done:
        audit.record(SYSTEM, "promotion.ended", "promotion", rule_id)
    if done:
        _touch()
    return len(done)


def _touch() -> None:
    """Tell every process that the rules changed: a fresh number, which a rolled back transaction cannot have shown before."""
    session.flush()
    active.check_again()
    row, value = PromotionRevision, new_id()
    changed = session.execute(
        update(row).where(row.id == active.REVISION_ID).values(revision=value).execution_options(synchronize_session=False)
    )
    if changed.rowcount == 1:  # type: ignore[attr-defined]
        return
    try:
        with session.begin_nested():
            session.add(PromotionRevision(id=active.REVISION_ID, revision=value))
            session.flush()  # two first rules may meet here
    except UniqueViolation as error:
        raise RunAgain("another rule was the first one") from error
