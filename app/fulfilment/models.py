"""Parcels and their tracking events."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.core.db import Base, instant, pk, ref, text_column


class Parcel(Base):
    """One parcel of an order. status: shipped | delivered; (carrier, tracking_no) unique."""

    __tablename__ = "fulfilment_parcel"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    merchant_id: Mapped[int] = ref()
    carrier: Mapped[str] = text_column(20)
    tracking_no: Mapped[str] = text_column(40)
    status: Mapped[str] = text_column(16, default="shipped")
    shipped_at: Mapped[datetime] = instant()
    delivered_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("carrier", "tracking_no"),)


class TrackingEvent(Base):
    """A scan of a parcel; (parcel, source key) unique so that repeated pushes change nothing."""

    __tablename__ = "fulfilment_tracking"
    id: Mapped[int] = pk()
    parcel_id: Mapped[int] = ref()
    source_key: Mapped[str] = text_column(64)
    kind: Mapped[str] = text_column(20)
    place: Mapped[str] = text_column(60, default="-")
    text: Mapped[str] = text_column(200)
    at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("parcel_id", "source_key"), Index("ix_fulfilment_tracking__at", "parcel_id", "at"))
