"""Reactions of orders to their own facts that lower tiers must hear of; idempotent by the job's key."""

from __future__ import annotations

from app.catalog import service as catalog
from app.orders import queries
from app.orders.events import OrderPaid


def on_order_paid(event: OrderPaid) -> None:
    """Count the units sold on their products; runs in one transaction with its job's completion, so it counts once."""
    for line in queries.lines_of([event.order_id])[event.order_id]:
        catalog.add_sold(line.product_id, line.quantity)
