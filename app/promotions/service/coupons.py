"""Verbs of coupons: claim, issue, void, expire (K03, K15; commerce.md §2.11, trap 15)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.merchants import queries as merchants
from app.promotions.models import Coupon, PromotionRule
from app.promotions.queries import active, desk
from app.promotions.spec import RuleSpec
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

MAX_ISSUE = 200
EXPIRE_BATCH = 500


class SoldOut(Conflict):
    """All coupons of a rule are taken."""


def claim(actor: Actor, rule_id: int) -> int:
    """Take one coupon for the actor's account; returns its id. One INSERT and one guarded UPDATE, the shared row last.

    Raises NotFound(`coupon.missing`), Conflict(`coupon.not_open`, `coupon.limit`), SoldOut(`coupon.sold_out`).
    """
    rule, spec = _claimable(rule_id)
    if not spec.is_public:
        raise NotFound("coupon.missing", "优惠券不存在")
    coupon_id = _give(rule, spec, [actor.account_id], "claim")[0]
    audit.record(actor, "coupon.claimed", "coupon", coupon_id, detail={"rule_id": rule_id, "version": rule.version})
    return coupon_id


def _claimable(rule_id: int) -> tuple[PromotionRule, RuleSpec]:
    rule = session.get(PromotionRule, rule_id)
    if rule is None or rule.kind != "coupon":
        raise NotFound("coupon.missing", "优惠券不存在")
    if rule.status != "active" or not rule.starts_at <= clock.now() < rule.ends_at:
        raise Conflict("coupon.not_open", "优惠券不在领取时间内")
    if rule.merchant_id:
        merchants.get_public(rule.merchant_id)
    return rule, active.specs([(rule_id, rule.version)])[rule_id, rule.version]


def _give(rule: PromotionRule, spec: RuleSpec, account_ids: Sequence[int], source: str) -> list[int]:
    """Write one coupon for each account, then count them all at once or give none."""
    rule_id, at = rule.id, clock.now()
    mine = select(Coupon.account_id, Coupon.seq).where(Coupon.rule_id == rule_id, Coupon.account_id.in_(account_ids))
    highest: dict[int, int] = {}
    for account_id, seq in session.execute(mine):
        highest[account_id] = max(seq, highest.get(account_id, 0))
    made = []
    for account_id in account_ids:
        seq = highest.get(account_id, 0) + 1
        if seq > spec.per_account:
            raise Conflict("coupon.limit", f"每人限领 {spec.per_account} 张，您已领完")
        coupon = Coupon(
            id=new_id(), rule_id=rule_id, version=rule.version, merchant_id=rule.merchant_id, account_id=account_id, seq=seq,
            status="unused", source=source, valid_from=at, valid_until=spec.valid_until(at), trade_id=0, claimed_at=at,
        )  # fmt: skip
        session.add(coupon)
        made.append(coupon.id)
    try:
        session.flush()  # (rule, account, seq) decides between two clicks of one account
    except UniqueViolation as error:
        raise RunAgain("the account claimed at the same time") from error
    _count(rule_id, rule.version, len(made))
    return made


def _count(rule_id: int, version: int, number: int) -> None:
    """Count claims on the rule's row while it is open and has that many left. Raises SoldOut, Conflict(`coupon.not_open`)."""
    r = PromotionRule
    changed = session.execute(
        update(r)
        .where(r.id == rule_id, r.status == "active", r.version == version, r.used_count + number <= r.quantity)
        .values(used_count=r.used_count + number)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        state = session.execute(select(r.status, r.version).where(r.id == rule_id)).one()
        if tuple(state) != ("active", version):
            raise Conflict("coupon.not_open", "优惠券刚刚暂停领取")
        raise SoldOut("coupon.sold_out", "优惠券已领完")


def issue(actor: Actor, rule_id: int, account_ids: Sequence[int]) -> int:
    """Give a coupon to each account that has room under its limit; returns how many. All or nothing for the total quantity.

    Raises NotFound, Invalid(`coupon.accounts`), Conflict(`coupon.not_open`), SoldOut.
    """
    wanted = sorted(set(account_ids))
    if not 1 <= len(wanted) <= MAX_ISSUE:
        raise Invalid("coupon.accounts", f"每次发放 1–{MAX_ISSUE} 个账号", field="phones")
    desk.get_for(actor, rule_id)
    rule, spec = _claimable(rule_id)
    held = select(Coupon.account_id, Coupon.seq).where(Coupon.rule_id == rule_id, Coupon.account_id.in_(wanted))
    full = {account_id for account_id, seq in session.execute(held) if seq >= spec.per_account}
    given = [account_id for account_id in wanted if account_id not in full]
    if given:
        _give(rule, spec, given, "issue")
    audit.record(actor, "coupon.issued", "promotion", rule_id, detail={"given": len(given), "full": len(full)})
    return len(given)


def void_unused(actor: Actor, rule_id: int, reason: str) -> int:
    """Void the unused coupons of a rule (wrongly issued, shop closed); returns how many. Locked and used ones stay.

    Raises NotFound, Invalid(`coupon.reason`).
    """
    desk.get_for(actor, rule_id)
    why = clean(reason)[:200]
    if not why:
        raise Invalid("coupon.reason", "请填写作废原因", field="reason")
    changed = session.execute(
        update(Coupon)
        .where(Coupon.rule_id == rule_id, Coupon.status == "unused")
        .values(status="void")
        .execution_options(synchronize_session=False)
    )
    count = int(changed.rowcount)  # type: ignore[attr-defined]
    audit.record(actor, "coupon.voided", "promotion", rule_id, detail={"count": count, "reason": why})
    return count


def expire_due() -> int:
    """Periodic job: mark unused coupons whose time is over; returns how many. The clock decides on use, this only tidies."""
    due = (Coupon.status == "unused", Coupon.valid_until <= clock.now())
    ids = session.scalars(select(Coupon.id).where(*due).order_by(Coupon.valid_until).limit(EXPIRE_BATCH)).all()
    if not ids:
        return 0
    changed = session.execute(
        update(Coupon)
        .where(Coupon.id.in_(ids), Coupon.status == "unused")
        .values(status="expired")
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]
