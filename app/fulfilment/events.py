"""Facts about parcels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ParcelShipped:
    """A parcel left the merchant. at_us: microseconds since the epoch."""

    order_id: int
    parcel_id: int
    at_us: int
