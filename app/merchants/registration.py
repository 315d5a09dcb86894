"""What merchants hand to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.merchants import merchant, operator
from app.merchants.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="merchants",
        routes=(merchant.bp, operator.bp),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "店铺", "店铺与资质", "/merchant/shop", "store", "shop.edit", 10),
            MenuEntry("operator", "商品与商家", "入驻审核", "/operator/merchants", "badge-check", "merchant.view", 20),
        ),
    )
