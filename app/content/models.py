"""Home blocks, notices, agreements with versions and consents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, LongText, PortableJSON, instant, pk, ref, text_column


class HomeBlock(Base):
    """A block of the home page. kind: hero | shortcuts | products | notices | merchants; data by kind."""

    __tablename__ = "content_home_block"
    id: Mapped[int] = pk()
    kind: Mapped[str] = text_column(20)
    title: Mapped[str] = text_column(40)
    data: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    sort: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    is_visible: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=True)


class Notice(Base):
    """A public notice or article. status: draft | published | withdrawn."""

    __tablename__ = "content_notice"
    id: Mapped[int] = pk()
    title: Mapped[str] = text_column(80)
    body: Mapped[str] = mapped_column("body_text", LongText, nullable=False)
    kind: Mapped[str] = text_column(16, default="notice")
    status: Mapped[str] = text_column(16, default="draft")
    published_at: Mapped[datetime | None] = instant(nullable=True)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (Index("ix_content_notice__status", "status", "id"),)


class Agreement(Base):
    """A version of an agreement. code: terms | privacy | trading."""

    __tablename__ = "content_agreement"
    id: Mapped[int] = pk()
    code: Mapped[str] = text_column(20)
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    title: Mapped[str] = text_column(60)
    body: Mapped[str] = mapped_column("body_text", LongText, nullable=False)
    effective_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("code", "version"),)


class Consent(Base):
    """Who agreed to which version, when and from where."""

    __tablename__ = "content_consent"
    id: Mapped[int] = pk()
    account_id: Mapped[int] = ref()
    code: Mapped[str] = text_column(20)
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    address: Mapped[str] = text_column(64, default="-")
    at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("account_id", "code", "version"),)
