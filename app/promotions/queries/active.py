"""The rules in force, kept in the process; a number in the database tells when they are old: one cheap query per use."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from app.core import clock, sql
from app.core.cache_reset import on_reset
from app.core.db import session
from app.promotions.models import PromotionRevision, PromotionRule, PromotionVersion
from app.promotions.pricing import Rule
from app.promotions.spec import RuleSpec

REVISION_ID = 1
MAX_SPECS = 2_000
_REVISION = select(PromotionRevision.revision).where(PromotionRevision.id == bindparam("id"))


@dataclass(frozen=True)
class ActiveRule:
    """A rule in force (or about to be) with its author's words and its count at load time."""

    id: int
    version: int
    spec: RuleSpec
    rule: Rule
    used_count: int


@dataclass(frozen=True)
class Active:
    """Everything in force at a revision. has_coupons: some coupon rule was ever active, so wallets may hold something."""

    revision: int
    rules: tuple[ActiveRule, ...]
    has_coupons: bool

    def promotions(self) -> tuple[Rule, ...]:
        """Return the rules that work by themselves."""
        return tuple(found.rule for found in self.rules if found.spec.kind != "coupon")

    def coupons(self) -> list[ActiveRule]:
        """Return the coupons that can be claimed now by everybody."""
        at = clock.now()
        return [f for f in self.rules if f.spec.kind == "coupon" and f.spec.is_public and f.rule.starts_at <= at < f.rule.ends_at]


_cached: list[tuple[float, Active]] = []  # (monotonic second of the last check, rules)
_specs: dict[tuple[int, int], RuleSpec] = {}  # versions never change, so these are never old


@on_reset
def forget() -> None:
    """Read everything again at the next call."""
    _cached.clear()
    _specs.clear()


def current(max_age_s: int = 0) -> Active:
    """Return the rules in force; one query while nothing has changed.

    max_age_s: pages that only show offers accept what was checked so many seconds ago, without a query. Prices never do.
    """
    kept = _cached[0] if _cached else None
    if kept is not None and max_age_s and time.monotonic() - kept[0] < max_age_s:
        return kept[1]
    revision = sql.read(_REVISION, {"id": REVISION_ID}).scalar() or 0
    found = kept[1] if kept is not None and kept[1].revision == revision else _load(revision)
    _cached[:] = [(time.monotonic(), found)]
    return found


def check_again() -> None:
    """Ask the database at the next call whatever its age; verbs that change rules call this for their own process."""
    _cached[:] = [(-math.inf, found) for _, found in _cached]


def _load(revision: int) -> Active:
    r, v = PromotionRule, PromotionVersion
    rows = session.execute(
        select(r.id, r.version, v.spec, r.used_count)
        .join(v, (v.rule_id == r.id) & (v.version == r.version))
        .where(r.status == "active", r.ends_at > clock.now())
        .order_by(r.id)
    )
    found = []
    for rule_id, version, value, used in rows:
        spec = RuleSpec.from_json(value)
        found.append(ActiveRule(rule_id, version, spec, spec.rule(rule_id, version), used))
    ever = select(r.id).where(r.kind == "coupon", r.activated_at.is_not(None)).limit(1)
    return Active(revision, tuple(found), session.scalar(ever) is not None)


def specs(versions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], RuleSpec]:
    """Return what (rule id, version) pairs say; no query for pairs seen before. Unknown pairs are absent."""
    wanted = set(versions)
    missing = {pair[0] for pair in wanted if pair not in _specs}
    if missing:
        if len(_specs) > MAX_SPECS:
            _specs.clear()
            missing = {pair[0] for pair in wanted}
        v = PromotionVersion
        for rule_id, version, value in session.execute(select(v.rule_id, v.version, v.spec).where(v.rule_id.in_(missing))):
            _specs[rule_id, version] = RuleSpec.from_json(value)
    return {pair: _specs[pair] for pair in wanted if pair in _specs}
