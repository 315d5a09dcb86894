"""Promotions of the demo region: the numbers the requirements name, as rules anybody can change (commerce.md §1.1C)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import session
from app.demo.accounts import MERCHANT_LOGIN
from app.identity import queries as identity
from app.merchants.models import Merchant
from app.promotions import service
from app.promotions.models import PromotionRule
from app.promotions.spec import RuleSpec

DAYS = 180
TIERED, DEEP = ((10_000, 1_000), (20_000, 3_000)), ((20_000, 5_000),)  # K01: 满100减10 满200减30; S4: 满200减50
# (kind, owner, title, values)
PLATFORM: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("member_day", "platform", "会员日全场8折", {"rate_bps": 8_000, "month_days": (8,)}),
    ("first_order", "platform", "首单立减20", {"tiers": ((3_000, 2_000),), "per_account": 1, "budget_fen": 10_000_000}),
    ("coupon", "platform", "入群5元券", {"tiers": ((2_000, 500),), "quantity": 5_000, "per_account": 1, "valid_days": 30}),
    ("coupon", "platform", "年货节9折券", {"rate_bps": 9_000, "min_fen": 8_800, "max_off_fen": 3_000, "quantity": 2_000, "per_account": 2, "valid_days": 15}),
    ("full_cut", "programme", "助农消费补贴", {"tiers": ((5_000, 500),), "tags": ("助农",), "programme": "澜州市助农消费补贴（虚构）", "budget_fen": 5_000_000}),
)  # fmt: skip
MERCHANT: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("full_cut", "店铺满减", {"tiers": TIERED}),
    ("full_cut", "年货节满减", {"tiers": DEEP}),
    ("scan", "扫码进店9折", {"rate_bps": 9_000}),
    ("coupon", "店铺满50减6券", {"tiers": ((5_000, 600),), "quantity": 300, "per_account": 2, "valid_days": 15}),
    ("timed", "限时9.5折", {"rate_bps": 9_500}),
)  # fmt: skip
# Which of the shop's rules each shop runs, repeated over the shops; the first shop shows all kinds but the second tier list.
MIXES = ((0, 2, 3), (1, 3), (0,), (4,), ())


def load() -> None:
    """Start what is missing; a rule is known by its shop and title."""
    start, end = clock.day_bounds(clock.business_date())[0], clock.day_bounds(clock.business_date() + timedelta(days=DAYS))[0]
    known = set(session.execute(select(PromotionRule.merchant_id, PromotionRule.title)).tuples())
    for kind, owner, title, values in PLATFORM:
        if (0, title) not in known:
            _start(RuleSpec(kind=kind, owner=owner, title=title, starts_at=start, ends_at=end, **values))
    for place, merchant_id in enumerate(_shops()):
        for number in MIXES[place % len(MIXES)]:
            kind, title, values = MERCHANT[number]
            if (merchant_id, title) not in known:
                _start(_own(kind, title, merchant_id, start, end, values))


def _shops() -> list[int]:
    """Return the active demo shops, the one people sign in to first."""
    found = session.scalars(select(Merchant.id).where(Merchant.code.startswith("DEMO"), Merchant.status == "active").order_by(Merchant.code))
    first = identity.find_by_login("merchant", MERCHANT_LOGIN)
    return sorted(found, key=lambda merchant_id: first is None or merchant_id != first.merchant_id)


def _own(kind: str, title: str, merchant_id: int, start: datetime, end: datetime, values: dict[str, Any]) -> RuleSpec:
    return RuleSpec(
        kind=kind, owner="merchant", title=title, starts_at=start, ends_at=end, merchant_id=merchant_id, merchant_bps=10_000, **values
    )


def _start(spec: RuleSpec) -> None:
    rule_id = service.draft(SYSTEM, spec).id
    if service.submit(SYSTEM, rule_id) == "submitted":
        service.approve(SYSTEM, rule_id)
