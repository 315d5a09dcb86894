"""Counting paid and shipped orders into the rollups; a mark per (kind, order) makes every handler idempotent."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.events import in_batches
from app.orders.events import OrderPaid, OrderShipped
from app.supervision import service


@in_batches
def on_order_paid(paid: Sequence[OrderPaid]) -> None:
    """Add paid orders to their business days."""
    service.count_paid(paid)


@in_batches
def on_order_shipped(shipped: Sequence[OrderShipped]) -> None:
    """Add shipped orders to the business days of their shipping."""
    service.count_shipped(shipped)
