"""Counting paid and shipped orders into the rollups; a mark per (kind, order) makes every handler idempotent."""

from __future__ import annotations

from app.orders.events import OrderPaid, OrderShipped
from app.supervision import service


def on_order_paid(event: OrderPaid) -> None:
    """Add a paid order to its business day."""
    service.count_paid(event.order_id, event.merchant_id, event.paid_fen, event.at_us)


def on_order_shipped(event: OrderShipped) -> None:
    """Add a shipped order to the business day of its shipping."""
    service.count_shipped(event.order_id, event.merchant_id, event.at_us)
