"""Application-side 63-bit time-ordered ids: 41 bits ms, 10 bits node, 12 bits sequence (decision 6)."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH_MS = 1_735_689_600_000
NODE_BITS = 10
SEQUENCE_BITS = 12
_MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1


class IdGenerator:
    """Makes ids that rise within a process and never repeat while node ids are unique.

    A clock that steps back is waited out by continuing from the last millisecond seen.
    """

    def __init__(self, node_id: int) -> None:
        if not 0 <= node_id < 1 << NODE_BITS:
            raise ValueError("node id out of range")
        self.node_id = node_id
        self._lock = threading.Lock()
        self._last_ms = 0
        self._sequence = 0

    def next(self) -> int:
        """Return the next id."""
        with self._lock:
            now_ms = max(time.time_ns() // 1_000_000 - EPOCH_MS, self._last_ms)
            if now_ms == self._last_ms:
                self._sequence += 1
                if self._sequence > _MAX_SEQUENCE:
                    now_ms += 1
                    self._sequence = 0
            else:
                self._sequence = 0
            self._last_ms = now_ms
            return (now_ms << (NODE_BITS + SEQUENCE_BITS)) | (self.node_id << SEQUENCE_BITS) | self._sequence


def made_at(number: int) -> datetime:
    """Return the instant, to the millisecond, an id was made at; aware UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=(number >> (NODE_BITS + SEQUENCE_BITS)) + EPOCH_MS)


_generator: IdGenerator | None = None
_generator_pid = 0


def use_node(node_id: int) -> None:
    """Install the node id leased for this process (`core.nodes`)."""
    global _generator, _generator_pid
    _generator, _generator_pid = IdGenerator(node_id), os.getpid()


def new_id() -> int:
    """Return a new id. Raises RuntimeError when this process has not leased a node id.

    A forked child must lease its own node: the parent's generator is refused there.
    """
    if _generator is None or _generator_pid != os.getpid():
        raise RuntimeError("this process has not leased a node id (core.nodes.lease)")
    return _generator.next()


def has_node() -> bool:
    """Tell whether this very process holds a node id."""
    return _generator is not None and _generator_pid == os.getpid()
