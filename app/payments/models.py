"""Payment intents, attempts, raw channel notices and refunds (commerce.md §2.7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, LongText, fen, instant, pk, ref, text_column


class PaymentIntent(Base):
    """What a trade has to be paid. status: open | paid | closed. One per trade."""

    __tablename__ = "payment_intent"
    id: Mapped[int] = pk()
    trade_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    amount_fen: Mapped[int] = fen()
    status: Mapped[str] = text_column(16, default="open")
    created_at: Mapped[datetime] = instant()
    paid_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("trade_id"), CheckConstraint("amount_fen >= 0", name="amount"))


class PaymentAttempt(Base):
    """One try at a channel. status: created | succeeded | failed | closed; payment_no is our number at the channel."""

    __tablename__ = "payment_attempt"
    id: Mapped[int] = pk()
    intent_id: Mapped[int] = ref(index=True)
    payment_no: Mapped[str] = text_column(32)
    channel: Mapped[str] = text_column(20)
    amount_fen: Mapped[int] = fen()
    status: Mapped[str] = text_column(16, default="created")
    channel_txn: Mapped[str] = text_column(64, default="-")
    created_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("payment_no"),)


class ChannelNotice(Base):
    """A signed notice exactly as received. state: received | applied | refunded | rejected."""

    __tablename__ = "payment_notice"
    id: Mapped[int] = pk()
    channel: Mapped[str] = text_column(20)
    notice_id: Mapped[str] = text_column(64)
    payment_no: Mapped[str] = text_column(32)
    body: Mapped[str] = mapped_column("body_text", LongText, nullable=False)
    state: Mapped[str] = text_column(16, default="received")
    outcome: Mapped[str] = text_column(60, default="-")
    received_at: Mapped[datetime] = instant()
    applied_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    __table_args__ = (
        UniqueConstraint("channel", "notice_id"),
        Index("ix_payment_notice__state", "state", "id"),
    )


class Refund(Base):
    """Money to give back. status: pending | sent | done | failed; cause unique so that it happens once."""

    __tablename__ = "payment_refund"
    id: Mapped[int] = pk()
    refund_no: Mapped[str] = text_column(32)
    attempt_id: Mapped[int] = ref(index=True)
    amount_fen: Mapped[int] = fen()
    cause: Mapped[str] = text_column(60)
    reason: Mapped[str] = text_column(120)
    status: Mapped[str] = text_column(16, default="pending")
    created_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("refund_no"), UniqueConstraint("cause"), CheckConstraint("amount_fen > 0", name="amount"))
