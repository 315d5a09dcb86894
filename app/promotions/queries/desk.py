"""Reads of the desks: rules of a shop or of all, what they did, adjustments of orders. Rows come through `get_for`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from app.core import clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.promotions import states
from app.promotions.models import Coupon, PromotionAdjustment, PromotionRule, PromotionVersion
from app.promotions.queries import active
from app.promotions.spec import RuleSpec, benefit_text

MAX_VERSIONS = 50


@dataclass(frozen=True)
class RuleRow:
    """A rule in a list. state is what people see (`states.shown`)."""

    id: int
    kind: str
    owner: str
    merchant_id: int
    title: str
    state: str
    version: int
    benefit: str
    starts_at: datetime
    ends_at: datetime
    quantity: int
    used_count: int


@dataclass(frozen=True)
class Effect:
    """What a rule did so far: orders it touched, what it took off by who bears it, coupons claimed and used."""

    orders: int = 0
    off_fen: int = 0
    merchant_fen: int = 0
    platform_fen: int = 0
    programme_fen: int = 0
    claimed: int = 0
    used: int = 0


def missing() -> NotFound:
    """Return the refusal for unknown and foreign rules alike."""
    return NotFound("promotion.missing", "活动不存在")


def get_for(actor: Actor, rule_id: int) -> PromotionRule:
    """Return a rule the actor may see: the merchant's own, any for operators. Raises NotFound(`promotion.missing`)."""
    row = session.get(PromotionRule, rule_id)
    allowed = row is not None and (
        actor.realm == "system"
        or (actor.realm == "merchant" and bool(actor.merchant_id) and row.merchant_id == actor.merchant_id)
        or (actor.realm == "operator" and actor.can("promotion.view"))
    )
    if row is None or not allowed:
        raise missing()
    return row


def spec_of(rule: PromotionRule, version: int = 0) -> RuleSpec:
    """Return what a rule the caller may see says, now or in an older version. Raises NotFound(`promotion.version`)."""
    pair = (rule.id, version or rule.version)
    found = active.specs([pair])
    if pair not in found:
        raise NotFound("promotion.version", "没有这个版本")
    return found[pair]


def list_versions(rule: PromotionRule) -> list[PromotionVersion]:
    """Return the newest versions of a rule the caller may see, newest first."""
    v = PromotionVersion
    statement = select(v).where(v.rule_id == rule.id).order_by(v.version.desc()).limit(MAX_VERSIONS)
    return list(session.scalars(statement))


def list_for(actor: Actor, *, status: str = "", kind: str = "", owner: str = "", cursor: str = "", size: int = 20) -> Page[RuleRow]:
    """Return a page of rules, newest first: the merchant's own, or all for operators."""
    r, at = PromotionRule, clock.now()
    statement = select(r)
    if actor.realm == "merchant":
        statement = statement.where(r.merchant_id == actor.merchant_id)
    if status in states.RULE_NAMES and status != "waiting":
        statement = statement.where(r.status == status)
    if kind:
        statement = statement.where(r.kind == kind)
    if owner:
        statement = statement.where(r.owner == owner)
    page = paginate(statement, [r.id], lambda row: [row.id], cursor=cursor, size=size)
    found = active.specs((row.id, row.version) for row in page.items)
    rows = [
        RuleRow(
            row.id, row.kind, row.owner, row.merchant_id, row.title, states.shown(row.status, row.starts_at, row.ends_at, at),
            row.version, benefit_text(found[row.id, row.version]), row.starts_at, row.ends_at, row.quantity, row.used_count,
        )
        for row in page.items
    ]  # fmt: skip
    return Page(rows, page.next_cursor)


def count_submitted() -> int:
    """Return how many rules wait for approval, up to 100."""
    waiting = select(PromotionRule.id).where(PromotionRule.status == "submitted").limit(100).subquery()
    return session.scalar(select(func.count()).select_from(waiting)) or 0


def effects(rule_ids: Sequence[int]) -> dict[int, Effect]:
    """Return what rules did, leaving out undone trades; two queries. At most 200 ids."""
    if not rule_ids:
        return {}
    a, c = PromotionAdjustment, Coupon
    sums = session.execute(
        select(
            a.rule_id, func.count(a.order_id.distinct()), func.sum(a.amount_fen), func.sum(a.merchant_fen), func.sum(a.platform_fen),
            func.sum(a.programme_fen),
        )
        .where(a.rule_id.in_(list(rule_ids)), a.is_void == False)  # noqa: E712
        .group_by(a.rule_id)
    )  # fmt: skip
    money = {row[0]: [int(v or 0) for v in row[1:]] for row in sums}
    used = func.sum(case((c.status == "used", 1), else_=0))
    counts = session.execute(select(c.rule_id, func.count(c.id), used).where(c.rule_id.in_(list(rule_ids))).group_by(c.rule_id))
    coupons = {row[0]: [int(row[1]), int(row[2] or 0)] for row in counts}
    return {i: Effect(*[*money.get(i, [0] * 5), *coupons.get(i, [0] * 2)]) for i in rule_ids}


def adjustments_of(order_ids: Sequence[int]) -> dict[int, list[PromotionAdjustment]]:
    """Return the frozen adjustments of orders the caller may see, by order id, in order of application; one query."""
    grouped: dict[int, list[PromotionAdjustment]] = {order_id: [] for order_id in order_ids}
    if order_ids:
        a = PromotionAdjustment
        statement = select(a).where(a.order_id.in_(list(order_ids))).order_by(a.layer, a.rule_id, a.line_id)
        for row in session.scalars(statement):
            grouped[row.order_id].append(row)
    return grouped


@dataclass(frozen=True)
class OffLine:
    """One promotion of an order: its title and what it took off, by who bears it."""

    title: str
    kind: str
    fen: int
    merchant_fen: int
    platform_fen: int
    programme_fen: int
    programme: str


def summary_of(order_id: int) -> list[OffLine]:
    """Return the promotions of an order the caller may see, lines summed up; one query."""
    grouped: dict[tuple[int, int, int, int], list[PromotionAdjustment]] = {}
    for row in adjustments_of([order_id])[order_id]:
        grouped.setdefault((row.layer, row.rule_id, row.version, row.coupon_id), []).append(row)
    return [
        OffLine(
            rows[0].title, rows[0].kind, sum(r.amount_fen for r in rows), sum(r.merchant_fen for r in rows),
            sum(r.platform_fen for r in rows), sum(r.programme_fen for r in rows), rows[0].programme,
        )
        for _, rows in sorted(grouped.items())
    ]  # fmt: skip
