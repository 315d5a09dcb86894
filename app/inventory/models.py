"""Warehouses, stock columns and the typed movement ledger (commerce.md §2.6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, instant, pk, ref, text_column


class Warehouse(Base):
    """A stock place of a merchant. kind: merchant | central | street | third_party."""

    __tablename__ = "inventory_warehouse"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    code: Mapped[str] = text_column(32)
    name: Mapped[str] = text_column(60)
    kind: Mapped[str] = text_column(16, default="merchant")
    area_code: Mapped[str] = text_column(16)
    __table_args__ = (UniqueConstraint("code"),)


class Stock(Base):
    """Units of a SKU in a warehouse; available = on_hand − allocated − reserved − quota_held."""

    __tablename__ = "inventory_stock"
    id: Mapped[int] = pk()
    warehouse_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    on_hand: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    allocated: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    reserved: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    quota_held: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (
        UniqueConstraint("warehouse_id", "sku_id"),
        Index("ix_inventory_stock__sku", "sku_id", "id"),
        Index("ix_inventory_stock__merchant", "merchant_id", "id"),
        CheckConstraint("on_hand >= 0 AND allocated >= 0 AND reserved >= 0 AND quota_held >= 0", name="signs"),
        CheckConstraint("on_hand - allocated - reserved - quota_held >= 0", name="available"),
    )


class Reservation(Base):
    """Units held for an order line. state: active | consumed | released; left only by compare-and-set."""

    __tablename__ = "inventory_reservation"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    line_id: Mapped[int] = ref()
    stock_id: Mapped[int] = ref()
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    state: Mapped[str] = text_column(16, default="active")
    expires_at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("line_id", "stock_id"),
        Index("ix_inventory_reservation__order", "order_id", "state"),
        CheckConstraint("quantity > 0", name="quantity"),
    )


class Movement(Base):
    """A typed change with its deltas; unique cause. Σ deltas per stock row = its columns.

    kind: receive | adjust | reserve | release | allocate | ship | return_good | return_scrap |
    transfer_in | transfer_out | unallocate.
    """

    __tablename__ = "inventory_movement"
    id: Mapped[int] = pk()
    stock_id: Mapped[int] = ref()
    kind: Mapped[str] = text_column(16)
    cause_type: Mapped[str] = text_column(20)
    cause_id: Mapped[int] = ref()
    line_id: Mapped[int] = ref(default=0)
    on_hand_delta: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    allocated_delta: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    reserved_delta: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    quota_delta: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    note: Mapped[str] = text_column(120, default="-")
    account_id: Mapped[int] = ref(default=0)
    at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("cause_type", "cause_id", "line_id", "kind", "stock_id", name="uq_inventory_movement__cause"),
        Index("ix_inventory_movement__stock", "stock_id", "id"),
    )
