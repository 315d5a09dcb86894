"""What buyers see of promotions: coupons to claim, their own coupons, the offers of a product, the next 满减 tier."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.catalog import queries as catalog
from app.core import clock
from app.core.db import session
from app.core.errors import NotFound
from app.core.money import percent_of
from app.core.paging import Page, paginate
from app.promotions.models import Coupon, PromotionRule, PromotionVersion
from app.promotions.pricing import ITEM, ITEM_KINDS, SHOP, Line, Quote, Rule
from app.promotions.queries import active
from app.promotions.queries.active import ActiveRule
from app.promotions.queries.buying import line
from app.promotions.spec import RuleSpec, benefit_text

MAX_CLAIMABLE = 60
USED_UP = "已抢光"
REFERENCE = timedelta(days=7)
SHOWN_AGE_S = 5


@dataclass(frozen=True)
class Claimable:
    """A coupon that can be claimed. state: '' = can be claimed | 已抢光 | 已领取; left_percent of its quantity is left."""

    rule_id: int
    merchant_id: int
    title: str
    benefit: str
    spec: RuleSpec
    left_percent: int
    state: str


@dataclass(frozen=True)
class OwnCoupon:
    """A coupon of an account; status is judged by the clock."""

    id: int
    rule_id: int
    merchant_id: int
    title: str
    benefit: str
    status: str
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True)
class Progress:
    """How far a shop's lines are from the next tier of one rule: gap_fen to go for off_fen; reached_off_fen is had already.

    A gap of 0 means that the highest tier is reached.
    """

    rule_id: int
    merchant_id: int
    title: str
    total_fen: int
    gap_fen: int
    off_fen: int
    reached_off_fen: int
    tiers: tuple[tuple[int, int], ...]

    @property
    def percent(self) -> int:
        """Return how full the bar is, 0 to 100, of the highest tier."""
        return min(100, self.total_fen * 100 // max(1, self.tiers[-1][0]))


def claimable(account_id: int, merchant_id: int = -1) -> list[Claimable]:
    """Return coupons open to everybody: all, or those of a shop (0 = the platform's). At most three queries."""
    return _shown(account_id, [c for c in active.current().coupons() if merchant_id < 0 or c.spec.merchant_id == merchant_id], True)


def _shown(account_id: int, coupons: list[ActiveRule], fresh: bool) -> list[Claimable]:
    """Return coupons with the account's state; fresh reads how many are left, else the number known to the process is taken."""
    found = sorted(coupons, key=lambda c: (-c.spec.priority, c.spec.ends_at, c.id))[:MAX_CLAIMABLE]
    if not found:
        return []
    ids, r = [c.id for c in found], PromotionRule
    used = {c.id: c.used_count for c in found}
    if fresh:
        used = {row.id: row.used_count for row in session.execute(select(r.id, r.used_count).where(r.id.in_(ids)))}
    own = _claims(account_id, ids)
    return [_claimable(c, used.get(c.id, 0), own.get(c.id, 0)) for c in found]


def _claims(account_id: int, rule_ids: Collection[int]) -> dict[int, int]:
    if not account_id:
        return {}
    c = Coupon
    rows = session.execute(
        select(c.rule_id, func.count(c.id)).where(c.account_id == account_id, c.rule_id.in_(list(rule_ids))).group_by(c.rule_id)
    )
    return {row[0]: int(row[1]) for row in rows}


def _claimable(found: ActiveRule, used: int, own: int) -> Claimable:
    spec = found.spec
    left = max(0, spec.quantity - used)
    state = "已领取" if own >= spec.per_account else (USED_UP if not left else "")
    percent = -(-left * 100 // spec.quantity)
    return Claimable(found.id, spec.merchant_id, spec.title, benefit_text(spec), spec, percent, state)


def list_own(account_id: int, status: str = "unused", cursor: str = "", size: int = 20) -> Page[OwnCoupon]:
    """Return a page of an account's coupons. status: unused (with locked ones) | used | expired (with void ones)."""
    c, at = Coupon, clock.now()
    statement = select(c).where(c.account_id == account_id)
    if status == "used":
        statement = statement.where(c.status == "used")
    elif status == "expired":
        statement = statement.where(c.status.in_(("expired", "void")) | ((c.status == "unused") & (c.valid_until <= at)))
    else:
        statement = statement.where((c.status == "locked") | ((c.status == "unused") & (c.valid_until > at)))
    page = paginate(statement, [c.id], lambda row: [row.id], cursor=cursor, size=size)
    found = active.specs((row.rule_id, row.version) for row in page.items)
    own = []
    for row in page.items:
        spec = found[row.rule_id, row.version]
        late = row.status == "unused" and row.valid_until <= at
        own.append(
            OwnCoupon(
                row.id, row.rule_id, row.merchant_id, spec.title, benefit_text(spec), "expired" if late else row.status,
                row.valid_from, row.valid_until,
            )
        )  # fmt: skip
    return Page(own, page.next_cursor)


def count_own(account_id: int) -> int:
    """Return how many coupons an account can use, up to 100."""
    c = Coupon
    usable = select(c.id).where(c.account_id == account_id, c.status == "unused", c.valid_until > clock.now()).limit(100).subquery()
    return session.scalar(select(func.count()).select_from(usable)) or 0


def get_shown(rule_id: int, account_id: int) -> tuple[RuleSpec, Rule]:
    """Return what the page of a promotion shows: a public one in force, or the version of a coupon the account holds.

    Raises NotFound(`promotion.missing`).
    """
    at = clock.now()
    for found in active.current().rules:
        if found.id == rule_id and found.rule.starts_at <= at < found.rule.ends_at and found.spec.is_public:
            return found.spec, found.rule
    c = Coupon
    held = (c.rule_id == rule_id, c.account_id == account_id, c.status == "unused", c.valid_until > at)
    version = session.scalar(select(c.version).where(*held).order_by(c.version.desc()).limit(1)) if account_id else None
    if version is None:
        raise NotFound("promotion.missing", "活动不存在或已结束")
    spec = active.specs([(rule_id, version)])[rule_id, version]
    return spec, spec.rule(rule_id, version)


@dataclass(frozen=True)
class ProductOffers:
    """What a product's page shows: (rule id, kind, text) of promotions, coupons to claim, and the item price now in force.

    item: the rule that gives the lowest item price, None without one. was_fen: the lowest price of the seven days before that
    rule began (commerce.md §2.22), 0 when there is no honest reference: another item price ran then, or there is no history.
    """

    promotions: Sequence[tuple[int, str, str]]
    coupons: Sequence[Claimable]
    item: Rule | None
    item_fen: int
    was_fen: int


def offers_of(line: Line, account_id: int = 0) -> ProductOffers:
    """Return the offers of a product, given as one unit at its lowest price.

    No query while the rules are known; one for an account where coupons can be claimed, two where an item price is in force.
    """
    at = clock.now()
    known = active.current(SHOWN_AGE_S)
    found = [f for f in known.rules if f.rule.scope.covers(line) and f.rule.starts_at <= at < f.rule.ends_at]
    shown = sorted((f for f in found if f.spec.kind != "coupon"), key=lambda f: (f.rule.layer, -f.rule.priority, f.id))
    texts = [(f.id, f.spec.kind, f"{f.spec.title}：{benefit_text(f.spec)}") for f in shown]
    coupons = _shown(account_id, [f for f in found if f.spec.kind == "coupon" and f.spec.is_public], False)
    items = [f.rule for f in shown if f.rule.layer == ITEM and f.spec.kind != "scan" and f.rule.runs_at(at) and not f.rule.channels]
    item = min(items, key=lambda r: (percent_of(line.unit_price_fen, r.rate_bps), r.id), default=None)
    if item is None:
        return ProductOffers(texts, coupons, None, line.unit_price_fen, 0)
    price_fen = percent_of(line.unit_price_fen, item.rate_bps)
    was_fen = _reference(line, item)
    return ProductOffers(texts, coupons, item, price_fen, was_fen if was_fen > price_fen else 0)


def _reference(line: Line, item: Rule) -> int:
    """Return the lowest price of the reference period before a rule, 0 when an item price lowered it in that time.

    A rule of calendar days begins with its present day: the days in between were sold at the list price.
    """
    start = max(item.starts_at, clock.day_bounds(clock.business_date())[0]) if item.month_days else item.starts_at
    since = start - REFERENCE
    v, r = PromotionVersion, PromotionRule
    earlier = session.execute(
        select(v.rule_id, v.version, v.spec)
        .join(r, r.id == v.rule_id)
        .where(r.kind.in_(ITEM_KINDS), r.starts_at < start, r.ends_at > since, r.activated_at.is_not(None), r.id != item.id)
        .limit(MAX_CLAIMABLE)
    )
    for rule_id, version, value in earlier:
        other = RuleSpec.from_json(value).rule(rule_id, version)
        if other.scope.covers(line) and other.kind != "scan" and _ran(other, since, start):
            return 0
    return catalog.lowest_price([line.sku_id], since, start).get(line.sku_id, 0)


def _ran(rule: Rule, since: datetime, until: datetime) -> bool:
    """Tell whether a rule ran at some time of [since, until)."""
    if not rule.month_days:
        return rule.starts_at < until and rule.ends_at > since
    days = [since + timedelta(days=n) for n in range((until - since).days + 1)]
    return any(rule.runs_at(max(day, rule.starts_at)) for day in days if day < until)


def filler(step: Progress, quote: Quote) -> catalog.PricedSku | None:
    """Return the cheapest product that is not in the cart and brings it to the next tier, else the cheapest in scope; one query."""
    rule = next((f.rule for f in active.current(SHOWN_AGE_S).rules if f.id == step.rule_id), None)
    have = {line.product_id for line in quote.lines}
    for found in catalog.fillers(step.merchant_id, step.gap_fen) if rule is not None else ():
        one = line(
            0, 1, merchant_id=step.merchant_id, product_id=found.product_id, category_id=found.category_id, price_fen=found.price_fen,
            area_code=found.area_code, tags=found.tags,
        )  # fmt: skip
        if found.product_id not in have and rule is not None and rule.scope.covers(one):
            return found
    return None


def progress(quote: Quote, rules: Sequence[Rule]) -> list[Progress]:
    """Return the next 满减 tier of each shop, from a priced cart: the gap in money, judged after item prices. No query.

    Of several rules of a shop the one of highest priority that covers a line is shown; lines that another activity of the shop
    took, or an exclusive rule closed, do not count.
    """
    units = {price.sku_id: price.unit_fen for price in quote.prices}
    exclusive = {rule.id for rule in rules if rule.exclusive}
    taken = [(s.sku_id, a.rule_id) for a in quote.adjustments if a.layer == SHOP or a.rule_id in exclusive for s in a.shares]
    found: dict[int, Progress] = {}
    for rule in sorted(rules, key=lambda r: (-r.priority, r.id)):
        merchant_id = rule.scope.merchant_id
        if rule.kind != "full_cut" or not merchant_id or merchant_id in found:
            continue
        gone = {sku_id for sku_id, by in taken if by != rule.id}
        covered = [line for line in quote.lines if line.sku_id not in gone and rule.scope.covers(line)]
        if not covered:
            continue
        total = sum(units[line.sku_id] * line.quantity for line in covered)
        reached = max((off for threshold, off in rule.tiers if total >= threshold), default=0)
        gap, off = next(((t - total, off) for t, off in rule.tiers if t > total), (0, 0))
        found[merchant_id] = Progress(rule.id, merchant_id, rule.title, total, gap, off, reached, rule.tiers)
    return [found[merchant_id] for merchant_id in sorted(found)]
