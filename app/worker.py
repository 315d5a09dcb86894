"""Job door: claims due jobs, runs them, and lets APScheduler put the periodic ones under a database lease."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.core import clock, db, jobs, leases, periodic
from app.core.jobs import Claimed
from app.core.tx import retry_conflicts
from config.settings import Settings

log = structlog.get_logger("regionmart.worker")
SCHEDULER_LEASE_ID = 4_000_000_001
SCHEDULER_LEASE_S = 15
CATCH_UP_S = 10
BATCH = 100
LONGEST_S = 3_600  # a job that hangs keeps its lease no longer than this


class Worker:
    """One worker process or thread. `run` loops until `stop`; `drain` runs what is due now (tests, CLI)."""

    def __init__(self, settings: Settings, name: str = "") -> None:
        self.settings = settings
        self.owner = name or f"{leases.process_name()}:{threading.get_ident() % 100_000}"
        self._stop = threading.Event()
        self._scheduler: BackgroundScheduler | None = None
        self._held: set[int] = set()  # claimed and not finished; read by the renewing thread
        self._began = time.monotonic()
        self._behind = False  # more is likely to be due at once

    def stop(self, *_signal: object) -> None:
        """Finish the current job, give the other claimed ones back, then leave `run`."""
        self._stop.set()

    def fire(self, *wanted: periodic.Periodic) -> None:
        """Put periodic jobs if this worker holds the scheduler lease; without arguments all that are behind."""
        try:
            due = wanted or periodic.behind()
            if due and leases.try_lease(SCHEDULER_LEASE_ID, "scheduler", self.owner, SCHEDULER_LEASE_S):
                for declared in due:
                    periodic.fire(declared)
        except Exception:
            log.exception("worker.fire_failed", jobs=[declared.name for declared in wanted])
        finally:
            db.release_session()

    def start_scheduler(self) -> None:
        """Start APScheduler; slots are aligned to the interval, so two workers compute the same slot."""
        scheduler = BackgroundScheduler(timezone=UTC)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        for declared in periodic.declared():
            scheduler.add_job(
                self.fire, IntervalTrigger(seconds=declared.every_s, start_date=epoch, timezone=UTC),
                args=[declared], id=declared.name, coalesce=True, max_instances=1, misfire_grace_time=30,
            )  # fmt: skip
        scheduler.add_job(self.fire, "interval", seconds=CATCH_UP_S, next_run_time=clock.now(), id="catch-up", coalesce=True)
        every = max(1.0, self.settings.worker.lease_s / 3)
        scheduler.add_job(self.renew, "interval", seconds=every, id="renew", coalesce=True, misfire_grace_time=None)
        scheduler.start()
        self._scheduler = scheduler

    def renew(self) -> None:
        """Keep the leases of what this worker holds alive while it works; APScheduler calls it in its own thread."""
        held = tuple(self._held)
        if not held or time.monotonic() - self._began > LONGEST_S:
            return
        try:
            jobs.renew(held, self.owner, self.settings.worker.lease_s)
        except Exception:  # SQLite: the running job has the only write lock, so nobody else can take it either
            log.info("worker.renew_failed", jobs=len(held), exc_info=True)
        finally:
            db.release_session()

    def run(self) -> None:
        """Poll until stopped. While little is due it waits between two looks: jobs that gather are cheaper together."""
        leases.keep_node()
        self.start_scheduler()
        log.info("worker.started", owner=self.owner)
        try:
            while not self._stop.is_set():
                self.drain(BATCH)
                if not self._behind:
                    self._stop.wait(self.settings.worker.poll_interval_s)
        finally:
            if self._scheduler is not None:
                self._scheduler.shutdown(wait=False)
            log.info("worker.stopped", owner=self.owner)

    def drain(self, limit: int = BATCH) -> int:
        """Claim and run up to `limit` due jobs; returns how many were claimed."""
        work = self.settings.worker
        self._behind = False
        try:
            claimed = retry_conflicts(lambda: jobs.claim(self.owner, limit, work.lease_s, work.max_attempts))
        except Exception:
            log.exception("worker.claim_failed")
            db.release_session()
            return 0
        self._behind = len(claimed) == limit or any(job.alone for job in claimed)
        self._held = {job.id for job in claimed}
        for group in jobs.in_groups(claimed):
            if not self._run_group(group):
                self._give_back()
                break
        db.release_session()
        return len(claimed)

    def _give_back(self) -> None:
        left, self._held = tuple(self._held), set()
        try:
            retry_conflicts(lambda: jobs.give_back(left, self.owner))
        except Exception:  # the leases run out by themselves
            log.exception("worker.give_back_failed", jobs=len(left))

    def _run_group(self, group: Sequence[Claimed]) -> bool:
        """Run jobs together, or each alone when that fails; False when the worker is to stop before all are done."""
        if not self._stop.is_set() and len(group) > 1 and self._run_together(group):
            self._held.difference_update(job.id for job in group)
            return True
        for job in group:
            if self._stop.is_set():
                return False
            self._run_one(job)
            self._held.discard(job.id)
        return True

    def _run_together(self, group: Sequence[Claimed]) -> bool:
        started = self._began = time.monotonic()
        try:
            retry_conflicts(lambda: jobs.run_together(group, self.owner))
        except Exception as error:  # one of them is sick, or stands in another worker's way: it fails alone
            log.info("job.group_failed", job=group[0].name, jobs=len(group), error=f"{type(error).__name__}: {error}"[:300])
            return False
        else:
            log.debug("job.group_done", job=group[0].name, jobs=len(group), seconds=time.monotonic() - started)
            return True
        finally:
            db.release_session()

    def _run_one(self, job: Claimed) -> None:
        started = self._began = time.monotonic()
        try:
            retry_conflicts(lambda: jobs.run(job, self.owner))
            log.debug("job.done", job_id=job.id, seconds=time.monotonic() - started)
        except Exception as error:
            log.exception("job.failed", job_id=job.id)
            db.release_session()
            self._record_failure(job.id, f"{type(error).__name__}: {error}")
        finally:
            db.release_session()

    def _record_failure(self, job_id: int, text: str) -> None:
        work = self.settings.worker
        try:
            status = retry_conflicts(lambda: jobs.fail(job_id, self.owner, text, work.max_attempts, work.first_delay_s))
        except Exception:
            log.exception("job.fail_failed", job_id=job_id)
        else:
            if status == jobs.PARKED:
                log.error("job.parked", job_id=job_id, error=text)


def main(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    worker = Worker(settings)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
