"""Periodic jobs: APScheduler puts a job row per fire time; a database lease and a unique key keep it to one.

Two workers may both run the scheduler: the lease lets one of them fire, and should both believe to hold it,
(name, slot) is unique, so the job still exists once. A slot is a multiple of the interval; one that no worker fired on
time (all were down, or the lease's holder had just died) is made up for while it lasts by `behind`, so that a restart
at the wrong moment does not cost a daily job its day.
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
    outside: bool = False  # it calls out of the process: see `jobs.register`


_declared: dict[str, Periodic] = {}
_fired: dict[str, int] = {}


def declare(periodic: Periodic) -> None:
    """Register a periodic job; the registry calls it once per process."""
    _declared[periodic.name] = periodic
    jobs.register(periodic.name, lambda payload: periodic.run(), outside=periodic.outside)


def declared() -> tuple[Periodic, ...]:
    """Return all declared periodic jobs."""
    return tuple(_declared.values())


def slot_of(periodic: Periodic, at: datetime) -> int:
    """Return the number of the interval an instant lies in."""
    return clock.microseconds(at) // 1_000_000 // periodic.every_s


def fire(periodic: Periodic, at: datetime | None = None) -> bool:
    """Put the job row of the current slot, once across all workers; True when this call put it."""
    instant = at or clock.now()
    slot = slot_of(periodic, instant)

    def put() -> bool:
        with transaction():
            return jobs.enqueue_once(periodic.name, {}, key=f"p{slot}", due_at=instant)

    done = retry_conflicts(put)
    _fired[periodic.name] = slot
    return done


def behind() -> list[Periodic]:
    """Return the jobs whose current slot this process has not seen put."""
    at = clock.now()
    return [p for p in _declared.values() if _fired.get(p.name) != slot_of(p, at)]
