"""Trade → Order → OrderLine, the order's own event history (commerce.md §2.5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, fen, instant, pk, ref, text_column


class Trade(Base):
    """One checkout: one price, one payment. status: unpaid | paid | cancelled."""

    __tablename__ = "trade"
    id: Mapped[int] = pk()
    trade_no: Mapped[str] = text_column(32)
    account_id: Mapped[int] = ref()
    status: Mapped[str] = text_column(16, default="unpaid")
    payable_fen: Mapped[int] = fen()
    quote_hash: Mapped[str] = text_column(64)
    expires_at: Mapped[datetime] = instant()
    created_at: Mapped[datetime] = instant()
    paid_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("trade_no"),
        Index("ix_trade__account", "account_id", "status", "id"),
        Index("ix_trade__expires", "status", "expires_at"),
        CheckConstraint("payable_fen >= 0", name="payable"),
    )


class Order(Base):
    """One parcel-to-be of a trade: a merchant, a mode and a temperature. status: unpaid | paid (待发货) | shipped | completed | cancelled.

    units_out: units that left in parcels while others wait, NULL before the first; what has partly left cannot be cancelled.
    promised_by: when the buyer was promised the goods if paid before promise_pay_by; promise_missed_at: when that was found broken.
    The receiver is encrypted with this row bound; receiver_mask and area are shown in lists; phone_index and receiver_index find
    it by exact value, address_key is equal for equal receiver, phone, county and street ('-' until the index job has been there).
    address_rev counts changes of the address. hold names the first open `OrderHold` ('-' = none): it stops shipping, payout and
    automatic confirmation; held_at is since when. parent_id: the order this one was split from. bundle_id: orders that ship
    together share one (the id of one of them). delivery_mode and temperature: see `grouping`.
    case_count: open after-sale cases; while there are any, automatic confirmation stands still with confirm_left_s to go,
    afterwards it is due at confirm_after. freight_back: 1 when the freight was given back.
    """

    __tablename__ = "orders"
    id: Mapped[int] = pk()
    order_no: Mapped[str] = text_column(32)
    trade_id: Mapped[int] = ref(index=True)
    account_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    status: Mapped[str] = text_column(16, default="unpaid")
    delivery_mode: Mapped[str] = text_column(12, default="express")
    temperature: Mapped[str] = text_column(12, default="ambient")
    parent_id: Mapped[int] = ref(default=0)
    bundle_id: Mapped[int] = ref(default=0)
    hold: Mapped[str] = text_column(20, default="-")
    held_at: Mapped[datetime | None] = instant(nullable=True)
    goods_fen: Mapped[int] = fen()
    freight_fen: Mapped[int] = fen()
    payable_fen: Mapped[int] = fen()
    refunded_fen: Mapped[int] = fen(default=0)
    item_count: Mapped[int] = mapped_column(Integer, nullable=False)
    receiver_enc: Mapped[str] = text_column(300)
    phone_enc: Mapped[str] = text_column(200)
    street_enc: Mapped[str] = text_column(700)
    receiver_mask: Mapped[str] = text_column(40)
    area_code: Mapped[str] = text_column(16)
    phone_index: Mapped[str] = text_column(64, default="-")
    receiver_index: Mapped[str] = text_column(64, default="-")
    address_key: Mapped[str] = text_column(64, default="-")
    address_rev: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    buyer_note: Mapped[str | None] = text_column(200, nullable=True)
    cancel_reason: Mapped[str | None] = text_column(60, nullable=True)
    first_title: Mapped[str] = text_column(80)
    first_image_key: Mapped[str] = text_column(80, default="-")
    created_at: Mapped[datetime] = instant()
    paid_at: Mapped[datetime | None] = instant(nullable=True)
    ship_due_at: Mapped[datetime | None] = instant(nullable=True)
    units_out: Mapped[int | None] = mapped_column(Integer, nullable=True)
    promised_by: Mapped[datetime | None] = instant(nullable=True)
    promise_pay_by: Mapped[datetime | None] = instant(nullable=True)
    promise_label: Mapped[str | None] = text_column(20, nullable=True)
    promise_missed_at: Mapped[datetime | None] = instant(nullable=True)
    shipped_at: Mapped[datetime | None] = instant(nullable=True)
    delivered_at: Mapped[datetime | None] = instant(nullable=True)
    completed_at: Mapped[datetime | None] = instant(nullable=True)
    case_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    freight_back: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    confirm_left_s: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    confirm_after: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("order_no"),
        Index("ix_orders__account", "account_id", "status", "id"),
        Index("ix_orders__account_all", "account_id", "id"),
        Index("ix_orders__merchant", "merchant_id", "status", "id"),
        Index("ix_orders__merchant_all", "merchant_id", "id"),
        Index("ix_orders__status", "status", "id"),
        Index("ix_orders__promised", "status", "promised_by"),
        Index("ix_orders__phone", "phone_index", "id"),
        Index("ix_orders__receiver", "receiver_index", "id"),
        CheckConstraint("goods_fen >= 0 AND freight_fen >= 0", name="amounts"),
        CheckConstraint("payable_fen = goods_fen + freight_fen", name="sum"),
        CheckConstraint("refunded_fen >= 0 AND refunded_fen <= payable_fen", name="refunded"),
    )


class OrderLine(Base):
    """A SKU as bought: title, options, price and product version frozen.

    exclusion: why the seven days without reason do not apply, as the buyer confirmed at checkout; '-' = they apply (T34).
    """

    __tablename__ = "order_line"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    sku_id: Mapped[int] = ref()
    product_id: Mapped[int] = ref()
    product_version: Mapped[int] = mapped_column(Integer, nullable=False)
    title: Mapped[str] = text_column(80)
    option_key: Mapped[str] = text_column(120, default="-")
    image_key: Mapped[str] = text_column(80, default="-")
    unit_price_fen: Mapped[int] = fen()
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    paid_fen: Mapped[int] = fen()
    reviewed_at: Mapped[datetime | None] = instant(nullable=True)
    exclusion: Mapped[str] = text_column(12, default="-")
    __table_args__ = (
        Index("ix_order_line__sku", "sku_id", "order_id"),
        CheckConstraint("quantity > 0 AND paid_fen >= 0", name="amounts"),
    )


class LineBack(Base):
    """What after-sale did to a line (id is the line's); the row is made by its first case.

    case_units: units in open cases; back_units: units refunded; back_fen: money given for them, compensation included.
    Unit m+1 … m+k are worth F(m+k) − F(m) of paid_fen, never more than paid_fen − back_fen (commerce.md §2.4).
    """

    __tablename__ = "order_line_back"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    paid_fen: Mapped[int] = fen()
    case_units: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    back_units: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    back_fen: Mapped[int] = fen(default=0)
    __table_args__ = (
        CheckConstraint("case_units >= 0 AND back_units >= 0 AND case_units + back_units <= quantity", name="units"),
        CheckConstraint("back_fen >= 0 AND back_fen <= paid_fen", name="money"),
    )


class OrderEvent(Base):
    """The order's timeline: every transition and note. data.internal: not for the buyer (notes: unless it is false)."""

    __tablename__ = "order_event"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    kind: Mapped[str] = text_column(24)
    realm: Mapped[str] = text_column(16)
    actor_name: Mapped[str] = text_column(60)
    note: Mapped[str | None] = text_column(300, nullable=True)
    data: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    at: Mapped[datetime] = instant()


class OrderHold(Base):
    """A reason that stops an order. state: open | lifted; open_key is 0 while open, else the row's id: one open hold per reason."""

    __tablename__ = "order_hold"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    reason: Mapped[str] = text_column(20)
    open_key: Mapped[int] = ref(default=0)
    note: Mapped[str] = text_column(200, default="-")
    placed_by: Mapped[str] = text_column(60)
    placed_at: Mapped[datetime] = instant()
    lifted_by: Mapped[str] = text_column(60, default="-")
    lifted_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("order_id", "reason", "open_key"),)


