"""Idempotency keys: unique (scope, key) in the same transaction as the effect (commerce.md trap 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, sql
from app.core.db import Base, PortableJSON, Str, instant, pk, text_column
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id


class IdempotencyKey(Base):
    """The result of a command under the key its caller chose."""

    __tablename__ = "core_idempotency_key"
    id: Mapped[int] = pk()
    scope: Mapped[str] = text_column(80)
    key: Mapped[str] = mapped_column("request_key", Str(80), nullable=False)
    params_digest: Mapped[str] = text_column(64)
    result: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    created_at: Mapped[datetime] = instant()
    __table_args__ = (UniqueConstraint("scope", "request_key"),)


_RECALL = select(IdempotencyKey.params_digest, IdempotencyKey.result).where(
    IdempotencyKey.scope == bindparam("scope"), IdempotencyKey.key == bindparam("key")
)


def recall(scope: str, key: str, params_digest: str) -> dict[str, Any] | None:
    """Return the stored result of a key, or None when the command has not run.

    Raises Conflict(`idempotency.mismatch`) when the same key came with other parameters.
    """
    if not 8 <= len(key) <= 80:
        raise Invalid("idempotency.key", "请求标识无效，请刷新页面后重试")
    row = sql.read(_RECALL, {"scope": scope, "key": key}).one_or_none()
    if row is None:
        return None
    known_digest, result = row
    if known_digest != params_digest:
        raise Conflict("idempotency.mismatch", "同一请求标识提交了不同内容，请刷新页面后重试")
    return dict(result)


def remember(scope: str, key: str, params_digest: str, result: dict[str, Any]) -> None:
    """Store the result; the unique key makes a racing twin fail with UniqueViolation and retry into `recall`."""
    sql.add(
        IdempotencyKey,
        {"id": new_id(), "scope": scope, "key": key, "params_digest": params_digest, "result": result, "created_at": clock.now()},
    )
