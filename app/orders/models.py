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
    """One merchant's part of a trade. status: unpaid | paid (待发货) | shipped | completed | cancelled.

    promised_by: when the buyer was promised the goods if paid before promise_pay_by; promise_missed_at: when that was found broken.
    The receiver is encrypted with this row bound; receiver_mask and area are shown in lists. hold names a reason that
    blocks shipping ('-' = none). case_count: open after-sale cases; while there are any, automatic confirmation stands still
    with confirm_left_s to go, afterwards it is due at confirm_after. freight_back: 1 when the freight was given back.
    """

    __tablename__ = "orders"
    id: Mapped[int] = pk()
    order_no: Mapped[str] = text_column(32)
    trade_id: Mapped[int] = ref(index=True)
    account_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    status: Mapped[str] = text_column(16, default="unpaid")
    hold: Mapped[str] = text_column(20, default="-")
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
    buyer_note: Mapped[str | None] = text_column(200, nullable=True)
    cancel_reason: Mapped[str | None] = text_column(60, nullable=True)
    first_title: Mapped[str] = text_column(80)
    first_image_key: Mapped[str] = text_column(80, default="-")
    created_at: Mapped[datetime] = instant()
    paid_at: Mapped[datetime | None] = instant(nullable=True)
    ship_due_at: Mapped[datetime | None] = instant(nullable=True)
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
    __table_args__ = (CheckConstraint("quantity > 0 AND paid_fen >= 0", name="amounts"),)


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
    """The order's timeline: every transition and note."""

    __tablename__ = "order_event"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref(index=True)
    kind: Mapped[str] = text_column(24)
    realm: Mapped[str] = text_column(16)
    actor_name: Mapped[str] = text_column(60)
    note: Mapped[str | None] = text_column(300, nullable=True)
    data: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    at: Mapped[datetime] = instant()
