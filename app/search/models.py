"""Change feed of the search replicas and the query log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, instant, pk, ref, text_column


class SearchChange(Base):
    """A product that must be indexed again; each node reads on from the last id it has applied."""

    __tablename__ = "search_change"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref()
    at: Mapped[datetime] = instant()


class SearchQuery(Base):
    """What people searched, without who: text, hits and time (zero-result report, suggestions)."""

    __tablename__ = "search_query"
    id: Mapped[int] = pk()
    text: Mapped[str] = text_column(60)
    hits: Mapped[int] = mapped_column(Integer, nullable=False)
    at: Mapped[datetime] = instant()
    __table_args__ = (Index("ix_search_query__text", "text", "id"),)
