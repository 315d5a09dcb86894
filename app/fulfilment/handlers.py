"""Reactions of fulfilment; idempotent."""

from __future__ import annotations

from collections.abc import Sequence

from app.core import runtime
from app.core.actor import SYSTEM
from app.core.events import in_batches
from app.delivery import points
from app.delivery import service as delivery
from app.fulfilment import promising, service
from app.fulfilment.events import ParcelShipped
from app.identity import queries as identity
from app.orders import queries as orders
from app.orders.events import OrderCancelled, OrderPaid


def on_parcel_shipped(event: ParcelShipped) -> None:
    """In the demo and development, have the simulated carrier report the parcel's journey."""
    if runtime.current().settings.environment != "production":
        order = orders.get_for(SYSTEM, event.order_id)
        service.plan_simulated_scans(event.parcel_id, identity.area_name(order.area_code))


@in_batches
def on_order_paid(paid: Sequence[OrderPaid]) -> None:
    """Judge the delivery promises of orders by when they were paid; most were in time, which one query tells."""
    for order_id in orders.paid_past_promise([event.order_id for event in paid]):
        promising.judge(order_id)


def on_order_cancelled(event: OrderCancelled) -> None:
    """Give the order's place in the day's deliveries back."""
    delivery.release(event.order_id)
    points.cancel(event.order_id)
