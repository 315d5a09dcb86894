"""A running platform of a test: gunicorn and job workers as they run in production, on a database of the chosen engine.

The pytest process never forks; it seeds the database, looks into it, and sends signals to processes it started, by pid.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from app import boot, cli
from app.core import cache_reset
from app.core import db as core_db
from config.settings import Settings
from config.sources import load_settings
from dbadapters import open_adapter
from tests import engines, servers
from tests.processes import door

ROOT = Path(__file__).parents[2]
STOP_S = 30.0
QUICK = {
    "security": {"password_iterations": "10000"}, "log": {"level": "WARNING"}, "server": {"workers": "2", "threads": "4"},
    "worker": {"lease_s": "5", "poll_interval_s": "0.2", "first_delay_s": "0.05"}, "trade": {"max_open_unpaid": "1000"},
}  # fmt: skip


def until(done: Callable[[], Any], what: str, seconds: float = 60.0, every: float = 0.1, tell: Callable[[], Any] = str) -> Any:
    """Wait for a truthy answer and return it. Fails the test with what was waited for, and what `tell` says then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = done()
        if answer:
            return answer
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what} {tell()}")


class Platform:
    """The processes of one home. with_door: run the tests' door instead of the product's own."""

    def __init__(self, home: Path, engine_key: str, *, with_door: bool = False, **groups: dict[str, str]) -> None:
        self.home, self.engine_key = home, engine_key
        self.with_door = with_door or engine_key == "dameng"
        self.port = servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.master: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.worker_pids: set[int] = set()  # of all that were ever started, the dead among them
        self._all: dict[int, psutil.Process] = {}
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("REGIONMART_")}
        tree = {group: {**QUICK.get(group, {}), **groups.get(group, {})} for group in {*QUICK, *groups}}
        own = {f"REGIONMART_{g}__{k}".upper(): v for g, values in tree.items() for k, v in values.items()}
        own |= {"REGIONMART_HOME": str(home), "REGIONMART_ENVIRONMENT": "testing", "PORT": str(self.port)}
        own |= self._database()
        self.env |= own
        self.settings: Settings = load_settings(environ=own)

    def _database(self) -> dict[str, str]:
        """Make the database; the observer uses the same adapter as the processes."""
        if self.engine_key == "dameng":
            self.adapter = engines.open_test_adapter("dameng", prefix="proc")
            self.env[door.STAND_IN] = f"{servers.mariadb().port}:{self.adapter.database}"  # type: ignore[attr-defined]
            return {"REGIONMART_DATABASE__URL": "dm+dmpython://app:x@127.0.0.1:5236/T"}
        url = f"sqlite:///{self.home / 'regionmart.db'}"
        if self.engine_key != "sqlite":
            url = engines.engine_urls(self.engine_key, f"proc{self.port}")
        self.adapter = open_adapter(url)
        return {"REGIONMART_DATABASE__URL": url}

    def prepare(self) -> None:
        """Bind this process to the platform's database and bring the schema up."""
        if core_db._bound is not None:
            core_db.unbind()
        boot.start(self.settings, adapter=self.adapter, self_test=False)
        cache_reset.reset_all()  # what this process remembers is of the database before
        cli.prepare_schema(self.settings)
        core_db.release_session()

    def spawn(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        """Start a Python process of this platform; its output goes to NAME.log, `stop` ends it."""
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, *argv], env=self.env, cwd=ROOT, stdout=log, stderr=log)
        self._all[process.pid] = psutil.Process(process.pid)
        return process

    def start_web(self, *, wait: bool = True) -> None:
        """Start gunicorn with the product's own arguments."""
        argv = cli.gunicorn_args(self.settings)
        if self.with_door:
            argv[-1] = "tests.processes.door:application()"
        self.master = self.spawn("web", ["-m", "gunicorn", *argv])
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the site answers."""
        until(self.ready, "the web processes answer", 150)

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start one more job worker."""
        module = "tests.processes.door" if self.with_door else "app.cli"
        self.workers.append(self.spawn(f"worker{len(self.workers)}", ["-m", module, "worker"]))
        self.worker_pids.add(self.workers[-1].pid)
        return self.workers[-1]

    def ready(self) -> bool:
        """Tell whether the site and its database answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def web_workers(self) -> list[psutil.Process]:
        """Return gunicorn's worker processes, oldest first."""
        assert self.master is not None
        try:
            found = psutil.Process(self.master.pid).children()
        except psutil.NoSuchProcess:
            return []
        self._all.update({process.pid: process for process in found})
        return sorted(found, key=lambda process: process.pid)

    def kill_web_worker(self, rng: random.Random) -> None:
        """SIGKILL one web worker; gunicorn starts another."""
        alive = self.web_workers()
        if alive:
            _kill(rng.choice(alive))

    def kill_master(self, *, restart: bool = True) -> None:
        """SIGKILL gunicorn's master; then do what systemd does: stop what is left of the unit and start it again."""
        assert self.master is not None
        orphans = self.web_workers()
        self.master.kill()
        self.master.wait()
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.terminate()
        _, stubborn = psutil.wait_procs(orphans, timeout=STOP_S)
        assert not stubborn, "orphaned web workers did not stop"
        if restart:
            self.start_web(wait=False)

    def kill_job_worker(self, rng: random.Random) -> None:
        """SIGKILL one job worker and start another in its place."""
        index = rng.randrange(len(self.workers))
        self.workers[index].kill()
        self.workers[index].wait()
        replacement = self.start_worker()
        self.workers.pop()
        self.workers[index] = replacement

    def command(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a `regionmart` command."""
        module = "tests.processes.door" if self.with_door else "app.cli"
        return subprocess.run([sys.executable, "-m", module, *argv], env=self.env, cwd=ROOT, capture_output=True, text=True)

    def log(self, name: str) -> str:
        """Return the end of a process's log."""
        file = self.home / f"{name}.log"
        return file.read_text(errors="replace")[-3_000:] if file.exists() else ""

    def stop(self) -> None:
        """Stop everything that was started, gently first, by pid; nothing is left behind."""
        if self.master is not None and self.master.poll() is None:
            self.web_workers()
        for process in (self.master, *self.workers):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        _, stubborn = psutil.wait_procs(list(self._all.values()), timeout=STOP_S)
        for process in stubborn:
            _kill(process)
        for process in (self.master, *self.workers):
            if process is not None:
                process.wait()
        if core_db._bound is not None and core_db.adapter() is self.adapter:
            core_db.unbind()
        assert not stubborn, f"did not stop within {STOP_S} s: {stubborn}\n{self.log('web')}"


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
