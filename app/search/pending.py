"""Searches waiting to be logged: a page view must not cost a write, so they are written a few at a time.

What a killed process still held is lost; it is a statistic, not a business fact.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from app.core import clock
from app.core.cache_reset import on_reset

FULL = 20
OLDEST_S = 15.0
MAX_TEXT = 60


@dataclass(frozen=True)
class Searched:
    """One search."""

    text: str
    hits: int
    at: datetime


_lock = threading.Lock()
_waiting: list[Searched] = []
_since = 0.0


def add(text: str, hits: int) -> None:
    """Remember a search."""
    global _since
    with _lock:
        if not _waiting:
            _since = time.monotonic()
        _waiting.append(Searched(text[:MAX_TEXT], hits, clock.now()))


def take_due(*, now: bool = False) -> list[Searched]:
    """Return what should be written now and forget it; [] while there is little and it is young."""
    with _lock:
        if not _waiting or not (now or len(_waiting) >= FULL or time.monotonic() - _since > OLDEST_S):
            return []
        taken = list(_waiting)
        _waiting.clear()
        return taken


@on_reset
def forget() -> None:
    """Drop what waits."""
    with _lock:
        _waiting.clear()
