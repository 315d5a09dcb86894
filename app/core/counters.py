"""Counting requests in fixed windows: in this process by default, in a Redis-protocol server when one is configured (decision 19).

The counts protect the platform from being flooded; nothing that must be exact rests on them. So when the server is away,
counting goes on in this process (each process then allows the full limit) and the server is tried again after a pause:
a dead cache neither refuses visitors nor lifts the limit.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

import structlog

from app.core import clock

log = structlog.get_logger("regionmart.counters")
TIMEOUT_S = 0.2
PAUSE_S = 5.0
MOST_KEYS = 50_000
PREFIX = "rm:n:"
# One round trip, and a counter can never be left without its end.
_HIT = "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n"


def seconds() -> int:
    """Return the whole seconds that windows are cut from."""
    return int(clock.now().timestamp())


class CounterStore(Protocol):
    """Something that counts."""

    def hit(self, key: str, window_s: int) -> int:
        """Count one for a key in the current window of window_s seconds; returns the count so far."""


class ProcessCounters:
    """Counts of this process alone; bounded, and what is past is dropped when the bound is met."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}  # (key, window_s) -> (window number, count)

    def hit(self, key: str, window_s: int) -> int:
        """Count one; returns the count of the current window."""
        window = seconds() // window_s
        with self._lock:
            number, count = self._counts.get((key, window_s), (window, 0))
            count = count + 1 if number == window else 1
            if len(self._counts) >= MOST_KEYS and (key, window_s) not in self._counts:
                self._forget()
            self._counts[key, window_s] = (window, count)
            return count

    def _forget(self) -> None:
        now = seconds()
        self._counts = {k: v for k, v in self._counts.items() if v[0] == now // k[1]}
        if len(self._counts) >= MOST_KEYS:  # a flood from very many addresses: memory comes first
            self._counts.clear()


class RedisCounters:
    """Counts shared by all processes and hosts; falls back to this process while the server does not answer."""

    def __init__(self, url: str) -> None:
        import redis

        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        # No retries inside a request: the fallback is at hand, and waiting is what a flood wants.
        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=None, health_check_interval=30
        )
        self._local = ProcessCounters()
        self._away_until = 0.0

    def hit(self, key: str, window_s: int) -> int:
        """Count one; returns the count of the current window, of this process alone while the server is away."""
        if time.monotonic() >= self._away_until:
            window = seconds() // window_s
            try:
                return int(self._client.eval(_HIT, 1, f"{PREFIX}{window_s}:{window}:{key}", window_s * 2_000))
            except self._errors as error:
                self._away_until = time.monotonic() + PAUSE_S
                log.warning("counters.away", error=type(error).__name__, pause_s=PAUSE_S)
        return self._local.hit(key, window_s)


def open_counters(url: str) -> CounterStore:
    """Return the store a setting names: empty for this process, otherwise a redis:// or rediss:// or unix:// URL.

    Opens no connection. Raises ValueError for another scheme.
    """
    return RedisCounters(url) if url else ProcessCounters()
