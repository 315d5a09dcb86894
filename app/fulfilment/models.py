"""Parcels with what is in them, their scans and temperatures, the log of prints, tries at pickup codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, instant, pk, ref, text_column


class Parcel(Base):
    """One parcel of an order. status: a key of `states.RANKS`, never moved backwards; (carrier, tracking_no) unique.

    warehouse_id: where it was packed, NULL for parcels older than this column; temperature: what its goods need, NULL likewise.
    """

    __tablename__ = "fulfilment_parcel"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    merchant_id: Mapped[int] = ref()
    carrier: Mapped[str] = text_column(20)
    tracking_no: Mapped[str] = text_column(40)
    status: Mapped[str] = text_column(16, default="shipped")
    warehouse_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    temperature: Mapped[str | None] = text_column(12, nullable=True)
    breached_at: Mapped[datetime | None] = instant(nullable=True)
    shipped_at: Mapped[datetime] = instant()
    delivered_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("carrier", "tracking_no"),)


class ParcelLine(Base):
    """Units of an order line in a parcel."""

    __tablename__ = "fulfilment_parcel_line"
    id: Mapped[int] = pk()
    parcel_id: Mapped[int] = ref()
    order_id: Mapped[int] = ref(index=True)
    line_id: Mapped[int] = ref()
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    __table_args__ = (UniqueConstraint("parcel_id", "line_id"), CheckConstraint("quantity > 0", name="quantity"))


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


class TemperatureReading(Base):
    """A temperature of a parcel on its way, in tenths of a degree Celsius."""

    __tablename__ = "fulfilment_temperature"
    id: Mapped[int] = pk()
    parcel_id: Mapped[int] = ref()
    source_key: Mapped[str] = text_column(64)
    celsius_tenths: Mapped[int] = mapped_column(Integer, nullable=False)
    place: Mapped[str] = text_column(60, default="-")
    at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("parcel_id", "source_key"),)


class PrintLog(Base):
    """A paper that was printed. kind: pick | slip | label; seq counts the prints of one object: above 1 it is a reprint."""

    __tablename__ = "fulfilment_print"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(12)
    object_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    account_name: Mapped[str] = text_column(60)
    seq: Mapped[int] = mapped_column(Integer, nullable=False)
    at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("kind", "object_id", "seq"),)


class CodeTry(Base):
    """A wrong pickup code a clerk entered."""

    __tablename__ = "fulfilment_code_try"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref()
    at: Mapped[datetime] = instant()
    __table_args__ = (Index("ix_fulfilment_code_try__account", "account_id", "at"),)
