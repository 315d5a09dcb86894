"""The product's doors with a few additions for the tests: jobs that are slow, sick or frequent, a slow page, Dameng's stand-in.

Run: `python -m tests.processes.door worker`, or gunicorn on `tests.processes.door:application()`. Everything else is the product.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import dbadapters
from app import wsgi
from app.core import clock, ids, jobs, periodic, runtime
from app.core.db import session
from app.core.idempotency import IdempotencyKey
from app.web.surfaces import public
from tests.standin import dm

TICK_S = 2
STAND_IN = "RM_TEST_STANDIN"  # port:database of the MariaDB behind Dameng's stand-in


class ProcessStandIn(dm.StandInAdapter):
    """The stand-in of a child process: the database is named in the environment, not handed over."""

    def import_driver(self) -> Any:
        """Return the driver that reaches the parent's database."""
        port, self.database = os.environ[STAND_IN].split(":")
        self.driver = dm.module(int(port), self.database)
        return self.driver

    def engine_kwargs(self) -> dict[str, Any]:
        """Make sure that the driver is there before the dialect asks for it."""
        self.import_driver()
        return super().engine_kwargs()


def use_standin() -> None:
    """Let `dm+dmpython://` URLs open the stand-in when the environment names one."""
    if STAND_IN in os.environ:
        dbadapters.ENGINES["dm"] = (__name__, "ProcessStandIn")


def effect(scope: str) -> None:
    """Leave a trace in the job's own transaction; a second run would leave a second one."""
    key = f"{ids.new_id()}"
    session.add(IdempotencyKey(id=int(key), scope=scope, key=key, params_digest="-", result={}, created_at=clock.now()))


def _slow(payload: dict[str, Any]) -> None:
    """Take long at the first run, be quick at the next: the first one is killed, or is to be seen as taken over."""
    effect("probe.slow")
    session.flush()
    began = Path(runtime.current().settings.home) / f"slow-{payload['mark']}"
    if not began.exists():
        began.write_text(str(os.getpid()))
        time.sleep(payload["seconds"])


def _poison(payload: dict[str, Any]) -> None:
    effect("probe.poison")
    session.flush()
    if not (Path(runtime.current().settings.home) / "antidote").exists():
        raise ValueError("the poison is at work")


def _deadly(payload: dict[str, Any]) -> None:
    os._exit(9)


def install() -> None:
    """Add the jobs of the tests to the product's."""
    use_standin()
    jobs.register("probe.slow", _slow)
    jobs.register("probe.poison", _poison)
    jobs.register("probe.deadly", _deadly)
    jobs.register("probe.plain", lambda payload: effect("probe.plain"))
    periodic.declare(periodic.Periodic("probe.tick", TICK_S, lambda: effect("probe.tick"), "test"))


def application() -> Any:
    """Return the product's application with a slow page."""
    install()
    made = wsgi.application()

    @public("test")
    def slow(tenths: int) -> str:
        time.sleep(tenths / 10)
        return "slept"

    (Path(runtime.current().settings.home) / f"loaded-{os.getpid()}").touch()
    made.add_url_rule("/probe/slow/<int:tenths>", "storefront_probe_slow", slow)
    return made


if __name__ == "__main__":
    from app.cli import main

    install()
    main()
