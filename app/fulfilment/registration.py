"""What fulfilment hands to the registry."""

from __future__ import annotations

from typing import Any

from app.core.domain import Domain
from app.fulfilment import handlers, merchant, service, storefront
from app.fulfilment.events import ParcelShipped
from app.fulfilment.permissions import PERMISSIONS


def _scan(payload: dict[str, Any]) -> None:
    service.simulate_scan(**payload)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="fulfilment",
        routes=(storefront.bp, merchant.bp),
        handlers=((ParcelShipped, handlers.on_parcel_shipped),),
        jobs=((service.SIMULATE_JOB, _scan),),
        permissions=PERMISSIONS,
    )
