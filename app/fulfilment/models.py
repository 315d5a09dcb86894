"""Parcels with what is in them, their scans and temperatures, the log of prints, tries at pickup codes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, LongText, PortableJSON, fen, instant, pk, ref, text_column


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


class Waybill(Base):
    """An e-waybill asked of a carrier. state: asked | issued | failed | cancelled; tracking_no is '#' and the id until it is known.

    units: by order line, as text keys; the reference given to the carrier is RM and the id, the same for every repeat.
    """

    __tablename__ = "fulfilment_waybill"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    merchant_id: Mapped[int] = ref()
    carrier: Mapped[str] = text_column(20)
    state: Mapped[str] = text_column(12, default="asked")
    tracking_no: Mapped[str] = text_column(40)
    units: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    error: Mapped[str | None] = text_column(200, nullable=True)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("carrier", "tracking_no"), Index("ix_fulfilment_waybill__merchant", "merchant_id", "id"))


class CarrierPush(Base):
    """A push as it came in, verified; digest is over carrier and body, so that a repeat is kept once."""

    __tablename__ = "fulfilment_push"
    id: Mapped[int] = pk()
    carrier: Mapped[str] = text_column(20)
    digest: Mapped[str] = text_column(64)
    content: Mapped[str] = mapped_column(LongText, nullable=False)
    received_at: Mapped[datetime] = instant()
    applied_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("digest"),)


class Shelf(Base):
    """Where a variant lies in its shop's warehouse."""

    __tablename__ = "fulfilment_shelf"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    sku_id: Mapped[int] = ref()
    place: Mapped[str] = text_column(20)
    __table_args__ = (UniqueConstraint("sku_id"),)


class Wave(Base):
    """Orders of a shop that are picked together. status: open | picked."""

    __tablename__ = "fulfilment_wave"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    number: Mapped[str] = text_column(20)
    status: Mapped[str] = text_column(12, default="open")
    created_at: Mapped[datetime] = instant()
    picked_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (Index("ix_fulfilment_wave__merchant", "merchant_id", "id"),)


class WaveOrder(Base):
    """An order of a wave; an order is in one wave only."""

    __tablename__ = "fulfilment_wave_order"
    id: Mapped[int] = pk()
    wave_id: Mapped[int] = ref(index=True)
    order_id: Mapped[int] = ref()
    __table_args__ = (UniqueConstraint("order_id"),)


class Trip(Base):
    """One vehicle's way with several shops' orders to one place. status: planned | out | done; solo_fen: what single trips would cost."""

    __tablename__ = "fulfilment_trip"
    id: Mapped[int] = pk()
    number: Mapped[str] = text_column(20)
    place: Mapped[str] = text_column(40)
    driver: Mapped[str] = text_column(40)
    vehicle: Mapped[str] = text_column(40)
    cost_fen: Mapped[int] = fen()
    solo_fen: Mapped[int] = fen()
    status: Mapped[str] = text_column(12, default="planned")
    created_at: Mapped[datetime] = instant()
    __table_args__ = (CheckConstraint("cost_fen > 0 AND solo_fen > 0", name="amounts"),)


class TripStop(Base):
    """An order of a trip with the weight it is charged by and its share of the cost; an order is on one trip only."""

    __tablename__ = "fulfilment_trip_stop"
    id: Mapped[int] = pk()
    trip_id: Mapped[int] = ref(index=True)
    order_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    charged_g: Mapped[int] = mapped_column(BigInteger, nullable=False)
    share_fen: Mapped[int] = fen()
    seq: Mapped[int] = mapped_column(Integer, nullable=False)
    __table_args__ = (UniqueConstraint("order_id"), CheckConstraint("share_fen >= 0", name="share"))
