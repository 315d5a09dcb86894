"""Everything asynchronous is a job row: name, payload, due time, attempts, key (decision 5).

A job runs in one transaction together with its own completion mark: after a kill it is either done or due
again, and its effects are never visible twice. Delivery is at least once for effects outside the database.
A worker renews the leases of what it holds (`renew`), so a lease runs out only when its worker is dead or stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint, delete, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, sql
from app.core.db import Base, LongText, PortableJSON, Str, instant, pk, release_session, session, text_column
from app.core.ids import new_id
from app.core.tx import transaction
from dbadapters.errors import UniqueViolation

QUEUED, RUNNING, DONE, PARKED = "queued", "running", "done", "parked"
BACKOFF_CAP_S = 3_600
KEEP_DONE = timedelta(days=7)
PURGE_BATCH, PURGE_ROUNDS = 1_000, 20
JobFunction = Callable[[dict[str, Any]], None]
_functions: dict[str, JobFunction] = {}


class Job(Base):
    """One unit of asynchronous work; (name, key) is unique, so enqueueing twice is harmless."""

    __tablename__ = "core_job"
    id: Mapped[int] = pk()
    name: Mapped[str] = text_column(80)
    key: Mapped[str] = mapped_column("job_key", Str(120), nullable=False)
    payload: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    status: Mapped[str] = text_column(16, default=QUEUED)
    due_at: Mapped[datetime] = instant()
    attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    owner: Mapped[str] = text_column(80, default="-")
    lease_until: Mapped[datetime] = instant()
    last_error: Mapped[str | None] = mapped_column(LongText, nullable=True)
    created_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (
        UniqueConstraint("name", "job_key"),
        Index("ix_core_job__due", "status", "due_at", "id"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )


def register(name: str, function: JobFunction) -> None:
    """Bind a job name to its function (payload dict -> None)."""
    _functions[name] = function


def registered() -> tuple[str, ...]:
    """Return the names of all known jobs."""
    return tuple(sorted(_functions))


def enqueue(name: str, payload: dict[str, Any], *, key: str, due_at: datetime | None = None) -> int:
    """Add a job inside the caller's transaction; returns its id. Raises UniqueViolation when (name, key) exists."""
    return enqueue_all([name], payload, key=key, due_at=due_at)[0]


def enqueue_all(names: Sequence[str], payload: dict[str, Any], *, key: str, due_at: datetime | None = None) -> list[int]:
    """Add several jobs with the same payload and key in one statement; returns their ids."""
    at, ids = clock.now(), [new_id() for _ in names]
    new = [
        {
            "id": job_id, "name": name, "key": key, "payload": payload, "status": QUEUED, "due_at": due_at or at, "attempts": 0,
            "owner": "-", "lease_until": at, "created_at": at,
        }
        for job_id, name in zip(ids, names, strict=True)
    ]  # fmt: skip
    sql.add_all(Job, new)
    return ids


def enqueue_once(name: str, payload: dict[str, Any], *, key: str, due_at: datetime | None = None) -> bool:
    """Add a job unless (name, key) exists; True when added. Uses a savepoint, so it is safe in a transaction."""
    if session.scalar(select(Job.id).where(Job.name == name, Job.key == key)) is not None:
        return False
    try:
        with session.begin_nested():
            enqueue(name, payload, key=key, due_at=due_at)  # the unique key decides between two racing writers
    except UniqueViolation:
        return False
    return True


