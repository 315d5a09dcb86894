"""Reactions of inventory; idempotent."""

from __future__ import annotations

from app.catalog.events import SkuCreated, StockDeclared
from app.inventory import service


def on_sku_created(event: SkuCreated) -> None:
    """Make the variant's stock row."""
    service.ensure_stock([event.sku_id], event.merchant_id)


def on_stock_declared(event: StockDeclared) -> None:
    """Receive the opening stock a merchant declared in an import."""
    service.receive_declared(event.merchant_id, event.sku_ids, event.quantities, event.cause_id)
