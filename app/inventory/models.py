"""Warehouses, stock columns, lots, the typed movement ledgers and the papers that cause movements (commerce.md §2.6; T17-T19)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from app.core.db import Base, instant, pk, ref, text_column

FOREVER = date(9999, 12, 31)  # "does not expire": NULL sorts differently on the engines


def units(default: int | None = 0) -> MappedColumn[int]:
    """Return a column of whole units."""
    return mapped_column(Integer, nullable=False, default=default)


class Warehouse(Base):
    """A stock place. kind: merchant | central (区域中心仓) | street (街道前置仓) | third_party; status: active | closed.

    merchant_id 0 is the platform's own, where many merchants' stock lies. parent_id: the warehouse it is filled from, 0 none.
    priority: the smaller is taken first. partner: who runs it, '-' the owner.
    """

    __tablename__ = "inventory_warehouse"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    code: Mapped[str] = text_column(32)
    name: Mapped[str] = text_column(60)
    kind: Mapped[str] = text_column(16, default="merchant")
    area_code: Mapped[str] = text_column(16)
    parent_id: Mapped[int] = ref(default=0)
    priority: Mapped[int] = units(100)
    status: Mapped[str] = text_column(16, default="active")
    partner: Mapped[str] = text_column(60, default="-")
    __table_args__ = (UniqueConstraint("code"),)


class ServiceArea(Base):
    """A district a warehouse serves first; a warehouse without any serves all alike."""

    __tablename__ = "inventory_service_area"
    id: Mapped[int] = pk()
    warehouse_id: Mapped[int] = ref()
    area_code: Mapped[str] = text_column(16)
    __table_args__ = (UniqueConstraint("warehouse_id", "area_code"), Index("ix_inventory_service_area__area", "area_code"))


class Stock(Base):
    """Units of a SKU in a warehouse; available = on_hand − allocated − reserved − quota_held.

    on_hand counts what may be sold; quarantined units lie beside it, in LotStock. tracking: none | lot | bundle (a bundle's own
    row stays empty). safety_stock: threshold of this warehouse, 0 takes the SKU's.
    """

    __tablename__ = "inventory_stock"
    id: Mapped[int] = pk()
    warehouse_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    on_hand: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    allocated: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    reserved: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    quota_held: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    tracking: Mapped[str] = text_column(8, default="none")
    safety_stock: Mapped[int] = units()
    __table_args__ = (
        UniqueConstraint("warehouse_id", "sku_id"),
        Index("ix_inventory_stock__sku", "sku_id", "id"),
        Index("ix_inventory_stock__merchant", "merchant_id", "id"),
        CheckConstraint("on_hand >= 0 AND allocated >= 0 AND reserved >= 0 AND quota_held >= 0", name="signs"),
        CheckConstraint("on_hand - allocated - reserved - quota_held >= 0", name="available"),
    )


class Reservation(Base):
    """Units held for an order line. state: active | consumed | shipped | released | returned; left only by compare-and-set.

    returned: units of a shipped line that came back, never more than quantity. A bundle's line holds its components.
    """

    __tablename__ = "inventory_reservation"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    line_id: Mapped[int] = ref()
    stock_id: Mapped[int] = ref()
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    state: Mapped[str] = text_column(16, default="active")
    expires_at: Mapped[datetime] = instant()
    returned: Mapped[int] = units()
    __table_args__ = (
        UniqueConstraint("line_id", "stock_id"),
        Index("ix_inventory_reservation__order", "order_id", "state"),
        CheckConstraint("quantity > 0", name="quantity"),
    )


class Movement(Base):
    """A typed change with its deltas; unique cause. Σ deltas per stock row = its columns.

    kind: receive | adjust | reserve | release | allocate | ship | unallocate | return_good | return_bad | transfer_out |
    transfer_in | stocktake | damage | quarantine | restore | scrap | hold | unhold | sell_quota.
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


class Item(Base):
    """How a SKU is kept. tracking: none | lot | bundle; shelf_days: life of a lot whose expiry is not printed, 0 unknown;
    min_remaining_days: days a buyer must have left on the promised day.
    """

    __tablename__ = "inventory_item"
    id: Mapped[int] = pk()
    sku_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref(index=True)
    tracking: Mapped[str] = text_column(8, default="none")
    shelf_days: Mapped[int] = units()
    min_remaining_days: Mapped[int] = units()
    __table_args__ = (UniqueConstraint("sku_id"), CheckConstraint("shelf_days >= 0 AND min_remaining_days >= 0", name="days"))


class Component(Base):
    """What one unit of a bundle (组合商品) consumes."""

    __tablename__ = "inventory_component"
    id: Mapped[int] = pk()
    bundle_sku_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref(index=True)
    per_bundle: Mapped[int] = units(1)
    __table_args__ = (UniqueConstraint("bundle_sku_id", "sku_id"), CheckConstraint("per_bundle > 0", name="per_bundle"))


