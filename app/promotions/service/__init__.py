"""Verbs of promotions: rules (`rules`), coupons (`coupons`), and what orders call for a trade (`trades`)."""

from __future__ import annotations

from app.promotions.service.coupons import SoldOut, claim, expire_due, issue, void_unused
from app.promotions.service.rules import approve, draft, end, end_due, pause, reject, resume, revise, submit
from app.promotions.service.trades import CouponGone, PromotionGone, divide, hold, release, settle

__all__ = [
    "CouponGone", "PromotionGone", "SoldOut", "approve", "claim", "divide", "draft", "end", "end_due", "expire_due", "hold", "issue",
    "pause", "reject", "release", "resume", "revise", "settle", "submit", "void_unused",
]  # fmt: skip
