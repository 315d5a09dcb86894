"""Job door: claims due jobs, runs them, and lets APScheduler put the periodic ones under a database lease."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.core import clock, db, jobs, leases, periodic
from app.core.tx import retry_conflicts
from config.settings import Settings

log = structlog.get_logger("regionmart.worker")
SCHEDULER_LEASE_ID = 4_000_000_001
SCHEDULER_LEASE_S = 15
BATCH = 20


class Worker:
    """One worker process or thread. `run` loops until `stop`; `drain` runs what is due now (tests, CLI)."""

    def __init__(self, settings: Settings, name: str = "") -> None:
        self.settings = settings
        self.owner = name or f"{leases.process_name()}:{threading.get_ident() % 100_000}"
        self._stop = threading.Event()
        self._scheduler: BackgroundScheduler | None = None

    def stop(self, *_signal: object) -> None:
        """Finish the current job, then leave `run`."""
        self._stop.set()

    def fire(self, declared: periodic.Periodic) -> None:
        """Put one periodic job if this worker holds the scheduler lease; APScheduler calls it."""
        try:
            if leases.try_lease(SCHEDULER_LEASE_ID, "scheduler", self.owner, SCHEDULER_LEASE_S):
                periodic.fire(declared)
        except Exception:
            log.exception("worker.fire_failed", job=declared.name)
        finally:
            db.release_session()

    def start_scheduler(self) -> None:
        """Start APScheduler; slots are aligned to the interval, so two workers compute the same slot."""
        scheduler = BackgroundScheduler(timezone=UTC)
        epoch = datetime(2025, 1, 1, tzinfo=UTC)
        for declared in periodic.declared():
            scheduler.add_job(
                self.fire, IntervalTrigger(seconds=declared.every_s, start_date=epoch, timezone=UTC),
                args=[declared], id=declared.name, coalesce=True, max_instances=1, misfire_grace_time=30,
            )  # fmt: skip
        scheduler.start()
        self._scheduler = scheduler

    def run(self) -> None:
        """Poll until stopped."""
        self.start_scheduler()
        log.info("worker.started", owner=self.owner)
        renew_at = time.monotonic() + leases.NODE_LEASE_S / 4
        try:
            while not self._stop.is_set():
                if self.drain(BATCH) == 0:
                    self._stop.wait(self.settings.worker.poll_interval_s)
                if time.monotonic() > renew_at:
                    leases.renew_node()
                    renew_at = time.monotonic() + leases.NODE_LEASE_S / 4
        finally:
            if self._scheduler is not None:
                self._scheduler.shutdown(wait=False)
            log.info("worker.stopped", owner=self.owner)

    def drain(self, limit: int = BATCH) -> int:
        """Claim and run up to `limit` due jobs; returns how many were claimed."""
        try:
            claimed = retry_conflicts(lambda: jobs.claim(self.owner, limit, self.settings.worker.lease_s))
        except Exception:
            log.exception("worker.claim_failed")
            db.release_session()
            return 0
        for job_id in claimed:
            self._run_one(job_id)
        db.release_session()
        return len(claimed)

    def _run_one(self, job_id: int) -> None:
        started = clock.now()
        try:
            retry_conflicts(lambda: jobs.run(job_id, self.owner))
            log.debug("job.done", job_id=job_id, seconds=(clock.now() - started).total_seconds())
        except Exception as error:
            log.exception("job.failed", job_id=job_id)
            db.release_session()
            text = f"{type(error).__name__}: {error}"
            limit = self.settings.worker.max_attempts
            try:
                status = retry_conflicts(lambda: jobs.fail(job_id, self.owner, text, limit))
            except Exception:
                log.exception("job.fail_failed", job_id=job_id)
            else:
                if status == jobs.PARKED:
                    log.error("job.parked", job_id=job_id, error=text)
        finally:
            db.release_session()


def main(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    worker = Worker(settings)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
