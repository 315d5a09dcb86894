"""What content hands to the registry."""

from __future__ import annotations

from app.content import handlers, operator, storefront
from app.content.permissions import PERMISSIONS
from app.core.domain import Domain
from app.identity.events import AccountRegistered
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="content",
        routes=(storefront.bp, operator.bp),
        handlers=((AccountRegistered, handlers.on_account_registered),),
        permissions=PERMISSIONS,
        menu=(MenuEntry("operator", "运营", "首页与公告", "/operator/content", "newspaper", "content.edit", 30),),
    )
