"""Periodic jobs: APScheduler puts a job row per fire time; a database lease and a unique key keep it to one.

Two workers may both run the scheduler: the lease lets one of them fire, and should both believe to hold it,
(name, fire time) is unique, so the job still exists once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.core import clock, jobs
from app.core.tx import retry_conflicts, transaction


@dataclass(frozen=True)
class Periodic:
    """A job that is due every `every_s` seconds, aligned to multiples of the interval."""

    name: str
    every_s: int
    run: Callable[[], None]
    description: str


_declared: dict[str, Periodic] = {}


def declare(periodic: Periodic) -> None:
    """Register a periodic job; the registry calls it once per process."""
    _declared[periodic.name] = periodic
    jobs.register(periodic.name, lambda payload: periodic.run())


def declared() -> tuple[Periodic, ...]:
    """Return all declared periodic jobs."""
    return tuple(_declared.values())


def fire(periodic: Periodic, at: datetime | None = None) -> bool:
    """Put the job row of the current slot, once across all workers; True when this call put it."""
    instant = at or clock.now()
    slot = clock.microseconds(instant) // 1_000_000 // periodic.every_s

    def put() -> bool:
        with transaction():
            return jobs.enqueue_once(periodic.name, {}, key=f"p{slot}", due_at=instant)

    return retry_conflicts(put)
