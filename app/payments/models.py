"""Payment intents, attempts, raw channel notices and refunds (commerce.md §2.7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from app.core.db import Base, LongText, Str, fen, instant, pk, ref, text_column


def _zero() -> MappedColumn[int]:
    """A sum that rows from before the column did not have."""
    return mapped_column(BigInteger, nullable=False, default=0, server_default="0")


class PaymentIntent(Base):
    """What a trade has to be paid. status: open | paid | closed. One per trade.

    held_fen: what the buyer's stored value bears of it; refunded_fen: what all its refunds, of any source, give back.
    """

    __tablename__ = "payment_intent"
    id: Mapped[int] = pk()
    trade_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    amount_fen: Mapped[int] = fen()
    held_fen: Mapped[int] = _zero()
    refunded_fen: Mapped[int] = _zero()
    status: Mapped[str] = text_column(16, default="open")
    created_at: Mapped[datetime] = instant()
    paid_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("trade_id"), CheckConstraint("amount_fen >= 0", name="amount"))


class PaymentAttempt(Base):
    """One try at a channel. status: created | pending | held | succeeded | failed | closed; payment_no is our number at the channel.

    pending: the channel knows it; held: stored value is set aside for it. bonus_fen: the part of the amount that is gift balance.
    pay_kind says what pay_value is: qr (text of a code), link (page of the channel), jsapi (parameters), - (nothing).
    """

    __tablename__ = "payment_attempt"
    id: Mapped[int] = pk()
    intent_id: Mapped[int] = ref(index=True)
    payment_no: Mapped[str] = text_column(32)
    channel: Mapped[str] = text_column(20)
    amount_fen: Mapped[int] = fen()
    bonus_fen: Mapped[int] = _zero()
    pay_kind: Mapped[str] = mapped_column(Str(10), nullable=False, default="-", server_default="-")
    pay_value: Mapped[str | None] = mapped_column(LongText, nullable=True)
    status: Mapped[str] = text_column(16, default="created")
    channel_txn: Mapped[str] = text_column(64, default="-")
    created_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("payment_no"),)


class ChannelNotice(Base):
    """A signed notice exactly as received. state: received | applied | refunded | rejected.

    facts: what the verified notice says, in our words; empty where the body itself is in our words.
    """

    __tablename__ = "payment_notice"
    id: Mapped[int] = pk()
    channel: Mapped[str] = text_column(20)
    notice_id: Mapped[str] = text_column(64)
    payment_no: Mapped[str] = text_column(32)
    body: Mapped[str] = mapped_column("body_text", LongText, nullable=False)
    facts: Mapped[str | None] = mapped_column("facts_text", LongText, nullable=True)
    state: Mapped[str] = text_column(16, default="received")
    outcome: Mapped[str] = text_column(60, default="-")
    received_at: Mapped[datetime] = instant()
    applied_us: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    __table_args__ = (
        UniqueConstraint("channel", "notice_id"),
        Index("ix_payment_notice__state", "state", "id"),
    )


class Refund(Base):
    """Money to give back. status: pending | sent | accepted | done | failed; cause unique so that it happens once.

    accepted: the channel took the order, the money is not back yet. bonus_fen: the part that returns as gift balance.
    """

    __tablename__ = "payment_refund"
    id: Mapped[int] = pk()
    refund_no: Mapped[str] = text_column(32)
    attempt_id: Mapped[int] = ref(index=True)
    amount_fen: Mapped[int] = fen()
    bonus_fen: Mapped[int] = _zero()
    channel_refund: Mapped[str] = mapped_column(Str(64), nullable=False, default="-", server_default="-")
    cause: Mapped[str] = text_column(60)
    reason: Mapped[str] = text_column(120)
    status: Mapped[str] = text_column(16, default="pending")
    created_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("refund_no"), UniqueConstraint("cause"), CheckConstraint("amount_fen > 0", name="amount"))


class PlatformKey(Base):
    """A channel's public key as downloaded: PEM of SubjectPublicKeyInfo. Kept past its end, old notices are verified with it."""

    __tablename__ = "payment_platform_key"
    id: Mapped[int] = pk()
    channel: Mapped[str] = text_column(20)
    serial: Mapped[str] = text_column(80)
    public_pem: Mapped[str] = mapped_column(LongText, nullable=False)
    valid_from: Mapped[datetime] = instant()
    valid_until: Mapped[datetime] = instant()
    fetched_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("channel", "serial"),)


