"""Reactions of orders to their own facts that lower tiers must hear of; idempotent by the job's key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.catalog import service as catalog
from app.core.events import in_batches
from app.orders import cases, queries, screening
from app.orders.events import OrderPaid


@in_batches
def on_order_paid(paid: Sequence[OrderPaid]) -> None:
    """Count the units sold and look for what is wrong; one transaction with the jobs' completion, so each counts once."""
    ids = [event.order_id for event in paid]
    units: Counter[int] = Counter()
    for line in queries.line_facts(ids):
        units[line.product_id] += line.quantity
    catalog.add_sold(units)
    cases.inspect(ids)
    screening.screen(ids)
