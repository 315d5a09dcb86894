"""Two job workers at once: periodic jobs fire once, a killed worker's job is done by the other, a sick job is parked and mended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock, jobs
from app.core import db as core_db
from app.core.db import session
from app.core.idempotency import IdempotencyKey
from app.core.tx import retry_conflicts, transaction
from tests.factories import market
from tests.processes import door
from tests.processes.platform import Platform, until
from tests.processes.shopper import Visitor, found

ATTEMPTS = 12


@pytest.fixture(scope="module")
def started(launch: Callable[..., Platform], engine_key: str) -> Platform:
    """A platform with the tests' door and one web process."""
    door.install()  # this process looks at the same jobs
    platform = launch(engine_key, with_door=True, server={"workers": "1"}, worker={"first_delay_s": "0.005"})
    platform.start_web()
    return platform


@pytest.fixture
def running(started: Platform) -> Platform:
    """The platform with two job workers alive, whatever the test before did to them."""
    revive(started)
    until(lambda: len(ticks()) > 0, "the workers are at work", 60)
    return started


def revive(platform: Platform) -> int:
    """Start workers until two are alive, as systemd does; returns how many were started."""
    platform.workers[:] = [process for process in platform.workers if process.poll() is None]
    missing = max(0, 2 - len(platform.workers))
    for _ in range(missing):
        platform.start_worker()
    return missing


def effects(scope: str) -> int:
    """Return how often a job's effect is visible."""
    core_db.release_session()
    number = session.scalar(select(func.count()).select_from(IdempotencyKey).where(IdempotencyKey.scope == scope)) or 0
    core_db.release_session()
    return number


def put(name: str, **payload: Any) -> int:
    """Enqueue a job; returns its id."""

    def add() -> int:
        with transaction():
            return jobs.enqueue(name, payload, key=f"{name}-{time.monotonic_ns()}")

    return retry_conflicts(add)


def job(job_id: int) -> jobs.Job:
    """Return a job as it is now."""
    core_db.release_session()
    row = session.get_one(jobs.Job, job_id)
    core_db.release_session()
    return row


def ticks() -> list[tuple[int, str]]:
    """Return (slot, status) of the frequent periodic job, in order."""
    core_db.release_session()
    rows = session.execute(select(jobs.Job.key, jobs.Job.status).where(jobs.Job.name == "probe.tick")).all()
    core_db.release_session()
    return sorted((int(row.key.removeprefix("p")), row.status) for row in rows)


def test_two_workers_fire_a_periodic_job_once_for_each_due_time(running: Platform) -> None:
    # Slots pass unfired while a dead holder's lease runs out (the current one alone is made up for): begin where one has just fired.
    before = ticks()[-1][0]
    until(lambda: ticks()[-1][0] > before, "a scheduler is at work", 60)
    first = ticks()[-1][0] + 1
    until(lambda: ticks()[-1][0] > first + 6, "seven more slots", 40)
    settled = [(slot, status) for slot, status in ticks() if first <= slot < first + 6]
    assert settled == [(slot, jobs.DONE) for slot in range(first, first + 6)], "each slot once, none left out"
    done = [slot for slot, status in ticks() if status == jobs.DONE]
    assert abs(effects("probe.tick") - len(done)) <= 1, "each row ran once (one may be running between the two reads)"
    owners = {row.split(":")[1] for row in owners_of("orders.expire_unpaid", "probe.tick", "audit.seal_and_sign", "search.refresh")}
    assert owners <= {str(pid) for pid in running.worker_pids}, "only the workers ran them"


def owners_of(*names: str) -> list[str]:
    """Return who ran jobs."""
    core_db.release_session()
    found_owners = list(session.scalars(select(jobs.Job.owner).where(jobs.Job.name.in_(names), jobs.Job.status == jobs.DONE)))
    core_db.release_session()
    return found_owners


def test_a_killed_workers_job_is_done_by_the_other(running: Platform) -> None:
    before = effects("probe.slow")
    job_id = put("probe.slow", mark="killed", seconds=60)
    marker = running.home / "slow-killed"
    until(lambda: marker.exists() and marker.read_text(), "the slow job began")
    victim = int(marker.read_text())
    index = [process.pid for process in running.workers].index(victim)
    survivor = running.workers[1 - index]
    assert job(job_id).owner.split(":")[1] == str(victim)
    os.kill(victim, signal.SIGKILL)
    running.workers[index].wait()
    until(lambda: job(job_id).status == jobs.DONE, "the job is done after all", running.settings.worker.lease_s + 20)
    row = job(job_id)
    assert row.owner.split(":")[1] == str(survivor.pid)
    assert row.attempts == 2
    assert effects("probe.slow") == before + 1, "the effect of the killed run is gone"
    # The scheduler's lease passes on as well: the survivor fires the periodic jobs, at the latest when the lease is over.
    known = ticks()[-1][0]
    until(lambda: ticks()[-1][0] > known + 2, "the survivor fires", 40)


