"""Rules and coupons for tests: specs with sensible defaults, started at once. Committed for real."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from app.core import clock
from app.core.actor import SYSTEM
from app.core.tx import transaction
from app.promotions import service
from app.promotions.models import PromotionRule
from app.promotions.spec import RuleSpec


def spec(kind: str = "full_cut", merchant_id: int = 0, **values: Any) -> RuleSpec:
    """Return a spec that passes the checks; it runs from an hour ago for ten days."""
    at = clock.now()
    base = RuleSpec(
        kind=kind, owner="merchant" if merchant_id else "platform", title=f"测试{kind}", starts_at=at - timedelta(hours=1),
        ends_at=at + timedelta(days=10), merchant_id=merchant_id, merchant_bps=10_000 if merchant_id else 0,
    )  # fmt: skip
    if kind in {"full_cut", "first_order", "coupon"} and "rate_bps" not in values:
        base = replace(base, tiers=((1_000, 200),))
    if kind in {"timed", "member_day", "scan"}:
        base = replace(base, rate_bps=8_000, month_days=tuple(range(1, 32)) if kind == "member_day" else ())
    if kind == "first_order":
        base = replace(base, per_account=1)
    if kind == "coupon":
        base = replace(base, quantity=100, per_account=1)
    return replace(base, **values)


def start(kind: str = "full_cut", merchant_id: int = 0, **values: Any) -> int:
    """Make a rule and start it; returns its id."""
    with transaction():
        rule = service.draft(SYSTEM, spec(kind, merchant_id, **values))
        rule_id, owner = rule.id, rule.owner
        if service.submit(SYSTEM, rule_id) == "submitted":
            service.approve(SYSTEM, rule_id)
    assert owner in {"merchant", "platform", "programme"}
    return rule_id


def row(db: Any, rule_id: int) -> PromotionRule:
    """Return a rule, read afresh."""
    db.rollback()
    db.expire_all()
    found: PromotionRule = db.get_one(PromotionRule, rule_id)
    return found
