"""Refreshing the replica beside the job that asks for it.

A job runs inside a write transaction; building an index there would keep every other writer out (SQLite) for as
long as it takes. The thread only reads the database, and the replica can be refreshed twice without harm.
"""

from __future__ import annotations

import threading

import structlog

from app.core.db import release_session
from app.search import replica

log = structlog.get_logger("regionmart.search")
_lock = threading.Lock()
_running: threading.Thread | None = None


def kick() -> None:
    """Start a refresh unless one is running in this process."""
    global _running
    with _lock:
        if _running is None or not _running.is_alive():
            _running = threading.Thread(target=_refresh, name="search-refresh", daemon=True)
            _running.start()


def wait(timeout_s: float = 30.0) -> None:
    """Wait for the refresh that is running (tests, shutdown)."""
    if _running is not None:
        _running.join(timeout_s)


def _refresh() -> None:
    try:
        while replica.current().refresh() >= replica.BATCH // 2:
            pass
    except Exception:
        log.exception("search.refresh_failed")
    finally:
        release_session()
