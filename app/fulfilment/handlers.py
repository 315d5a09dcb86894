"""Reactions of fulfilment; idempotent."""

from __future__ import annotations

from app.core import runtime
from app.core.actor import SYSTEM
from app.fulfilment import service
from app.fulfilment.events import ParcelShipped
from app.identity import queries as identity
from app.orders import queries as orders


def on_parcel_shipped(event: ParcelShipped) -> None:
    """In the demo and development, have the simulated carrier report the parcel's journey."""
    if runtime.current().settings.environment != "production":
        order = orders.get_for(SYSTEM, event.order_id)
        service.plan_simulated_scans(event.parcel_id, identity.area_name(order.area_code))
