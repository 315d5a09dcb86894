"""Audit tables; INSERT-only, guarded by triggers per engine (`Adapter.audit_guard_ddl`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, LongText, instant, pk, ref, text_column


class AuditEvent(Base):
    """One audited act. `payload` is the canonical text that is hashed byte for byte; columns repeat it for search."""

    __tablename__ = "audit_event"
    id: Mapped[int] = pk()
    at: Mapped[datetime] = instant()
    realm: Mapped[str] = text_column(16)
    account_id: Mapped[int] = ref(default=0)
    actor_name: Mapped[str] = text_column(60, default="-")
    merchant_id: Mapped[int] = ref(default=0)
    action: Mapped[str] = text_column(60)
    object_type: Mapped[str] = text_column(40)
    object_id: Mapped[str] = text_column(64, default="-")
    result: Mapped[str] = text_column(16, default="ok")
    address: Mapped[str] = text_column(64, default="-")
    payload: Mapped[str] = mapped_column(LongText, nullable=False)
    leaf: Mapped[str] = text_column(64)
    __table_args__ = (
        Index("ix_audit_event__at", "at", "id"),
        Index("ix_audit_event__action", "action", "id"),
        Index("ix_audit_event__object", "object_type", "object_id"),
        Index("ix_audit_event__account", "account_id", "id"),
    )


class AuditSeal(Base):
    """Global order of one event: chain = SM3(0x02 || previous chain || leaf)."""

    __tablename__ = "audit_seal"
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = ref()
    leaf: Mapped[str] = text_column(64)
    chain: Mapped[str] = text_column(64)
    __table_args__ = (UniqueConstraint("event_id"),)


class AuditCheckpoint(Base):
    """SM2-signed head of the log: size, Merkle root and chain head at one instant."""

    __tablename__ = "audit_checkpoint"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger, nullable=False)
    note: Mapped[str] = mapped_column(LongText, nullable=False)
    signature: Mapped[str] = text_column(128)
    frontier: Mapped[str] = mapped_column(LongText, nullable=False)
    at: Mapped[datetime] = instant()


class AuditHead(Base):
    """The single row (id 1) the sequencer updates by compare-and-set: last sealed event and number."""

    __tablename__ = "audit_head"
    id: Mapped[int] = pk()
    seq: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    chain: Mapped[str] = text_column(64)
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
