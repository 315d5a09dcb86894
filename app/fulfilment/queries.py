"""Reads of fulfilment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.core.db import session
from app.fulfilment.carriers import CARRIERS
from app.fulfilment.models import Parcel, TrackingEvent


@dataclass(frozen=True)
class ParcelView:
    """A parcel with its scans, newest first."""

    parcel: Parcel
    carrier_name: str
    events: Sequence[TrackingEvent]


def parcels_of(order_id: int) -> list[ParcelView]:
    """Return an order's parcels with their scans; two queries. The caller has checked who may see the order."""
    parcels = list(session.scalars(select(Parcel).where(Parcel.order_id == order_id).order_by(Parcel.id)))
    if not parcels:
        return []
    scans = list(
        session.scalars(
            select(TrackingEvent)
            .where(TrackingEvent.parcel_id.in_([p.id for p in parcels]))
            .order_by(TrackingEvent.at.desc(), TrackingEvent.id.desc())
        )
    )
    return [
        ParcelView(p, CARRIERS.get(p.carrier, p.carrier), [e for e in scans if e.parcel_id == p.id]) for p in parcels
    ]