class Lot(Base):
    """A lot (批次) of a SKU, in whatever warehouses it lies. status: open | blocked | recalled; only open ones are shipped.

    last_sale_on: last promised day it may be shipped for, expiry less the SKU's minimum remaining days. expires_on is FOREVER
    for what does not expire.
    """

    __tablename__ = "inventory_lot"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref()
    lot_no: Mapped[str] = text_column(40)
    produced_on: Mapped[date | None] = mapped_column(Date, nullable=True)
    expires_on: Mapped[date] = mapped_column(Date, nullable=False, default=FOREVER)
    last_sale_on: Mapped[date] = mapped_column(Date, nullable=False, default=FOREVER)
    supplier: Mapped[str] = text_column(80, default="-")
    document_no: Mapped[str] = text_column(60, default="-")
    status: Mapped[str] = text_column(16, default="open")
    reason: Mapped[str] = text_column(120, default="-")
    created_at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("sku_id", "lot_no"),
        Index("ix_inventory_lot__merchant", "merchant_id", "id"),
        Index("ix_inventory_lot__sale", "status", "last_sale_on", "id"),
        Index("ix_inventory_lot__expiry", "status", "expires_on", "id"),
    )


class LotStock(Base):
    """Units of a lot in a stock row. lot_id 0: quarantined units of a SKU without lots.

    Σ on_hand of a lot-tracked stock row = its on_hand; quarantined units are in the house and not for sale.
    """

    __tablename__ = "inventory_lot_stock"
    id: Mapped[int] = pk()
    stock_id: Mapped[int] = ref()
    lot_id: Mapped[int] = ref(index=True)
    on_hand: Mapped[int] = units()
    quarantined: Mapped[int] = units()
    __table_args__ = (UniqueConstraint("stock_id", "lot_id"), CheckConstraint("on_hand >= 0 AND quarantined >= 0", name="signs"))


class LotMovement(Base):
    """A change of LotStock with its unique cause; Σ deltas per LotStock = its columns. Kinds and causes as in Movement."""

    __tablename__ = "inventory_lot_movement"
    id: Mapped[int] = pk()
    lot_stock_id: Mapped[int] = ref()
    lot_id: Mapped[int] = ref()
    stock_id: Mapped[int] = ref()
    kind: Mapped[str] = text_column(16)
    cause_type: Mapped[str] = text_column(20)
    cause_id: Mapped[int] = ref()
    line_id: Mapped[int] = ref(default=0)
    on_hand_delta: Mapped[int] = units()
    quarantined_delta: Mapped[int] = units()
    note: Mapped[str] = text_column(120, default="-")
    account_id: Mapped[int] = ref(default=0)
    at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("cause_type", "cause_id", "line_id", "kind", "lot_stock_id", name="uq_inventory_lot_movement__cause"),
        Index("ix_inventory_lot_movement__lot", "lot_id", "id"),
        Index("ix_inventory_lot_movement__row", "lot_stock_id", "id"),
    )


class Hold(Base):
    """Units of a stock row kept for an activity (秒杀, 拼团): Σ held per stock row = its quota_held."""

    __tablename__ = "inventory_hold"
    id: Mapped[int] = pk()
    activity_type: Mapped[str] = text_column(20)
    activity_id: Mapped[int] = ref()
    stock_id: Mapped[int] = ref(index=True)
    sku_id: Mapped[int] = ref()
    held: Mapped[int] = units()
    __table_args__ = (UniqueConstraint("activity_type", "activity_id", "stock_id"), CheckConstraint("held >= 0", name="held"))


class Receipt(Base):
    """A purchase note (收货单) against which goods arrive. status: open | closed | cancelled."""

    __tablename__ = "inventory_receipt"
    id: Mapped[int] = pk()
    receipt_no: Mapped[str] = text_column(32)
    merchant_id: Mapped[int] = ref()
    warehouse_id: Mapped[int] = ref()
    supplier: Mapped[str] = text_column(80, default="-")
    document_no: Mapped[str] = text_column(60, default="-")
    status: Mapped[str] = text_column(16, default="open")
    created_by: Mapped[int] = ref(default=0)
    created_at: Mapped[datetime] = instant()
    closed_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("receipt_no"), Index("ix_inventory_receipt__merchant", "merchant_id", "id"))


class ReceiptLine(Base):
    """What a purchase note announces of a SKU and what has arrived; reason: why they differ at the end."""

    __tablename__ = "inventory_receipt_line"
    id: Mapped[int] = pk()
    receipt_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref()
    expected: Mapped[int] = units(None)
    received: Mapped[int] = units()
    rejected: Mapped[int] = units()
    reason: Mapped[str] = text_column(120, default="-")
    __table_args__ = (
        UniqueConstraint("receipt_id", "sku_id"),
        CheckConstraint("expected > 0 AND received >= 0 AND rejected >= 0", name="amounts"),
    )


