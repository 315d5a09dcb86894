"""Tables of settlement: the books, split orders, rates, payouts, statements, channel bills and cases (commerce.md §2.8)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, fen, instant, pk, ref, text_column


class Account(Base):
    """One account of the books. balance_fen is the sum of its entries, debit positive; side and guard come from the chart.

    owner_id: the merchant, 0 for the platform's own; subject: the channel or programme, '-' where there is one only.
    """

    __tablename__ = "settlement_account"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(20)
    owner_id: Mapped[int] = ref(default=0)
    subject: Mapped[str] = text_column(40, default="-")
    side: Mapped[int] = mapped_column(Integer, nullable=False)
    guarded: Mapped[int] = mapped_column(Integer, nullable=False)
    balance_fen: Mapped[int] = fen(default=0)
    __table_args__ = (
        UniqueConstraint("kind", "owner_id", "subject"),
        Index("ix_settlement_account__owner", "owner_id", "kind"),
        CheckConstraint("guarded = 0 OR side * balance_fen >= 0", name="guard"),
    )


class Voucher(Base):
    """One booking. cause names the business fact and is unique; append-only. flow: pay | refund | '-' for a channel's money.

    occurred_at: when the money moved, booked_at: when it was booked; ref_no: the channel's or our refund number.
    """

    __tablename__ = "settlement_voucher"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(20)
    cause: Mapped[str] = text_column(80)
    memo: Mapped[str] = text_column(120, default="-")
    amount_fen: Mapped[int] = fen()
    order_id: Mapped[int] = ref(default=0)
    merchant_id: Mapped[int] = ref(default=0)
    channel: Mapped[str] = text_column(20, default="-")
    flow: Mapped[str] = text_column(8, default="-")
    ref_no: Mapped[str] = text_column(64, default="-")
    occurred_on: Mapped[date] = mapped_column(Date, nullable=False)
    occurred_at: Mapped[datetime] = instant()
    booked_at: Mapped[datetime] = instant()
    maker_id: Mapped[int] = ref(default=0)
    maker_name: Mapped[str] = text_column(60, default="-")
    __table_args__ = (
        UniqueConstraint("cause"),
        Index("ix_settlement_voucher__order", "order_id", "id"),
        Index("ix_settlement_voucher__channel", "channel", "occurred_on", "id"),
        Index("ix_settlement_voucher__ref", "channel", "flow", "ref_no"),
        Index("ix_settlement_voucher__booked", "booked_at", "id"),
        CheckConstraint("amount_fen > 0", name="amount"),
    )


class Entry(Base):
    """One line of a voucher: debit positive, credit negative; append-only."""

    __tablename__ = "settlement_entry"
    id: Mapped[int] = pk()
    voucher_id: Mapped[int] = ref(index=True)
    account_id: Mapped[int] = ref()
    amount_fen: Mapped[int] = fen()
    booked_at: Mapped[datetime] = instant()
    __table_args__ = (
        Index("ix_settlement_entry__account", "account_id", "booked_at", "id"),
        CheckConstraint("amount_fen <> 0", name="amount"),
    )


class Rate(Base):
    """One version of one line of the rate list. A rule's current version has no ended_at; 0 and '-' mean "any".

    Rates are basis points of goods_net (cash on goods + funded discount); freight_to: merchant | carrier.
    valid_from_on … valid_until_on is half-open, in business days.
    """

    __tablename__ = "settlement_rate"
    id: Mapped[int] = pk()
    rule_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    place: Mapped[int] = mapped_column(Integer, nullable=False)
    merchant_id: Mapped[int] = ref(default=0)
    category_id: Mapped[int] = ref(default=0)
    area_code: Mapped[str] = text_column(16, default="-")
    fee_bps: Mapped[int] = mapped_column(Integer, nullable=False)
    promoter_bps: Mapped[int] = mapped_column(Integer, nullable=False)
    logistics_bps: Mapped[int] = mapped_column(Integer, nullable=False)
    freight_to: Mapped[str] = text_column(10)
    valid_from_on: Mapped[date] = mapped_column(Date, nullable=False)
    valid_until_on: Mapped[date] = mapped_column(Date, nullable=False)
    note: Mapped[str] = text_column(120, default="-")
    made_at: Mapped[datetime] = instant()
    made_by: Mapped[str] = text_column(60, default="-")
    ended_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("rule_id", "version"),
        Index("ix_settlement_rate__merchant", "merchant_id", "place"),
        CheckConstraint("fee_bps >= 0 AND promoter_bps >= 0 AND logistics_bps >= 0", name="rates"),
        CheckConstraint("fee_bps + promoter_bps + logistics_bps <= 10000", name="sum"),
    )


class OrderSplit(Base):
    """A paid order in the books. status: frozen | released | reversed; net_fen: what is the merchant's after refunds.

    hold: reason that stops the release ('-' = none). version moves with every change, so that two verbs cannot overlap.
    """

    __tablename__ = "settlement_order"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    trade_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    order_no: Mapped[str] = text_column(32)
    status: Mapped[str] = text_column(16, default="frozen")
    hold: Mapped[str] = text_column(40, default="-")
    net_fen: Mapped[int] = fen()
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    paid_at: Mapped[datetime] = instant()
    release_due_at: Mapped[datetime | None] = instant(nullable=True)
    released_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("order_id"),
        Index("ix_settlement_order__due", "status", "release_due_at", "id"),
        Index("ix_settlement_order__merchant", "merchant_id", "status", "id"),
        CheckConstraint("net_fen >= 0", name="net"),
    )


class LineSplit(Base):
    """The frozen split of a paid line; line 0 is the freight. refunded: units already reversed."""

    __tablename__ = "settlement_line"
    id: Mapped[int] = pk()
    order_id: Mapped[int] = ref()
    line_id: Mapped[int] = ref(default=0)
    title: Mapped[str] = text_column(80)
    quantity: Mapped[int] = mapped_column(Integer, nullable=False)
    refunded: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    paid_fen: Mapped[int] = fen()
    funded_fen: Mapped[int] = fen(default=0)
    fee_fen: Mapped[int] = fen()
    promoter_fen: Mapped[int] = fen()
    logistics_fen: Mapped[int] = fen()
    merchant_fen: Mapped[int] = fen()
    rule_id: Mapped[int] = ref(default=0)
    rule_version: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    fee_bps: Mapped[int] = mapped_column(Integer, nullable=False)
    __table_args__ = (
        UniqueConstraint("order_id", "line_id"),
        CheckConstraint("quantity > 0 AND refunded >= 0 AND refunded <= quantity", name="units"),
        CheckConstraint("fee_fen + promoter_fen + logistics_fen + merchant_fen = paid_fen + funded_fen", name="sum"),
        CheckConstraint("fee_fen >= 0 AND promoter_fen >= 0 AND logistics_fen >= 0 AND merchant_fen >= 0", name="parts"),
    )


class LineFunding(Base):
    """What a programme of the platform or the government owes for a line's discount."""

    __tablename__ = "settlement_funding"
    id: Mapped[int] = pk()
    split_id: Mapped[int] = ref()
    programme: Mapped[str] = text_column(40)
    amount_fen: Mapped[int] = fen()
    __table_args__ = (UniqueConstraint("split_id", "programme"), CheckConstraint("amount_fen > 0", name="amount"))


