"""Rollups the government board reads; written by idempotent event handlers."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Date, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, fen, pk, ref, text_column


class DailyRollup(Base):
    """Sales of one business day × merchant × category. area_code is the merchant's county."""

    __tablename__ = "supervision_daily"
    id: Mapped[int] = pk()
    day_on: Mapped[date] = mapped_column(Date, nullable=False)
    merchant_id: Mapped[int] = ref()
    category_id: Mapped[int] = ref()
    area_code: Mapped[str] = text_column(16)
    paid_fen: Mapped[int] = fen(default=0)
    refunded_fen: Mapped[int] = fen(default=0)
    order_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    local_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    shipped_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    on_time_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (
        UniqueConstraint("day_on", "merchant_id", "category_id"),
        Index("ix_supervision_daily__area", "day_on", "area_code"),
    )


class RollupMark(Base):
    """An event already counted: (kind, object) unique makes counting idempotent."""

    __tablename__ = "supervision_mark"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(20)
    object_id: Mapped[int] = ref()
    __table_args__ = (UniqueConstraint("kind", "object_id"),)
