"""Reads of promotions: rules in force (`active`), what a price depends on (`buying`), buyers' pages (`shopping`), desks (`desk`)."""

from __future__ import annotations

from app.promotions.queries.active import Active, ActiveRule, current, specs
from app.promotions.queries.buying import GUEST, Buyer, context, line, on_first_order_check, wallet
from app.promotions.queries.desk import (
    Effect,
    OffLine,
    RuleRow,
    adjustments_of,
    count_submitted,
    effects,
    get_for,
    list_for,
    list_versions,
    spec_of,
    summary_of,
)
from app.promotions.queries.shopping import (
    Claimable,
    OwnCoupon,
    ProductOffers,
    Progress,
    claimable,
    count_own,
    filler,
    get_shown,
    list_own,
    offers_of,
    progress,
)
from app.promotions.spec import benefit_text

__all__ = [
    "GUEST", "Active", "ActiveRule", "Buyer", "Claimable", "Effect", "OffLine", "OwnCoupon", "ProductOffers", "Progress",
    "RuleRow", "adjustments_of", "benefit_text", "claimable", "context", "count_own", "count_submitted", "current", "effects", "filler",
    "get_for", "get_shown", "line", "list_for", "list_own", "list_versions", "offers_of", "on_first_order_check", "progress",
    "spec_of", "specs", "summary_of", "wallet",
]  # fmt: skip
