"""Sending short messages. The development channel keeps them in the database; nothing leaves the machine."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from app.core import clock, runtime
from app.core.db import session
from app.messaging.models import ShortMessage

KEEP = timedelta(days=7)
BATCH = 500
ROUNDS = 20


def send(message_id: int, phone: str, phone_index: str, body: str, dedupe_key: str) -> None:
    """Keep a message once per dedupe key; phone and body are encrypted."""
    if session.scalar(select(ShortMessage.id).where(ShortMessage.dedupe_key == dedupe_key)) is not None:
        return
    cipher = runtime.current().cipher
    session.add(
        ShortMessage(
            id=message_id, phone_index=phone_index, dedupe_key=dedupe_key, status="kept", created_at=clock.now(),
            phone_enc=cipher.encrypt(phone, table="messaging_sms", column="phone_enc", row_id=message_id),
            body_enc=cipher.encrypt(body, table="messaging_sms", column="body_enc", row_id=message_id),
        )
    )  # fmt: skip


def tidy() -> None:
    """Periodic job: delete messages older than a week; they hold phones and codes nobody needs any more."""
    limit = clock.now() - KEEP
    for _ in range(ROUNDS):
        ids = session.scalars(
            select(ShortMessage.id).where(ShortMessage.created_at < limit).order_by(ShortMessage.id).limit(BATCH)
        ).all()
        if ids:
            session.execute(delete(ShortMessage).where(ShortMessage.id.in_(ids)).execution_options(synchronize_session=False))
        if len(ids) < BATCH:
            return
