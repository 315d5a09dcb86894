"""Reactions of search to the catalogue; idempotent: a product indexed twice is the same."""

from __future__ import annotations

from app.catalog.events import ProductChanged, ProductListed, ProductUnlisted
from app.search import service


def on_product_listed(event: ProductListed) -> None:
    """Index a product that appeared on the storefront."""
    service.mark_changed(event.product_id)


def on_product_unlisted(event: ProductUnlisted) -> None:
    """Take a product out of the replicas."""
    service.mark_changed(event.product_id)


def on_product_changed(event: ProductChanged) -> None:
    """Index the new texts, prices and variants."""
    service.mark_changed(event.product_id)
