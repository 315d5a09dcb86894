"""What supervision hands to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.orders.events import OrderPaid, OrderShipped
from app.supervision import government, handlers
from app.supervision.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="supervision",
        routes=(government.bp,),
        handlers=((OrderPaid, handlers.on_order_paid), (OrderShipped, handlers.on_order_shipped)),
        permissions=PERMISSIONS,
        menu=(MenuEntry("government", "", "运行总览", "/gov/", "layout-dashboard", "board.view"),),
    )
