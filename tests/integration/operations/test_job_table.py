"""The job table over time: periodic jobs that were missed, done jobs that are old, jobs given back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock, jobs, periodic
from app.core.tx import transaction
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
    assert len(jobs.claim("dead", 10, 5, 12)) == 3
    with clock.travel(timedelta(seconds=6)):
        first = jobs.claim("alive", 10, 5, 12)
        assert len(first) == 1, "should it be deadly, it is alone"
        assert jobs.claim("dead", 10, 5, 1) == [], "two deaths allowed none: parked instead of taken"
        jobs.run(first[0], "someone else")  # nothing happens to a job that is another's
    db.expire_all()
    parked = db.scalars(select(jobs.Job).where(jobs.Job.status == jobs.PARKED)).all()
    assert [row.key for row in parked] == ["1"]
    assert "died" in parked[0].last_error
    jobs.give_back(first, "dead")
    assert db.scalar(select(jobs.Job.status).where(jobs.Job.id == first[0])) == jobs.RUNNING, "only its owner gives it back"
    jobs.give_back(first, "alive")
    db.expire_all()
    row = db.get(jobs.Job, first[0])
    assert (row.status, row.attempts, row.owner) == (jobs.QUEUED, 1, "-")
