"""What reviews hands to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.reviews import merchant, operator, storefront
from app.reviews.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="reviews",
        routes=(storefront.bp, merchant.bp, operator.bp),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "店铺", "评价管理", "/merchant/reviews", "star", "review.reply", 40),
            MenuEntry("operator", "运营", "评价管理", "/operator/reviews", "star", "review.moderate", 50),
        ),
    )
