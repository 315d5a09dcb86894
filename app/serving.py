"""Settings of the web server's master process (`gunicorn --config python:app.serving`): a reload keeps the site answering.

On HUP gunicorn starts the new processes and stops the old ones at once, though the new ones need seconds to load the application;
requests wait that long. Here the old ones are stopped when the new ones have begun to serve (ADR-0003).
"""

from __future__ import annotations

import time
from typing import Any

from gunicorn.arbiter import Arbiter

LONGEST_START_S = 60.0
LOOK_S = 0.1


class PatientArbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """An arbiter that stops surplus workers only when enough younger ones serve."""

    def manage_workers(self) -> None:
        """Start and stop workers as gunicorn does, but wait for the young ones before old ones are stopped."""
        if len(self.WORKERS) > self.num_workers:
            deadline = time.monotonic() + LONGEST_START_S
            while not self._young_ones_serve() and time.monotonic() < deadline:
                self.reap_workers()  # one that cannot start ends the server here, as at the first start
                time.sleep(LOOK_S)
        super().manage_workers()

    def _young_ones_serve(self) -> bool:
        young = sorted(self.WORKERS.values(), key=lambda worker: worker.age)[-self.num_workers :]
        return all(serves(worker) for worker in young)


def serves(worker: Any) -> bool:
    """Tell whether a worker has reached its loop: it then stamps its file with the monotonic clock, before with the time of day."""
    try:
        return bool(worker.tmp.last_update() <= time.monotonic())
    except (OSError, ValueError):
        return False


def when_ready(server: Any) -> None:
    """gunicorn's hook in the master: take the arbiter's place."""
    server.__class__ = PatientArbiter
