"""The job table over time: periodic jobs that were missed, done jobs that are old, jobs given back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core import clock, jobs, periodic
from app.core.db import release_session, session
from app.core.idempotency import IdempotencyKey
from app.core.ids import new_id
from app.core.tx import retry_conflicts, transaction
from app.worker import Worker


def test_a_missed_slot_is_made_up_for_once(db: Any, settings: Any) -> None:
    daily = next(p for p in periodic.declared() if p.every_s == 86_400)
    worker, other = Worker(settings, "first"), Worker(settings, "second")
    with clock.travel(timedelta(days=1)):
        assert daily in periodic.behind(), "nobody fired today's"
        worker.fire()
        assert daily not in periodic.behind()
        slot = f"p{periodic.slot_of(daily, clock.now())}"
        other.fire(daily)
        rows = db.scalars(select(jobs.Job.key).where(jobs.Job.name == daily.name)).all()
        assert rows == [slot], "the second worker holds no lease, and the slot is unique anyway"
    with clock.travel(timedelta(days=2)):
        assert daily in periodic.behind()


def test_done_jobs_are_purged_after_a_week_and_others_stay(db: Any) -> None:
    with transaction():
        for number, (status, days) in enumerate(((jobs.DONE, 8), (jobs.DONE, 6), (jobs.PARKED, 90), (jobs.QUEUED, 90))):
            jobs.enqueue("test.old", {}, key=f"{number}", due_at=clock.now() - timedelta(days=days))
            db.flush()
            db.scalars(select(jobs.Job).where(jobs.Job.key == f"{number}")).one().status = status
    with transaction():
        assert jobs.purge_done() == 1
    left = db.scalars(select(jobs.Job.key).where(jobs.Job.name == "test.old").order_by(jobs.Job.key)).all()
    assert left == ["1", "2", "3"]


def test_a_job_left_by_a_dead_worker_is_taken_alone_and_parked_in_the_end(db: Any) -> None:
    with transaction():
        for number in range(3):
            jobs.enqueue("test.left", {}, key=f"{number}", due_at=clock.now() - timedelta(seconds=9 - number))
    assert [job.alone for job in jobs.claim("dead", 10, 5, 12)] == [False] * 3
    with clock.travel(timedelta(seconds=6)):
        first = jobs.claim("alive", 10, 5, 12)
        assert [job.alone for job in first] == [True], "should it be deadly, nothing else is taken with it"
        assert jobs.claim("dead", 10, 5, 1) == [], "two deaths allowed none: parked instead of taken"
        jobs.run(first[0], "someone else")  # nothing happens to a job that is another's
    db.expire_all()
    parked = db.scalars(select(jobs.Job).where(jobs.Job.status == jobs.PARKED)).all()
    assert [row.key for row in parked] == ["1"]
    assert "died" in parked[0].last_error
    jobs.give_back([first[0].id], "dead")
    assert db.scalar(select(jobs.Job.status).where(jobs.Job.id == first[0].id)) == jobs.RUNNING, "only its owner gives it back"
    jobs.give_back([first[0].id], "alive")
    db.expire_all()
    row = db.get(jobs.Job, first[0].id)
    assert (row.status, row.attempts, row.owner) == (jobs.QUEUED, 1, "-")


class Counted:
    """A job that takes many: writes one row for each payload, so that what was rolled back is not there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.name, self.calls, self.sick = name, [], set()
        monkeypatch.setattr(jobs, "_functions", dict(jobs._functions))
        monkeypatch.setattr(jobs, "_together", dict(jobs._together))
        jobs.register_many(name, self)

    def __call__(self, payloads: Sequence[dict[str, Any]]) -> None:
        self.calls.append(sorted(payload["n"] for payload in payloads))
        for payload in payloads:
            key, at = new_id(), clock.now()
            session.add(IdempotencyKey(id=key, scope=self.name, key=f"effect-{payload['n']}", params_digest="-", result={}, created_at=at))
            session.flush()
            if payload["n"] in self.sick:
                raise ValueError(f"{payload['n']} is sick")

    def put(self, count: int) -> None:
        with transaction():
            for number in range(count):
                jobs.enqueue(self.name, {"n": number}, key=f"{number}", due_at=clock.now() - timedelta(seconds=count - number))

    def states(self) -> dict[str, tuple[str, int]]:
        release_session()
        rows = session.execute(select(jobs.Job.key, jobs.Job.status, jobs.Job.attempts).where(jobs.Job.name == self.name))
        return {key: (status, attempts) for key, status, attempts in rows}

    def effects(self) -> list[str]:
        release_session()
        return sorted(session.scalars(select(IdempotencyKey.key).where(IdempotencyKey.scope == self.name)))


