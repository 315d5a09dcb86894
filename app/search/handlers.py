"""Reactions of search to the catalogue; idempotent: a product indexed twice is the same."""

from __future__ import annotations

from collections.abc import Sequence

from app.catalog.events import ProductChanged, ProductListed, ProductUnlisted
from app.core.events import in_batches
from app.search import service


@in_batches
def on_product_listed(listed: Sequence[ProductListed]) -> None:
    """Index products that appeared on the storefront."""
    service.mark_changed(event.product_id for event in listed)


@in_batches
def on_product_unlisted(unlisted: Sequence[ProductUnlisted]) -> None:
    """Take products out of the replicas."""
    service.mark_changed(event.product_id for event in unlisted)


@in_batches
def on_product_changed(changed: Sequence[ProductChanged]) -> None:
    """Index the new texts, prices and variants."""
    service.mark_changed(event.product_id for event in changed)