class OrderCase(Base):
    """An abnormal order in the queue. kind and resolution: see `states`; status: open | claimed | resolved.

    cause names the fact and is unique, so that raising it twice makes one case. order_id 0: a payment no order stands for.
    """

    __tablename__ = "order_case"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    trade_id: Mapped[int] = ref(default=0)
    merchant_id: Mapped[int] = ref(default=0)
    kind: Mapped[str] = text_column(16)
    cause: Mapped[str] = text_column(80)
    source: Mapped[str] = text_column(12)
    reason: Mapped[str] = text_column(200)
    status: Mapped[str] = text_column(12, default="open")
    raised_by: Mapped[str] = text_column(60)
    raised_at: Mapped[datetime] = instant()
    officer_id: Mapped[int] = ref(default=0)
    officer_name: Mapped[str] = text_column(60, default="-")
    claimed_at: Mapped[datetime | None] = instant(nullable=True)
    resolution: Mapped[str] = text_column(16, default="-")
    note: Mapped[str] = text_column(200, default="-")
    resolved_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("cause"),
        Index("ix_order_case__queue", "status", "id"),
        Index("ix_order_case__merchant", "merchant_id", "id"),
        Index("ix_order_case__officer", "officer_id", "status", "id"),
    )


class AddressChange(Base):
    """A merchant's proposal of another address for an order; the buyer decides. status: proposed | accepted | refused | withdrawn.

    open_key is 0 while proposed, else the row's id: one open proposal for each order.
    """

    __tablename__ = "order_address_change"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    open_key: Mapped[int] = ref(default=0)
    status: Mapped[str] = text_column(12, default="proposed")
    receiver_enc: Mapped[str] = text_column(300)
    phone_enc: Mapped[str] = text_column(200)
    street_enc: Mapped[str] = text_column(700)
    reason: Mapped[str] = text_column(200)
    proposed_by: Mapped[str] = text_column(60)
    proposed_at: Mapped[datetime] = instant()
    decided_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("order_id", "open_key"),)


