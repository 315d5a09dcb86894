"""What risk hands to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.risk import operator
from app.risk.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="risk",
        routes=(operator.bp,),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("operator", "交易", "风控决策", "/operator/risk/decisions", "shield-alert", "risk.view", 16),
            MenuEntry("operator", "交易", "风控规则", "/operator/risk/rules", "shield", "risk.view", 17),
        ),
    )
