"""What the catalogue does when something happened to a merchant."""

from __future__ import annotations

from app.catalog.service import listing
from app.merchants.events import MerchantApproved, MerchantSuspended


def on_merchant_suspended(event: MerchantSuspended) -> None:
    """Unlist the merchant's products; they list again by themselves when it resumes."""
    _refresh_all(event.merchant_id)


def on_merchant_approved(event: MerchantApproved) -> None:
    """List again what stands approved on the shelf."""
    _refresh_all(event.merchant_id)


def _refresh_all(merchant_id: int) -> None:
    last = listing.refresh_merchant(merchant_id)
    while last:
        last = listing.refresh_merchant(merchant_id, last)
