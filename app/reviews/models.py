"""Reviews and merchant replies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, Str, instant, pk, ref, text_column


class Review(Base):
    """A verified buyer's review of an order line. status: visible | hidden (by an operator, with a reason)."""

    __tablename__ = "review"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    order_line_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref()
    author_mask: Mapped[str] = text_column(40)
    area_code: Mapped[str] = text_column(16, default="-")
    rating: Mapped[int] = mapped_column(Integer, nullable=False)
    body: Mapped[str] = mapped_column("body_text", Str(500), nullable=False)
    pictures: Mapped[list[str]] = mapped_column(PortableJSON, nullable=False)
    picture_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    option_key: Mapped[str] = text_column(120, default="-")
    reply: Mapped[str | None] = text_column(300, nullable=True)
    status: Mapped[str] = text_column(16, default="visible")
    hidden_reason: Mapped[str | None] = text_column(120, nullable=True)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("order_line_id"),
        Index("ix_review__product", "product_id", "status", "id"),
        Index("ix_review__merchant", "merchant_id", "id"),
        CheckConstraint("rating >= 1 AND rating <= 5", name="rating"),
    )