class AbnormalReceipt(Base):
    """A receipt or refund that needs a person's eye. status: open | taken | resolved; cause unique.

    kind: late | second | wrong_amount | foreign | refund_failed | manual_refund. amount in fen.
    """

    __tablename__ = "payment_abnormal"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(20)
    cause: Mapped[str] = text_column(80)
    channel: Mapped[str] = text_column(20)
    payment_no: Mapped[str] = text_column(40)
    refund_id: Mapped[int] = ref(default=0)
    amount_fen: Mapped[int] = fen()
    status: Mapped[str] = text_column(16, default="open")
    detail: Mapped[str] = text_column(200, default="-")
    owner_id: Mapped[int] = ref(default=0)
    owner_name: Mapped[str] = text_column(60, default="-")
    note: Mapped[str | None] = text_column(200, nullable=True)
    opened_at: Mapped[datetime] = instant()
    resolved_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("cause"), Index("ix_payment_abnormal__status", "status", "id"))


class Wallet(Base):
    """A buyer's stored value: principal paid in, bonus given. Each balance is the sum of its entries and never below zero."""

    __tablename__ = "payment_wallet"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref()
    principal_fen: Mapped[int] = fen(default=0)
    bonus_fen: Mapped[int] = fen(default=0)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("account_id"),
        CheckConstraint("principal_fen >= 0 AND bonus_fen >= 0", name="balance"),
    )


class WalletEntry(Base):
    """One change of a wallet, signed; kind: top_up | hold | release | refund. cause unique so that it happens once."""

    __tablename__ = "payment_wallet_entry"
    id: Mapped[int] = pk()
    wallet_id: Mapped[int] = ref()
    kind: Mapped[str] = text_column(16)
    cause: Mapped[str] = text_column(80)
    principal_fen: Mapped[int] = fen()
    bonus_fen: Mapped[int] = fen()
    memo: Mapped[str] = text_column(80, default="-")
    at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("cause"), Index("ix_payment_wallet_entry__wallet", "wallet_id", "id"))


class BankSlip(Base):
    """A bank transfer seen on the account, entered by one officer and confirmed by another. status: entered | confirmed | refused.

    purpose: trade (payment_no names the attempt) | wallet (account_id tops up); bonus_fen is given on a top-up. slip_no is the bank's.
    """

    __tablename__ = "payment_bank_slip"
    id: Mapped[int] = pk()
    slip_no: Mapped[str] = text_column(40)
    purpose: Mapped[str] = text_column(16)
    payment_no: Mapped[str] = text_column(40, default="-")
    account_id: Mapped[int] = ref(default=0)
    payer: Mapped[str] = text_column(80)
    amount_fen: Mapped[int] = fen()
    bonus_fen: Mapped[int] = fen(default=0)
    status: Mapped[str] = text_column(16, default="entered")
    entered_by: Mapped[int] = ref()
    entered_name: Mapped[str] = text_column(60)
    entered_at: Mapped[datetime] = instant()
    decided_by: Mapped[int] = ref(default=0)
    decided_name: Mapped[str] = text_column(60, default="-")
    decided_at: Mapped[datetime | None] = instant(nullable=True)
    note: Mapped[str | None] = text_column(200, nullable=True)
    __table_args__ = (
        UniqueConstraint("slip_no"),
        Index("ix_payment_bank_slip__status", "status", "id"),
        CheckConstraint("amount_fen > 0 AND bonus_fen >= 0", name="amounts"),
    )
