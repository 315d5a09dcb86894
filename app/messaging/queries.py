"""Reads of sent messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.core import runtime
from app.core.paging import Page, paginate
from app.messaging.models import ShortMessage
from security.masking import mask_phone


@dataclass(frozen=True)
class SentMessage:
    """A kept message as the operators see it: the phone is masked."""

    id: int
    at: datetime
    phone: str
    body: str
    status: str


def list_sent(cursor: str = "", size: int = 20) -> Page[SentMessage]:
    """Return kept messages newest first."""
    page = paginate(select(ShortMessage), [ShortMessage.id], lambda m: [m.id], cursor=cursor, size=size)
    return Page([_view(row) for row in page.items], page.next_cursor)


def _view(row: ShortMessage) -> SentMessage:
    cipher = runtime.current().cipher

    def clear(column: str) -> str:
        return cipher.decrypt(getattr(row, column), table="messaging_sms", column=column, row_id=row.id)

    return SentMessage(row.id, row.created_at, mask_phone(clear("phone_enc")), clear("body_enc"), row.status)
