"""Merchants, applications and licences."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, LongText, fen, instant, pk, ref, text_column


class Merchant(Base):
    """A merchant with its one shop. status: applied | active | rejected | suspended | closed.

    freight_fen applies to an order below free_over_fen of goods (0 = never free), until the shop has freight templates.
    delivery_revision names the state of its delivery rules (templates, promises), NULL while it has none.
    delivery_modes: how buyers may get their goods, words of `merchants.queries.DELIVERY_MODES` parted by commas, the usual one first.
    """

    __tablename__ = "merchant"
    id: Mapped[int] = pk()
    code: Mapped[str] = text_column(32)
    name: Mapped[str] = text_column(80)
    shop_name: Mapped[str] = text_column(40)
    intro: Mapped[str | None] = text_column(500, nullable=True)
    logo_key: Mapped[str] = text_column(80, default="-")
    area_code: Mapped[str] = text_column(16)
    street: Mapped[str] = text_column(120, default="-")
    contact_name: Mapped[str] = text_column(40)
    contact_phone_enc: Mapped[str] = text_column(200)
    status: Mapped[str] = text_column(16, default="applied")
    freight_fen: Mapped[int] = fen(default=0)
    free_over_fen: Mapped[int] = fen(default=0)
    delivery_revision: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    delivery_modes: Mapped[str] = text_column(60, default="express")
    product_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    reject_reason: Mapped[str | None] = text_column(300, nullable=True)
    applied_at: Mapped[datetime] = instant()
    decided_at: Mapped[datetime | None] = instant(nullable=True)
    decided_by: Mapped[int] = ref(default=0)
    __table_args__ = (
        UniqueConstraint("code"),
        Index("ix_merchant__status", "status", "id"),
        CheckConstraint("freight_fen >= 0 AND free_over_fen >= 0", name="freight"),
    )


class Licence(Base):
    """A licence document shown on the shop (亮照亮证). kind: business | food | production | other."""

    __tablename__ = "merchant_licence"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    kind: Mapped[str] = text_column(20)
    number: Mapped[str] = text_column(40)
    holder: Mapped[str] = text_column(80)
    valid_until_on: Mapped[date | None] = mapped_column(Date, nullable=True)
    file_key: Mapped[str] = text_column(80, default="-")
    note: Mapped[str | None] = mapped_column(LongText, nullable=True)
