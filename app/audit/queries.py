"""Reading the audit log; its check is in `verification`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.audit.verification import Finding, Verification, verify
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate

__all__ = ["Finding", "Verification", "get_event", "list_checkpoints", "sealed_count", "search", "verify"]


def search(
    *, realm: str = "", action: str = "", object_type: str = "", object_id: str = "", result: str = "", account_id: int = 0,
    since: datetime | None = None, until: datetime | None = None, cursor: str = "", size: int = 30,
) -> Page[AuditEvent]:  # fmt: skip
    """Return events newest first; every filter is an equality or a time bound, so indexes serve it."""
    statement = select(AuditEvent)
    equal = {"realm": realm, "action": action, "object_type": object_type, "object_id": object_id, "result": result}
    for name, value in equal.items():
        if value:
            statement = statement.where(getattr(AuditEvent, name) == value)
    if account_id:
        statement = statement.where(AuditEvent.account_id == account_id)
    if since is not None:
        statement = statement.where(AuditEvent.at >= since)
    if until is not None:
        statement = statement.where(AuditEvent.at < until)
    return paginate(statement, [AuditEvent.id], lambda e: [e.id], cursor=cursor, size=size)


def get_event(event_id: int) -> tuple[AuditEvent, AuditSeal | None]:
    """Return an event with its seal. Raises NotFound."""
    event = session.get(AuditEvent, event_id)
    if event is None:
        raise NotFound("audit.event", "审计记录不存在")
    return event, session.scalar(select(AuditSeal).where(AuditSeal.event_id == event_id))


def sealed_count() -> int:
    """Return how many events are sealed, from the head: nothing is counted."""
    return session.scalar(select(AuditHead.seq).where(AuditHead.id == 1)) or 0


def list_checkpoints(limit: int = 10) -> list[AuditCheckpoint]:
    """Return the newest checkpoints."""
    return list(session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.number.desc()).limit(limit)))
