"""Outgoing messages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.core.db import Base, instant, pk, text_column


class ShortMessage(Base):
    """A text message to a phone; body encrypted because it may carry a code. dedupe_key makes sending once."""

    __tablename__ = "messaging_sms"
    id: Mapped[int] = pk()
    phone_enc: Mapped[str] = text_column(200)
    phone_index: Mapped[str] = text_column(64)
    body_enc: Mapped[str] = text_column(700)
    dedupe_key: Mapped[str] = text_column(80)
    status: Mapped[str] = text_column(16, default="queued")
    created_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("dedupe_key"), Index("ix_messaging_sms__phone", "phone_index", "id"))