class Transfer(Base):
    """Goods on their way between two warehouses. status: requested | shipped | received | cancelled."""

    __tablename__ = "inventory_transfer"
    id: Mapped[int] = pk()
    transfer_no: Mapped[str] = text_column(32)
    merchant_id: Mapped[int] = ref()
    from_warehouse_id: Mapped[int] = ref(index=True)
    to_warehouse_id: Mapped[int] = ref(index=True)
    status: Mapped[str] = text_column(16, default="requested")
    note: Mapped[str] = text_column(120, default="-")
    created_by: Mapped[int] = ref(default=0)
    created_at: Mapped[datetime] = instant()
    shipped_at: Mapped[datetime | None] = instant(nullable=True)
    received_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("transfer_no"),
        Index("ix_inventory_transfer__merchant", "merchant_id", "id"),
        Index("ix_inventory_transfer__status", "status", "id"),
    )


class TransferLine(Base):
    """Units of a SKU (of one lot, 0 none) in a transfer; lost = shipped − received, booked with its reason at the receipt."""

    __tablename__ = "inventory_transfer_line"
    id: Mapped[int] = pk()
    transfer_id: Mapped[int] = ref()
    sku_id: Mapped[int] = ref()
    lot_id: Mapped[int] = ref(default=0)
    quantity: Mapped[int] = units(None)
    received: Mapped[int] = units()
    lost: Mapped[int] = units()
    reason: Mapped[str] = text_column(120, default="-")
    __table_args__ = (
        UniqueConstraint("transfer_id", "sku_id", "lot_id"),
        CheckConstraint("quantity > 0 AND received >= 0 AND lost >= 0 AND received + lost <= quantity", name="amounts"),
    )


class Count(Base):
    """A stock-taking (盘点) of a warehouse. status: counting | review | closed | cancelled; counted_by and reviewed_by differ."""

    __tablename__ = "inventory_count"
    id: Mapped[int] = pk()
    count_no: Mapped[str] = text_column(32)
    merchant_id: Mapped[int] = ref()
    warehouse_id: Mapped[int] = ref()
    status: Mapped[str] = text_column(16, default="counting")
    created_by: Mapped[int] = ref(default=0)
    counted_by: Mapped[int] = ref(default=0)
    reviewed_by: Mapped[int] = ref(default=0)
    note: Mapped[str] = text_column(120, default="-")
    created_at: Mapped[datetime] = instant()
    closed_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("count_no"), Index("ix_inventory_count__merchant", "merchant_id", "id"))


class CountLine(Base):
    """One stock row (one lot of it, 0 none) to count.

    frozen: book units when the count began; book: book units at the instant the figure was entered, so that sales between do not
    show as differences; counted: what the clerk saw, -1 not yet. The adjustment is counted − book, applied as a difference.
    """

    __tablename__ = "inventory_count_line"
    id: Mapped[int] = pk()
    count_id: Mapped[int] = ref()
    stock_id: Mapped[int] = ref()
    lot_id: Mapped[int] = ref(default=0)
    frozen: Mapped[int] = units(None)
    book: Mapped[int] = units()
    counted: Mapped[int] = units(-1)
    counted_by: Mapped[int] = ref(default=0)
    decision: Mapped[str] = text_column(16, default="-")
    __table_args__ = (UniqueConstraint("count_id", "stock_id", "lot_id"), CheckConstraint("counted >= -1", name="counted"))


class Alert(Base):
    """A warning that stands until its cause is gone. kind: low | third | tenth | expired.

    target_id: stock row or LotStock. closed_key: 0 while open, the own id afterwards, so that one is open at a time.
    """

    __tablename__ = "inventory_alert"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    kind: Mapped[str] = text_column(16)
    target_id: Mapped[int] = ref()
    stock_id: Mapped[int] = ref()
    lot_id: Mapped[int] = ref(default=0)
    figure: Mapped[int] = units()
    raised_at: Mapped[datetime] = instant()
    cleared_at: Mapped[datetime | None] = instant(nullable=True)
    closed_key: Mapped[int] = ref(default=0)
    __table_args__ = (
        UniqueConstraint("kind", "target_id", "closed_key"),
        Index("ix_inventory_alert__open", "closed_key", "merchant_id", "id"),
    )


class StockCase(Base):
    """A difference the nightly audit found. kind: movements | lots | lot_movements | holds | negative. Open while closed_key is 0."""

    __tablename__ = "inventory_case"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(16)
    stock_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    detail: Mapped[str] = text_column(200)
    found_at: Mapped[datetime] = instant()
    resolved_at: Mapped[datetime | None] = instant(nullable=True)
    resolution: Mapped[str] = text_column(120, default="-")
    closed_key: Mapped[int] = ref(default=0)
    __table_args__ = (UniqueConstraint("kind", "stock_id", "closed_key"), Index("ix_inventory_case__open", "closed_key", "id"))


class Recall(Base):
    """A lot called back from its buyers; reached: orders told."""

    __tablename__ = "inventory_recall"
    id: Mapped[int] = pk()
    lot_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    reason: Mapped[str] = text_column(120)
    created_by: Mapped[int] = ref(default=0)
    created_at: Mapped[datetime] = instant()
    reached: Mapped[int] = units()
    __table_args__ = (UniqueConstraint("lot_id"), Index("ix_inventory_recall__merchant", "merchant_id", "id"))