def test_jobs_that_take_many_share_one_transaction(db: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch, "test.many")
    counted.put(5)
    assert Worker(settings, "one").drain() == 5
    assert counted.calls == [[0, 1, 2, 3, 4]]
    assert counted.states() == {f"{n}": (jobs.DONE, 1) for n in range(5)}
    assert counted.effects() == [f"effect-{n}" for n in range(5)]


def test_a_sick_job_of_a_group_fails_alone(db: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch, "test.many")
    counted.put(4)
    counted.sick = {2}
    Worker(settings, "one").drain()
    assert counted.calls == [[0, 1, 2, 3], [0], [1], [2], [3]], "together, then each by itself"
    assert counted.states() == {"0": (jobs.DONE, 1), "1": (jobs.DONE, 1), "2": (jobs.QUEUED, 1), "3": (jobs.DONE, 1)}
    assert counted.effects() == ["effect-0", "effect-1", "effect-3"], "each once, nothing of the group's first try"
    counted.sick = set()
    with clock.travel(timedelta(hours=1)):
        Worker(settings, "one").drain()
    assert counted.states()["2"] == (jobs.DONE, 2)


def test_a_group_that_lost_a_job_to_another_worker_leaves_that_one_to_it(
    db: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch, "test.many")
    counted.put(3)
    slow = Worker(settings, "slow")
    claim = jobs.claim

    def claim_and_lose(owner: str, *more: int) -> list[jobs.Claimed]:
        held = claim(owner, *more)
        with transaction():
            session.execute(update(jobs.Job).where(jobs.Job.id == held[1].id).values(owner="fast", attempts=2))
        return held

    monkeypatch.setattr(jobs, "claim", claim_and_lose)
    slow.drain()
    assert counted.states() == {"0": (jobs.DONE, 1), "1": (jobs.RUNNING, 2), "2": (jobs.DONE, 1)}
    assert counted.effects() == ["effect-0", "effect-2"], "the lost one is the other worker's"


def test_two_workers_that_claim_at_once_share_the_jobs(db: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch, "test.many")
    counted.put(60)
    start, held = threading.Barrier(4), []

    def take(number: int) -> None:
        start.wait()
        while mine := retry_conflicts(lambda: jobs.claim(f"worker-{number}", 7, 60, 12)):
            held.extend(job.id for job in mine)
        release_session()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == len(set(held)) == 60, "every job was claimed once"
    assert set(counted.states().values()) == {(jobs.RUNNING, 1)}


def test_an_applied_notice_leaves_nothing_to_the_worker(db: Any) -> None:
    with transaction():
        jobs.enqueue("test.settled", {}, key="a")
        jobs.enqueue("test.settled", {}, key="b")
    with transaction():
        assert jobs.settle("test.settled", "a")
    held = jobs.claim("worker", 10, 60, 12)
    assert [job.name for job in held] == ["test.settled"], "the settled one is not due"
    with transaction():
        assert not jobs.settle("test.settled", "b"), "a worker has begun it"
        assert not jobs.settle("test.settled", "a")
