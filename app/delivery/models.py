"""Freight templates with their versions, what is bound to them, delivery promises, the calendar and the day's load."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Date, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, instant, pk, ref, text_column


class FreightTemplate(Base):
    """A merchant's freight template; what it says is its current version. status: active | archived.

    default_key is the merchant's id for the one default of a shop, else the row's own id: unique either way.
    """

    __tablename__ = "delivery_template"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    name: Mapped[str] = text_column(40)
    basis: Mapped[str] = text_column(12)
    status: Mapped[str] = text_column(12, default="active")
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)
    default_key: Mapped[int] = ref()
    created_at: Mapped[datetime] = instant()
    updated_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("default_key"), Index("ix_delivery_template__merchant", "merchant_id", "id"))

    @property
    def is_default(self) -> bool:
        """Tell whether goods without a template of their own use this one."""
        return self.default_key == self.merchant_id


class FreightVersion(Base):
    """What a template said from an instant on; never changed (trap 26)."""

    __tablename__ = "delivery_template_version"
    id: Mapped[int] = pk()
    template_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    spec: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    created_by: Mapped[int] = ref(default=0)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("template_id", "version"),)


class DeliveryGoods(Base):
    """What delivery knows of a product (sku_id 0) or one variant: its template (0 = the default) and cm³ of a piece (0 = unknown)."""

    __tablename__ = "delivery_goods"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    product_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref(default=0)
    template_id: Mapped[int] = ref(default=0)
    volume_cm3: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (UniqueConstraint("product_id", "sku_id"), CheckConstraint("volume_cm3 >= 0", name="volume"))


class DeliveryPromise(Base):
    """A promise of a shop; see `promises.PromiseRule` for the columns. status: active | paused; weekdays: ISO digits."""

    __tablename__ = "delivery_promise"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    name: Mapped[str] = text_column(40)
    transit_days: Mapped[int] = mapped_column(Integer, nullable=False)
    cutoff_min: Mapped[int] = mapped_column(Integer, nullable=False)
    deliver_by_min: Mapped[int] = mapped_column(Integer, nullable=False)
    areas: Mapped[list[str]] = mapped_column(PortableJSON, nullable=False)
    warehouse_id: Mapped[int] = ref(default=0)
    template_id: Mapped[int] = ref(default=0)
    weekdays: Mapped[str] = text_column(7)
    capacity: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    status: Mapped[str] = text_column(12, default="active")
    created_at: Mapped[datetime] = instant()
    __table_args__ = (CheckConstraint("capacity >= 0", name="capacity"),)


class Holiday(Base):
    """A day on which nothing is sent or delivered in the region."""

    __tablename__ = "delivery_holiday"
    id: Mapped[int] = pk()
    day_on: Mapped[date] = mapped_column(Date, nullable=False)
    name: Mapped[str] = text_column(40)
    __table_args__ = (UniqueConstraint("day_on"),)


class DeliveryLoad(Base):
    """Orders that count against a promise's capacity on a dispatch day."""

    __tablename__ = "delivery_load"
    id: Mapped[int] = pk()
    promise_id: Mapped[int] = ref()
    day_on: Mapped[date] = mapped_column(Date, nullable=False)
    taken: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (UniqueConstraint("promise_id", "day_on"), CheckConstraint("taken >= 0", name="taken"))


class DeliveryClaim(Base):
    """An order's place in a promise's load. state: held | released."""

    __tablename__ = "delivery_claim"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    promise_id: Mapped[int] = ref()
    day_on: Mapped[date] = mapped_column(Date, nullable=False)
    state: Mapped[str] = text_column(12, default="held")
    __table_args__ = (UniqueConstraint("order_id"),)


class PickupPoint(Base):
    """A place where buyers collect. merchant_id: the shop whose clerks hand over; is_shared: other shops may send there too.

    capacity: orders it holds at once, open_count: those it holds or awaits; keep_days: how long it keeps what is ready.
    status: active | closed.
    """

    __tablename__ = "delivery_point"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    name: Mapped[str] = text_column(40)
    area_code: Mapped[str] = text_column(16)
    street: Mapped[str] = text_column(100)
    phone: Mapped[str] = text_column(20)
    hours: Mapped[str] = text_column(60)
    capacity: Mapped[int] = mapped_column(Integer, nullable=False)
    open_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    keep_days: Mapped[int] = mapped_column(Integer, nullable=False, default=3)
    is_shared: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    status: Mapped[str] = text_column(12, default="active")
    created_at: Mapped[datetime] = instant()
    __table_args__ = (CheckConstraint("capacity > 0 AND open_count >= 0 AND keep_days > 0", name="amounts"),)


class Pickup(Base):
    """An order that is collected. state: booked | ready | collected | returned | cancelled.

    live_code: blind index of the code while it is good (ready), else '#' and the row's id: unique among living codes. code_enc: the
    code for its buyer. rev counts the moves between ready and collected, so that undoing names the handing-over it undoes.
    """

    __tablename__ = "delivery_pickup"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    point_id: Mapped[int] = ref()
    point_name: Mapped[str] = text_column(40)
    state: Mapped[str] = text_column(12, default="booked")
    live_code: Mapped[str] = text_column(64)
    code_enc: Mapped[str | None] = text_column(200, nullable=True)
    ready_at: Mapped[datetime | None] = instant(nullable=True)
    keep_until: Mapped[datetime | None] = instant(nullable=True)
    reminded_at: Mapped[datetime | None] = instant(nullable=True)
    collected_at: Mapped[datetime | None] = instant(nullable=True)
    collected_by: Mapped[int] = ref(default=0)
    rev: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (
        UniqueConstraint("order_id"),
        UniqueConstraint("live_code"),
        Index("ix_delivery_pickup__point", "point_id", "state", "id"),
        Index("ix_delivery_pickup__merchant", "merchant_id", "state", "id"),
        Index("ix_delivery_pickup__state", "state", "keep_until"),
    )
