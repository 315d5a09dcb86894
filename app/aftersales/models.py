"""Cases, their timeline with evidence, and the one bad-fruit claim of a line (commerce.md §2.9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, Str, fen, instant, pk, ref, text_column

NEVER_US = 9_000_000_000_000_000_000


class Case(Base):
    """One after-sale case of one order line. kind, status, reason, fault: see `states`.

    was_shipped: 1 when the goods were out at the application. quantity: units asked for, back_units those refunded.
    refund_fen is what the buyer gets in cash: units and freight (freight_fen) less the pickup fee the buyer bears
    (buyer_fee_fen); merchant_fee_fen is a pickup the merchant bears. want_fen: amount asked for in a compensation.
    due_us: when the present status ends by itself, microseconds since the epoch, NEVER_US without a timer; left_us is what the
    merchant's clock has left while it waits for the buyer. (account, request_key) makes a doubled submit one case.
    """

    __tablename__ = "aftersales_case"
    id: Mapped[int] = pk()
    case_no: Mapped[str] = text_column(32)
    request_key: Mapped[str] = text_column(64)
    order_id: Mapped[int] = ref(index=True)
    order_no: Mapped[str] = text_column(32)
    trade_id: Mapped[int] = ref()
    line_id: Mapped[int] = ref(index=True)
    sku_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    kind: Mapped[str] = text_column(12)
    status: Mapped[str] = text_column(12)
    reason: Mapped[str] = text_column(24)
    fault: Mapped[str] = text_column(10)
    was_shipped: Mapped[int] = mapped_column(Integer, nullable=False)
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    title: Mapped[str] = text_column(80)
    option_key: Mapped[str] = text_column(120, default="-")
    image_key: Mapped[str] = text_column(80, default="-")
    description: Mapped[str] = mapped_column("description_text", Str(500), nullable=False)
    method: Mapped[str] = text_column(8, default="-")
    pickup_slot: Mapped[str] = text_column(24, default="-")
    return_to: Mapped[str] = text_column(240, default="-")
    carrier: Mapped[str] = text_column(20, default="-")
    tracking_no: Mapped[str] = text_column(40, default="-")
    new_sku_id: Mapped[int] = ref(default=0)
    new_option_key: Mapped[str] = text_column(120, default="-")
    out_carrier: Mapped[str] = text_column(20, default="-")
    out_tracking_no: Mapped[str] = text_column(40, default="-")
    sampled: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    bad: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    want_fen: Mapped[int] = fen(default=0)
    back_units: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    good_units: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    scrap_units: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    refund_fen: Mapped[int] = fen(default=0)
    freight_fen: Mapped[int] = fen(default=0)
    buyer_fee_fen: Mapped[int] = fen(default=0)
    merchant_fee_fen: Mapped[int] = fen(default=0)
    refund_id: Mapped[int] = ref(index=True, default=0)
    funders: Mapped[dict[str, int]] = mapped_column(PortableJSON, nullable=False)
    refusal: Mapped[str | None] = text_column(200, nullable=True)
    due_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=NEVER_US)
    left_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    opened_at: Mapped[datetime] = instant()
    answered_at: Mapped[datetime | None] = instant(nullable=True)
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("case_no"),
        UniqueConstraint("account_id", "request_key"),
        Index("ix_aftersales_case__merchant", "merchant_id", "status", "due_us", "id"),
        Index("ix_aftersales_case__account", "account_id", "id"),
        Index("ix_aftersales_case__due", "status", "due_us", "id"),
        CheckConstraint("quantity > 0 AND back_units >= 0 AND back_units <= quantity", name="units"),
        CheckConstraint("good_units >= 0 AND scrap_units >= 0 AND good_units + scrap_units <= quantity", name="inspected"),
        CheckConstraint("refund_fen >= 0 AND freight_fen >= 0 AND buyer_fee_fen >= 0 AND merchant_fee_fen >= 0", name="money"),
    )

    @property
    def due_at(self) -> datetime | None:
        """Return when the present status ends by itself, None without a timer."""
        return None if self.due_us == NEVER_US else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.due_us)


class CaseEvent(Base):
    """One entry of a case's timeline, shown to both sides; data holds the keys of pictures and amounts."""

    __tablename__ = "aftersales_event"
    id: Mapped[int] = pk()
    case_id: Mapped[int] = ref(index=True)
    kind: Mapped[str] = text_column(24)
    realm: Mapped[str] = text_column(16)
    actor_name: Mapped[str] = text_column(60)
    note: Mapped[str | None] = text_column(500, nullable=True)
    data: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    at: Mapped[datetime] = instant()


class FruitClaim(Base):
    """The compensation for bad fruit of a line; the unique line makes it happen once (T32)."""

    __tablename__ = "aftersales_claim"
    id: Mapped[int] = pk()
    line_id: Mapped[int] = ref()
    case_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    sampled: Mapped[int] = mapped_column(Integer, nullable=False)
    bad: Mapped[int] = mapped_column(Integer, nullable=False)
    amount_fen: Mapped[int] = fen()
    at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("line_id"),
        Index("ix_aftersales_claim__account", "account_id", "at"),
        Index("ix_aftersales_claim__merchant", "merchant_id", "at"),
        CheckConstraint("sampled > 0 AND bad >= 0 AND bad <= sampled AND amount_fen >= 0", name="sample"),
    )
