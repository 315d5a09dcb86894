"""Facts about parcels and pickups."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ParcelShipped:
    """A parcel left the merchant. at_us: microseconds since the epoch."""

    order_id: int
    parcel_id: int
    at_us: int


@dataclass(frozen=True)
class ParcelFailed:
    """A parcel will not arrive. reason: lost | returned."""

    order_id: int
    parcel_id: int
    merchant_id: int
    reason: str


@dataclass(frozen=True)
class ColdChainBreached:
    """A cold parcel was warmer or colder than its class allows, for the first time."""

    order_id: int
    parcel_id: int
    merchant_id: int
    celsius_tenths: int


@dataclass(frozen=True)
class PickupPrepared:
    """An order waits at its pickup point."""

    order_id: int
    pickup_id: int


@dataclass(frozen=True)
class PickupReminded:
    """A pickup ends soon and its buyer has not come."""

    order_id: int
    pickup_id: int


@dataclass(frozen=True)
class PickupReturned:
    """Nobody collected an order in time; its goods go back to the merchant."""

    order_id: int
    pickup_id: int
    merchant_id: int
