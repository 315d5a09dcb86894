"""Rules with immutable versions, decisions with what they were made from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, PortableJSON, instant, pk, ref, text_column


class RiskRule(Base):
    """The head of a rule. state: off | shadow | live; version is the one in force; hits and last_hit_at count its matches."""

    __tablename__ = "risk_rule"
    id: Mapped[int] = pk()
    code: Mapped[str] = text_column(32)
    state: Mapped[str] = text_column(8, default="off")
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)
    hits: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    shadow_hits: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    false_hits: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    last_hit_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("code"),)


class RiskVersion(Base):
    """What a rule says, as `rules.Rule` writes it; a row never changes."""

    __tablename__ = "risk_version"
    id: Mapped[int] = pk()
    rule_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    spec: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    made_by: Mapped[str] = text_column(60)
    made_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("rule_id", "version"),)


class RiskDecision(Base):
    """One judgement. subject_type and subject_id name what was judged, once; action: see `rules`; review: none | open | passed | refused.

    inputs: what the rules saw, without personal data (blind indexes, counts, fen); hits: (rule code, version, mode, action).
    """

    __tablename__ = "risk_decision"
    id: Mapped[int] = pk()
    subject_type: Mapped[str] = text_column(12)
    subject_id: Mapped[int] = ref()
    account_id: Mapped[int] = ref(index=True)
    action: Mapped[str] = text_column(8)
    inputs: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    hits: Mapped[list[list[Any]]] = mapped_column(PortableJSON, nullable=False)
    review: Mapped[str] = text_column(8, default="none")
    at: Mapped[datetime] = instant()
    reviewed_by: Mapped[str] = text_column(60, default="-")
    reviewed_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("subject_type", "subject_id"), Index("ix_risk_decision__review", "review", "id"))
