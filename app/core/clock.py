"""The one clock: aware UTC instants, business days in Asia/Shanghai (architecture decision 8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

REGION_TZ = ZoneInfo("Asia/Shanghai")
_offset = timedelta(0)


def now() -> datetime:
    """Return the current instant, aware, in UTC, with microseconds."""
    return datetime.now(UTC) + _offset


def business_date(at: datetime | None = None) -> date:
    """Return the Asia/Shanghai calendar day of an instant (now by default)."""
    return (at or now()).astimezone(REGION_TZ).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the half-open UTC interval [start, end) of one Asia/Shanghai business day."""
    start = datetime.combine(day, time.min, REGION_TZ)
    return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)


def microseconds(at: datetime) -> int:
    """Return an instant as integer microseconds since the Unix epoch (exact, for hashed records)."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@contextmanager
def travel(by: timedelta) -> Iterator[None]:
    """Shift the clock for tests of timers and calendar rules; restores the previous offset."""
    global _offset
    previous = _offset
    _offset = previous + by
    try:
        yield
    finally:
        _offset = previous