class InvoiceTitle(Base):
    """A saved invoice title of a buyer. kind: see `invoices`; registry_enc: what a special invoice needs besides, as JSON."""

    __tablename__ = "order_invoice_title"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref(index=True)
    kind: Mapped[str] = text_column(12)
    title: Mapped[str] = text_column(80)
    tax_no: Mapped[str] = text_column(20, default="-")
    registry_enc: Mapped[str | None] = text_column(900, nullable=True)
    created_at: Mapped[datetime] = instant()


class Invoice(Base):
    """An invoice wanted for an order. status: requested | issued | red | withdrawn; open_key 0: one that stands for each order.

    amount_fen: as issued; red_fen: how much of it red-letter invoices took back, red_number the last of them.
    """

    __tablename__ = "order_invoice"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    open_key: Mapped[int] = ref(default=0)
    kind: Mapped[str] = text_column(12)
    title: Mapped[str] = text_column(80)
    tax_no: Mapped[str] = text_column(20, default="-")
    registry_enc: Mapped[str | None] = text_column(900, nullable=True)
    status: Mapped[str] = text_column(12, default="requested")
    amount_fen: Mapped[int] = fen(default=0)
    number: Mapped[str] = text_column(24, default="-")
    file_key: Mapped[str] = text_column(80, default="-")
    red_fen: Mapped[int] = fen(default=0)
    red_number: Mapped[str] = text_column(24, default="-")
    requested_at: Mapped[datetime] = instant()
    issued_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("order_id", "open_key"),
        Index("ix_order_invoice__merchant", "merchant_id", "status", "id"),
        CheckConstraint("amount_fen >= 0 AND red_fen >= 0 AND red_fen <= amount_fen", name="amounts"),
    )


class OrderExport(Base):
    """A file of orders somebody asked for. status: queued | ready | failed; merchant_id 0: an operator's; criteria as searched."""

    __tablename__ = "order_export"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref(default=0)
    criteria: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    status: Mapped[str] = text_column(12, default="queued")
    row_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    requested_by: Mapped[str] = text_column(60)
    requested_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (Index("ix_order_export__mine", "account_id", "id"), Index("ix_order_export__due", "status", "requested_at"))