class BankAccount(Base):
    """Where a merchant's payouts go; the number is encrypted with this row bound."""

    __tablename__ = "settlement_bank"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    bank_name: Mapped[str] = text_column(60)
    holder: Mapped[str] = text_column(80)
    number_enc: Mapped[str] = text_column(300)
    number_mask: Mapped[str] = text_column(40)
    auto_payout: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    updated_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("merchant_id"),)


class Payout(Base):
    """A claim on a merchant's balance. status: requested | approved | paid | failed | rejected | withdrawn.

    request_key makes a doubled submit one claim; maker, checker (approval) and payer (bank confirmation) are recorded.
    """

    __tablename__ = "settlement_payout"
    id: Mapped[int] = pk()
    payout_no: Mapped[str] = text_column(32)
    merchant_id: Mapped[int] = ref()
    request_key: Mapped[str] = text_column(64)
    amount_fen: Mapped[int] = fen()
    status: Mapped[str] = text_column(16, default="requested")
    origin: Mapped[str] = text_column(16, default="merchant")
    bank_name: Mapped[str] = text_column(60)
    holder: Mapped[str] = text_column(80)
    number_enc: Mapped[str] = text_column(300)
    number_mask: Mapped[str] = text_column(40)
    batch_id: Mapped[int] = ref(default=0)
    bank_ref: Mapped[str] = text_column(64, default="-")
    note: Mapped[str] = text_column(120, default="-")
    maker_id: Mapped[int] = ref(default=0)
    maker_name: Mapped[str] = text_column(60, default="-")
    checker_id: Mapped[int] = ref(default=0)
    checker_name: Mapped[str] = text_column(60, default="-")
    payer_name: Mapped[str] = text_column(60, default="-")
    created_at: Mapped[datetime] = instant()
    decided_at: Mapped[datetime | None] = instant(nullable=True)
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("payout_no"),
        UniqueConstraint("merchant_id", "request_key"),
        Index("ix_settlement_payout__status", "status", "id"),
        Index("ix_settlement_payout__batch", "batch_id", "id"),
        CheckConstraint("amount_fen > 0", name="amount"),
    )


