"""Removing what has no further use: old one-time codes and ended sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from app.core import clock
from app.core.db import session
from app.identity.models import Session, SmsCode

KEEP = timedelta(days=7)
BATCH = 500
ROUNDS = 20


def tidy() -> None:
    """Periodic job: delete codes and sessions that ended more than a week ago; the audit log remembers them."""
    limit = clock.now() - KEEP
    _drop(SmsCode, SmsCode.expires_at < limit)
    _drop(Session, Session.expires_at < limit)
    _drop(Session, (Session.revoked_us > 0) & (Session.revoked_us < clock.microseconds(limit)))


def _drop(model: type[Any], condition: Any) -> None:
    for _ in range(ROUNDS):
        ids = session.scalars(select(model.id).where(condition).order_by(model.id).limit(BATCH)).all()
        if ids:
            session.execute(delete(model).where(model.id.in_(ids)).execution_options(synchronize_session=False))
        if len(ids) < BATCH:
            return
