"""Everything asynchronous is a job row: name, payload, due time, attempts, key (decision 5).

A job runs in one transaction together with its own completion mark: after a kill it is either done or due
again, and its effects are never visible twice. Delivery is at least once for effects outside the database.
Jobs whose function takes many payloads may share such a transaction (ADR-0010): all of them are done, or none.
A job that calls out of the process is registered as `outside`: it runs between two short transactions, opens its own, and may be
repeated after a kill although its call went out, so it names what it does by a number the other side knows.
A worker renews the leases of what it holds (`renew`), so a lease runs out only when its worker is dead or stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint, bindparam, delete, select, update
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
ManyFunction = Callable[[Sequence[dict[str, Any]]], None]
_functions: dict[str, JobFunction] = {}
_together: dict[str, ManyFunction] = {}
_outside: set[str] = set()


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


@dataclass(frozen=True)
class Claimed:
    """A job a worker holds. alone: a dead worker left it, so nothing else may share its fate."""

    id: int
    name: str
    payload: dict[str, Any]
    alone: bool = False


_TABLE = sql.table_of(Job)
_J = _TABLE.c
_HEAD = select(_J.id, _J.name, _J.payload, _J.attempts)
_LEFT = _HEAD.where(_J.status == RUNNING, _J.lease_until < bindparam("at")).order_by(_J.due_at, _J.id).limit(1)
_DUE = _HEAD.where(_J.status == QUEUED, _J.due_at <= bindparam("at")).order_by(_J.due_at, _J.id).limit(bindparam("most"))
_TAKEN = _J.id.in_(bindparam("ids", expanding=True)) & (_J.status == RUNNING) & (_J.owner == bindparam("holder"))
_HELD = select(_J.id).where(_TAKEN)
_TAKE = (
    update(_TABLE)
    .where(_J.id.in_(bindparam("ids", expanding=True)), _J.status == QUEUED, _J.due_at <= bindparam("at"))
    .values(status=RUNNING, owner=bindparam("holder"), attempts=_J.attempts + 1, lease_until=bindparam("until"))
)
_FINISH = update(_TABLE).where(_TAKEN).values(status=DONE, finished_at=bindparam("at"), last_error=None)
_SETTLE = (
    update(_TABLE)
    .where(_J.name == bindparam("w_name"), _J.job_key == bindparam("w_key"), _J.status == QUEUED)
    .values(status=DONE, finished_at=bindparam("at"))
)


def register(name: str, function: JobFunction, *, outside: bool = False) -> None:
    """Bind a job name to its function (payload dict -> None). outside: it runs without a transaction and opens its own."""
    _functions[name] = function
    (_outside.add if outside else _outside.discard)(name)


def register_many(name: str, function: ManyFunction) -> None:
    """Bind a job name to a function of several payloads, in no certain order, which takes effect as a whole or raises."""
    _together[name] = function
    _functions[name] = lambda payload: function([payload])


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


def claim(owner: str, limit: int, lease_s: int, max_attempts: int) -> list[Claimed]:
    """Take up to `limit` due jobs, or one whose lease ran out, for this owner; own short transaction.

    Portable claim: read candidates without a lock, then take them by one guarded UPDATE; should another worker have been faster
    with some, a read tells which are held. A job left by a dead worker is taken alone: should it be what killed the worker, it
    takes no others along, and it is parked after max_attempts deaths.
    """
    at = clock.now()
    left = sql.read(_LEFT, {"at": at}).one_or_none()
    due = [] if left else sql.read(_DUE, {"at": at, "most": limit}).all()
    if left is None and not due:
        release_session()  # an idle worker must not hold a snapshot
        return []
    until = at + timedelta(seconds=lease_s)
    with transaction():
        if left is not None:
            return _take_left(left, owner, until, max_attempts)
        mine = {"ids": [row.id for row in due], "holder": owner}
        held = set(mine["ids"])
        if sql.change(_TAKE, {**mine, "at": at, "until": until}) != len(due):
            held = set(sql.read(_HELD, mine).scalars())
        return [Claimed(row.id, row.name, row.payload) for row in due if row.id in held]


def _take_left(row: Any, owner: str, until: datetime, max_attempts: int) -> list[Claimed]:
    """Take over, or park, a job whose worker died; attempts tell how often that happened."""
    values = {"owner": owner, "attempts": row.attempts + 1, "lease_until": until}
    given_up = row.attempts >= max_attempts
    if given_up:
        values = {"status": PARKED, "last_error": f"the worker died {row.attempts} times while it held this job"}
    still = (_J.id == row.id, _J.status == RUNNING, _J.attempts == row.attempts)
    taken = session.connection().execute(update(_TABLE).where(*still).values(**values)).rowcount == 1
    return [Claimed(row.id, row.name, row.payload, alone=True)] if taken and not given_up else []


def in_groups(claimed: Iterable[Claimed]) -> list[list[Claimed]]:
    """Return what is run together: the jobs of one name that takes many, every other job by itself; in the order of the first."""
    groups: list[list[Claimed]] = []
    open_groups: dict[str, list[Claimed]] = {}
    for job in claimed:
        group = open_groups.get(job.name)
        if group is None or job.alone:
            group = []
            groups.append(group)
            if job.name in _together and not job.alone:
                open_groups[job.name] = group
        group.append(job)
    return groups


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


def run(job: Claimed, owner: str) -> None:
    """Run a claimed job and mark it done in one transaction; a job another worker has taken over is left alone.

    One that is registered as outside runs between two transactions instead.

    Raises whatever the job raises, RuntimeError when it was taken over meanwhile; then nothing of it remains.
    """
    with transaction():
        if sql.read(_HELD, {"ids": [job.id], "holder": owner}).scalar() is None:
            return
        function = _functions.get(job.name)
        if function is None:
            raise LookupError(f"no job is registered as {job.name}")
        if job.name not in _outside:
            function(job.payload)
            _finish([job.id], owner)
            return
    function(job.payload)
    with transaction():
        _finish([job.id], owner)


def run_together(group: Sequence[Claimed], owner: str) -> None:
    """Run jobs of one name in one transaction with their marks. Raises what they raise, RuntimeError when one was taken over."""
    with transaction():
        _together[group[0].name]([job.payload for job in group])
        _finish([job.id for job in group], owner)


def _finish(ids: Sequence[int], owner: str) -> None:
    session.flush()
    if sql.change(_FINISH, {"ids": ids, "holder": owner, "at": clock.now()}) != len(ids):
        raise RuntimeError(f"of the jobs {ids} another worker has taken over some")


def settle(name: str, key: str) -> bool:
    """Mark a queued job done because the caller's transaction has just had its effect; False when a worker has begun it."""
    return sql.change(_SETTLE, {"w_name": name, "w_key": key, "at": clock.now()}) == 1


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