def test_a_job_longer_than_its_lease_stays_with_its_worker(running: Platform) -> None:
    before, lease = effects("probe.slow"), running.settings.worker.lease_s
    job_id = put("probe.slow", mark="long", seconds=lease + 4)
    until(lambda: job(job_id).status == jobs.DONE, "the long job is done", lease + 30)
    assert job(job_id).attempts == 1, "its lease was renewed, or nobody could take it"
    assert effects("probe.slow") == before + 1


def test_a_sick_job_is_parked_shown_and_retried_by_an_operator(running: Platform) -> None:
    job_id = put("probe.poison")
    until(lambda: job(job_id).status == jobs.PARKED, "the job is parked", 300)
    row = job(job_id)
    assert row.attempts == ATTEMPTS
    assert "the poison is at work" in (row.last_error or "")
    assert effects("probe.poison") == 0
    visitor = Visitor(running.port)
    visitor.sign_in_console("/operator", market.staff("operator", "system"), market.PASSWORD)
    page = visitor.get("/operator/jobs").text
    assert "probe.poison" in page
    assert "the poison is at work" in page
    action = found(rf'action="(/operator/jobs/{job_id}/retry)"', page)
    (running.home / "antidote").touch()
    assert visitor.post(action, "/operator").status == 303
    until(lambda: job(job_id).status == jobs.DONE, "the mended job is done")
    assert effects("probe.poison") == 1
    assert "probe.poison" not in visitor.get("/operator/jobs").text
    assert visitor.post(action, "/operator").status == 303, "a second click changes nothing"
    assert effects("probe.poison") == 1
    visitor.close()


def test_a_job_that_kills_its_worker_is_parked_and_takes_no_others_along(running: Platform) -> None:
    """Each death is one attempt; the workers are started again as systemd does, the innocent jobs are done."""
    deadly = put("probe.deadly")
    innocent = [put("probe.plain") for _ in range(10)]

    def over() -> bool:
        revive(running)
        return job(deadly).attempts >= 2 and all(job(one).status == jobs.DONE for one in innocent)

    until(over, "the innocent jobs are done though the deadly one has killed twice", 150, every=0.3)
    assert max(job(one).attempts for one in innocent) <= 2, "only the batch of the first death was touched"

    def age() -> None:
        with transaction():
            row = session.get_one(jobs.Job, deadly)
            row.attempts, row.status, row.lease_until = ATTEMPTS, jobs.RUNNING, clock.now()

    retry_conflicts(age)
    revive(running)
    until(lambda: job(deadly).status == jobs.PARKED, "the deadly job is parked", 60)
    assert f"died {ATTEMPTS} times" in (job(deadly).last_error or "")


def test_a_stopped_worker_finishes_its_job_and_gives_the_others_back(running: Platform) -> None:
    for process in running.workers:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    before = effects("probe.slow")
    slow = put("probe.slow", mark="stopping", seconds=3)
    later = [put("probe.plain") for _ in range(5)]
    lone = running.start_worker()
    running.workers[:] = [lone]
    marker = running.home / "slow-stopping"
    until(marker.exists, "the slow job began", 60)
    lone.send_signal(signal.SIGTERM)
    assert lone.wait(30) == 0
    assert job(slow).status == jobs.DONE
    assert effects("probe.slow") == before + 1
    assert {(job(one).status, job(one).attempts) for one in later} == {(jobs.QUEUED, 0)}


def test_a_claimed_address_is_not_believed_without_a_proxy(running: Platform) -> None:
    from app.audit.models import AuditEvent

    visitor = Visitor(running.port, headers={"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"})
    visitor.sign_in_console("/operator", market.staff("operator", "operations"), market.PASSWORD)
    core_db.release_session()
    newest = session.scalars(select(AuditEvent).where(AuditEvent.realm == "operator").order_by(AuditEvent.id.desc()).limit(1)).one()
    assert newest.address == "127.0.0.1"
    visitor.close()