def claim(owner: str, limit: int, lease_s: int, max_attempts: int) -> list[int]:
    """Take due jobs, and running ones whose lease ran out, for this owner; own short transaction.

    Portable claim: read candidates without a lock, then CAS each one (dbadapters.md §8). A job left by a dead worker is taken
    alone: should it be what killed the worker, it takes no others along, and it is parked after max_attempts deaths.
    """
    at = clock.now()
    due = or_(
        (Job.status == QUEUED) & (Job.due_at <= at),
        (Job.status == RUNNING) & (Job.lease_until < at),
    )
    candidates = session.execute(
        select(Job.id, Job.status, Job.attempts).where(due).order_by(Job.due_at, Job.id).limit(limit)
    ).all()
    if not candidates:
        release_session()  # an idle worker must not hold a snapshot
        return []
    left_behind = [c for c in candidates if c.status == RUNNING]
    taken: list[int] = []
    with transaction():
        for job_id, status, attempts in left_behind[:1] or candidates:
            values = {"status": RUNNING, "owner": owner, "attempts": attempts + 1, "lease_until": at + timedelta(seconds=lease_s)}
            given_up = status == RUNNING and attempts >= max_attempts
            if given_up:
                values = {"status": PARKED, "last_error": f"the worker died {attempts} times while it held this job"}
            result = session.execute(
                update(Job)
                .where(Job.id == job_id, Job.status == status, Job.attempts == attempts)
                .values(**values)
                .execution_options(synchronize_session=False)
            )
            if result.rowcount == 1 and not given_up:  # type: ignore[attr-defined]
                taken.append(job_id)
    return taken


def renew(job_ids: Collection[int], owner: str, lease_s: int) -> None:
    """Extend the leases of running jobs that are still this owner's."""
    with transaction():
        session.execute(
            update(Job)
            .where(Job.id.in_(list(job_ids)), Job.status == RUNNING, Job.owner == owner)
            .values(lease_until=clock.now() + timedelta(seconds=lease_s))
            .execution_options(synchronize_session=False)
        )


def give_back(job_ids: Collection[int], owner: str) -> None:
    """Queue claimed jobs again that this owner has not begun; the attempt does not count."""
    with transaction():
        session.execute(
            update(Job)
            .where(Job.id.in_(list(job_ids)), Job.status == RUNNING, Job.owner == owner)
            .values(status=QUEUED, owner="-", attempts=Job.attempts - 1)
            .execution_options(synchronize_session=False)
        )


def run(job_id: int, owner: str) -> None:
    """Run a claimed job and mark it done in one transaction; a job another worker has taken over is left alone.

    Raises whatever the job raises, RuntimeError when it was taken over meanwhile; then nothing of it remains.
    """
    with transaction():
        job = session.get_one(Job, job_id)
        if job.status != RUNNING or job.owner != owner:
            return
        function = _functions.get(job.name)
        if function is None:
            raise LookupError(f"no job is registered as {job.name}")
        payload = job.payload
        session.expunge(job)
        function(payload)
        finished = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.status == RUNNING, Job.owner == owner)
            .values(status=DONE, finished_at=clock.now(), last_error=None)
            .execution_options(synchronize_session=False)
        )
        if finished.rowcount != 1:  # type: ignore[attr-defined]
            raise RuntimeError(f"job {job_id} was taken over by another worker")


def fail(job_id: int, owner: str, error: str, max_attempts: int, first_delay_s: float = 2.0) -> str:
    """Put a failed job back, or park it; returns the new status. The delay doubles with each attempt, up to an hour."""
    with transaction():
        job = session.get_one(Job, job_id)
        if job.status != RUNNING or job.owner != owner:
            return job.status
        parked = job.attempts >= max_attempts
        job.status = PARKED if parked else QUEUED
        job.last_error = error[:4_000]
        job.due_at = clock.now() + timedelta(seconds=min(first_delay_s * 2 ** (job.attempts - 1), BACKOFF_CAP_S))
        return job.status


def retry(job_id: int) -> bool:
    """Queue a parked job again with fresh attempts; True when it was parked. Caller holds the transaction."""
    result = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.status == PARKED)
        .values(status=QUEUED, attempts=0, due_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1  # type: ignore[attr-defined, no-any-return]


def purge_done() -> int:
    """Periodic job: delete what was done a week ago, in batches, so that the table stays small; returns how many."""
    before, gone = clock.now() - KEEP_DONE, 0
    for _ in range(PURGE_ROUNDS):
        old = select(Job.id).where(Job.status == DONE, Job.due_at < before).order_by(Job.due_at).limit(PURGE_BATCH)
        ids = session.scalars(old).all()
        session.execute(delete(Job).where(Job.id.in_(ids)).execution_options(synchronize_session=False))
        gone += len(ids)
        if len(ids) < PURGE_BATCH:
            break
    return gone
