"""Rules with immutable versions, coupons, counted uses, and the adjustments frozen on orders (commerce.md §2.4, §2.11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, fen, instant, pk, ref, text_column


class PromotionRule(Base):
    """The head of a promotion or coupon. status: see `states`; owner: merchant | platform | programme.

    merchant_id is 0 unless the owner is a merchant. version is the one in force; title, window and limits repeat it, so that
    lists and guarded updates need one row. quantity 0 = no limit on uses (coupons: on claims), per_account likewise,
    budget_fen 0 = no limit. used_count and used_fen count uses of limited rules, for coupons the claims.
    """

    __tablename__ = "promotion_rule"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(16)
    owner: Mapped[str] = text_column(12)
    merchant_id: Mapped[int] = ref(default=0)
    title: Mapped[str] = text_column(40)
    status: Mapped[str] = text_column(12, default="draft")
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)
    starts_at: Mapped[datetime] = instant()
    ends_at: Mapped[datetime] = instant()
    quantity: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    per_account: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    budget_fen: Mapped[int] = fen(default=0)
    used_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    used_fen: Mapped[int] = fen(default=0)
    created_by: Mapped[int] = ref(default=0)
    reject_reason: Mapped[str | None] = text_column(200, nullable=True)
    created_at: Mapped[datetime] = instant()
    activated_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        Index("ix_promotion_rule__status", "status", "ends_at"),
        Index("ix_promotion_rule__merchant", "merchant_id", "id"),
        CheckConstraint("used_count >= 0 AND used_fen >= 0", name="used"),
        CheckConstraint("quantity = 0 OR used_count <= quantity", name="quantity"),
        CheckConstraint("budget_fen = 0 OR used_fen <= budget_fen", name="budget"),
    )


class PromotionVersion(Base):
    """What a rule says, as `spec.RuleSpec` writes it; a row never changes. Coupons and adjustments name their version."""

    __tablename__ = "promotion_version"
    id: Mapped[int] = pk()
    rule_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    spec: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    created_by: Mapped[int] = ref(default=0)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("rule_id", "version"),)


class PromotionRevision(Base):
    """One row (id 1): a number that rises with every change of a rule, so that a process knows when its cache is old."""

    __tablename__ = "promotion_revision"
    id: Mapped[int] = pk()
    revision: Mapped[int] = ref(default=0)


class Coupon(Base):
    """A coupon of an account. status: see `states`; merchant_id 0 = platform; trade_id is the trade that holds or used it.

    (rule, account, seq) is unique and seq never exceeds the rule's limit, so a limit holds under races.
    """

    __tablename__ = "promotion_coupon"
    id: Mapped[int] = pk()
    rule_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    merchant_id: Mapped[int] = ref(default=0)
    account_id: Mapped[int] = ref()
    seq: Mapped[int] = mapped_column(Integer, nullable=False)
    status: Mapped[str] = text_column(12, default="unused")
    source: Mapped[str] = text_column(12)
    valid_from: Mapped[datetime] = instant()
    valid_until: Mapped[datetime] = instant()
    trade_id: Mapped[int] = ref(default=0)
    claimed_at: Mapped[datetime] = instant()
    used_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("rule_id", "account_id", "seq"),
        Index("ix_promotion_coupon__account", "account_id", "status", "valid_until"),
        Index("ix_promotion_coupon__due", "status", "valid_until"),
        Index("ix_promotion_coupon__trade", "trade_id"),
    )


class PromotionUse(Base):
    """One use of a rule that has limits; the row goes when the trade is undone. seq as in Coupon, or the row's id without limit."""

    __tablename__ = "promotion_use"
    id: Mapped[int] = pk()
    rule_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    seq: Mapped[int] = ref()
    trade_id: Mapped[int] = ref(index=True)
    amount_fen: Mapped[int] = fen()
    __table_args__ = (UniqueConstraint("rule_id", "account_id", "seq"), CheckConstraint("amount_fen >= 0", name="amount"))


class PromotionAdjustment(Base):
    """What a rule took off one order line (line_id 0: off the freight), frozen at placement; never computed again.

    amount_fen = merchant_fen + platform_fen + programme_fen, the parts of those who bear it. is_void: the trade was undone.
    """

    __tablename__ = "promotion_adjustment"
    id: Mapped[int] = pk()
    trade_id: Mapped[int] = ref(index=True)
    order_id: Mapped[int] = ref(index=True)
    line_id: Mapped[int] = ref(default=0)
    layer: Mapped[int] = mapped_column(Integer, nullable=False)
    kind: Mapped[str] = text_column(16)
    rule_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    coupon_id: Mapped[int] = ref(default=0)
    title: Mapped[str] = text_column(40)
    amount_fen: Mapped[int] = fen()
    merchant_fen: Mapped[int] = fen(default=0)
    platform_fen: Mapped[int] = fen(default=0)
    programme_fen: Mapped[int] = fen(default=0)
    programme: Mapped[str] = text_column(40, default="-")
    is_void: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    __table_args__ = (
        Index("ix_promotion_adjustment__rule", "rule_id", "is_void"),
        CheckConstraint("amount_fen = merchant_fen + platform_fen + programme_fen", name="funders"),
        CheckConstraint("merchant_fen >= 0 AND platform_fen >= 0 AND programme_fen >= 0", name="amounts"),
    )
