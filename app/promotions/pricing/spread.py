"""Splitting amounts over lines, and the share of returned units (commerce.md §2.4: apportionment, per-unit money)."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.money import allocate, share_of
from app.promotions.pricing.model import Share


def spread(total_fen: int, weights: Sequence[int], caps: Sequence[int] | None = None) -> list[int]:
    """Split over weights by largest remainder under caps; ties go to the earlier place, so give lines in SKU order.

    Raises ValueError when the weights and caps cannot hold the total: an amount is never lost on the way.
    """
    parts = allocate(total_fen, weights, caps)
    if sum(parts) != total_fen:
        raise ValueError("the lines cannot bear the amount")
    return parts


def reversed_share(share: Share, quantity: int, first: int, count: int) -> Share:
    """Return what units first+1 … first+count of a line's `quantity` give back to each funder.

    Each part telescopes by itself, so any sequence of returns ends at exactly the share. Raises ValueError for units outside.
    """
    merchant = share_of(share.merchant_fen, quantity, first, count)
    platform = share_of(share.platform_fen, quantity, first, count)
    programme = share_of(share.programme_fen, quantity, first, count)
    return Share(share.merchant_id, share.sku_id, merchant + platform + programme, merchant, platform, programme)
