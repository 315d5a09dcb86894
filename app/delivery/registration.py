"""What delivery hands to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.delivery import merchant, operator, storefront
from app.delivery.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="delivery",
        routes=(storefront.bp, merchant.bp, operator.bp),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "订单", "运费与时效", "/merchant/freight", "truck", "freight.edit", 60),
            MenuEntry("merchant", "店铺", "自提点", "/merchant/points", "map-pin", "pickup.manage", 60),
            MenuEntry("operator", "履约", "自提点", "/operator/points", "map-pin", "delivery.manage", 55),
            MenuEntry("operator", "履约", "配送日历", "/operator/delivery/calendar", "calendar-days", "delivery.manage", 60),
        ),
    )