class PayoutBatch(Base):
    """Approved payouts handed to the bank in one file."""

    __tablename__ = "settlement_batch"
    id: Mapped[int] = pk()
    batch_no: Mapped[str] = text_column(32)
    payouts: Mapped[int] = mapped_column(Integer, nullable=False)
    amount_fen: Mapped[int] = fen()
    made_by: Mapped[str] = text_column(60)
    made_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("batch_no"),)


class Statement(Base):
    """A closed month of a merchant: totals by account and by kind of voucher, frozen at closing. month_no: 202610."""

    __tablename__ = "settlement_statement"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    month_no: Mapped[int] = mapped_column(Integer, nullable=False)
    opening_fen: Mapped[int] = fen()
    increase_fen: Mapped[int] = fen()
    decrease_fen: Mapped[int] = fen()
    closing_fen: Mapped[int] = fen()
    entry_count: Mapped[int] = mapped_column(Integer, nullable=False)
    totals: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    closed_at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("merchant_id", "month_no"),
        CheckConstraint("opening_fen + increase_fen - decrease_fen = closing_fen", name="sum"),
    )


class Bill(Base):
    """A channel's bill of one day. status: imported | compared."""

    __tablename__ = "settlement_bill"
    id: Mapped[int] = pk()
    channel: Mapped[str] = text_column(20)
    day_on: Mapped[date] = mapped_column(Date, nullable=False)
    status: Mapped[str] = text_column(16, default="imported")
    row_count: Mapped[int] = mapped_column(Integer, nullable=False)
    paid_fen: Mapped[int] = fen()
    refunded_fen: Mapped[int] = fen()
    fee_fen: Mapped[int] = fen()
    matched: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    cases: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    digest: Mapped[str] = text_column(64)
    imported_at: Mapped[datetime] = instant()
    imported_by: Mapped[str] = text_column(60)
    compared_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("channel", "day_on"), Index("ix_settlement_bill__day", "day_on", "id"))


class BillRow(Base):
    """One line of a bill. flow: pay | refund; ref_no: the channel's number of a payment, our number of a refund."""

    __tablename__ = "settlement_bill_row"
    id: Mapped[int] = pk()
    bill_id: Mapped[int] = ref()
    row_no: Mapped[int] = mapped_column(Integer, nullable=False)
    channel: Mapped[str] = text_column(20)
    flow: Mapped[str] = text_column(8)
    ref_no: Mapped[str] = text_column(64)
    our_no: Mapped[str] = text_column(40)
    amount_fen: Mapped[int] = fen()
    fee_fen: Mapped[int] = fen()
    at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("bill_id", "row_no"),
        Index("ix_settlement_bill_row__ref", "channel", "flow", "ref_no"),
    )


class ReconCase(Base):
    """A difference between bill and books. kind: surplus | short | amount | state; status: open | taken | resolved.

    bill_fen and our_fen are what each side says, signed from our view (a refund is negative); diff_fen = bill - ours.
    """

    __tablename__ = "settlement_case"
    id: Mapped[int] = pk()
    bill_id: Mapped[int] = ref(index=True)
    channel: Mapped[str] = text_column(20)
    day_on: Mapped[date] = mapped_column(Date, nullable=False)
    kind: Mapped[str] = text_column(16)
    flow: Mapped[str] = text_column(8)
    ref_no: Mapped[str] = text_column(64)
    our_no: Mapped[str] = text_column(40, default="-")
    bill_fen: Mapped[int] = fen()
    our_fen: Mapped[int] = fen()
    diff_fen: Mapped[int] = fen()
    status: Mapped[str] = text_column(16, default="open")
    owner_id: Mapped[int] = ref(default=0)
    owner_name: Mapped[str] = text_column(60, default="-")
    resolution: Mapped[str] = text_column(20, default="-")
    note: Mapped[str] = text_column(200, default="-")
    voucher_id: Mapped[int] = ref(default=0)
    opened_at: Mapped[datetime] = instant()
    resolved_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("channel", "flow", "ref_no", "kind"),
        Index("ix_settlement_case__status", "status", "id"),
    )
