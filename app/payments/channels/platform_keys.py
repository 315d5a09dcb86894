"""Public keys of channels as downloaded, shared by all processes through the database; old ones are kept for late notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.core import clock, sql
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import retry_conflicts, transaction
from app.payments.models import PlatformKey
from dbadapters.errors import UniqueViolation


@dataclass(frozen=True)
class Downloaded:
    """One key: PEM of SubjectPublicKeyInfo, its serial and the time it is valid."""

    serial: str
    public_pem: str
    valid_from: datetime
    valid_until: datetime


def find(channel: str, serial: str) -> str:
    """Return a known key's PEM, empty for an unknown serial."""
    wanted = select(PlatformKey.public_pem).where(PlatformKey.channel == channel, PlatformKey.serial == serial)
    return session.scalar(wanted) or ""


def newest(channel: str) -> PlatformKey | None:
    """Return the key of a channel that is valid longest, None when none was downloaded."""
    wanted = select(PlatformKey).where(PlatformKey.channel == channel).order_by(PlatformKey.valid_until.desc(), PlatformKey.id.desc())
    return session.scalars(wanted.limit(1)).first()


def keep(channel: str, keys: Sequence[Downloaded]) -> int:
    """Store what was downloaded, in a transaction of its own; returns how many serials are new."""

    def store() -> int:
        made = 0
        with transaction():
            for key in keys:
                known = session.scalar(select(PlatformKey).where(PlatformKey.channel == channel, PlatformKey.serial == key.serial))
                if known is not None:
                    known.fetched_at = clock.now()
                    continue
                row = {"id": new_id(), "channel": channel, "serial": key.serial, "public_pem": key.public_pem, "valid_from": key.valid_from,
                       "valid_until": key.valid_until, "fetched_at": clock.now()}  # fmt: skip
                sql.add(PlatformKey, row)
                made += 1
        return made

    try:
        return retry_conflicts(store)
    except UniqueViolation:  # another process downloaded the same keys at this moment
        return 0
