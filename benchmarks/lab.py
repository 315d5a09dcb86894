"""A platform under test: database, gunicorn and job worker on loopback in a scratch folder, stopped by pid."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import cpu
from tests import servers

ROOT = Path(__file__).resolve().parents[1]
MARKET = str(ROOT / "benchmarks" / "market.py")
WORKERS, THREADS = 2, 4
READY_S = 180
DRAIN_S = 300
_WEB = (
    "import os, sys\nfrom app.cli import gunicorn_args\nfrom config.sources import load_settings\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'gunicorn', *gunicorn_args(load_settings())])"
)
_VERSION = f"create or replace function pg_catalog.version() returns text language sql stable as $$ select '{servers.KINGBASE_VERSION}' $$;"


class Lab:
    """One tree (checkout or worktree) with its own database. engine: sqlite | mariadb | kingbase, durable as in production.

    kingbase is PostgreSQL under the Kingbase driver, without the emulation of Oracle's empty string: its triggers would be measured.
    """

    def __init__(self, name: str, tree: Path, engine: str, folder: Path) -> None:
        self.name, self.tree, self.engine, self.folder = name, tree, engine, folder
        self.home = folder / f"home-{name}"
        self.home.mkdir(parents=True)
        self.port = servers.free_port()
        self.web: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.server: servers.Server | None = None
        self.boot_s = 0.0
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("REGIONMART_")}
        self.env |= {
            "PYTHONPATH": str(tree), "REGIONMART_HOME": str(self.home), "REGIONMART_ENVIRONMENT": "testing", "PORT": str(self.port),
            "REGIONMART_DATABASE__URL": self._database(), "REGIONMART_SERVER__WORKERS": str(WORKERS),
            "REGIONMART_SERVER__THREADS": str(THREADS), "REGIONMART_LOG__LEVEL": "WARNING",
            "REGIONMART_TRADE__MAX_OPEN_UNPAID": "1000000",
        }  # fmt: skip

    def _database(self) -> str:
        if self.engine == "mariadb":
            self.server = servers.MariaDBServer(durable=True).__enter__()
            return self.server.create_database("bench")
        if self.engine == "kingbase":
            self.server = postgres = servers.PostgresServer(durable=True).__enter__()
            postgres.psql("postgres", "CREATE DATABASE bench")
            postgres.psql("bench", _VERSION)
            return f"kingbase+ksycopg2://regionmart@127.0.0.1:{postgres.port}/bench"
        return f"sqlite:///{self.home / 'regionmart.db'}"

    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a Python command of the tree to its end. Raises RuntimeError with the end of its output."""
        done = subprocess.run([sys.executable, *argv], env=self.env, cwd=self.tree, capture_output=True, text=True, **options)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(argv)[:120]} failed\n{done.stdout[-1_000:]}{done.stderr[-3_000:]}")
        return done

    def market(self, command: str, **arguments: Any) -> Any:
        """Run a command of benchmarks/market.py inside the tree; arguments and answer are JSON."""
        return json.loads(self.run("-P", MARKET, command, input=json.dumps(arguments)).stdout.splitlines()[-1])

    def _spawn(self, name: str, argv: list[str], cwd: Path) -> subprocess.Popen[bytes]:
        with (self.folder / f"{self.name}-{name}.log").open("ab") as log:
            return subprocess.Popen([sys.executable, *argv], env=self.env, cwd=cwd, stdout=log, stderr=log)

    def start(self) -> None:
        """Start the web server and the worker; returns when the site answers."""
        started = time.monotonic()
        self.web = self._spawn("web", ["-c", _WEB], self.tree)
        self.start_worker()
        wait_ready(self.port, self.web, "/readyz")
        self.boot_s = time.monotonic() - started

    def start_worker(self) -> None:
        """Start the job worker."""
        self.worker = self._spawn("worker", ["-m", "app.cli", "worker"], self.tree)

    def stop_processes(self) -> None:
        """Stop web server and worker, gently at first."""
        for process in (self.web, self.worker):
            stop(process)
        self.web = self.worker = None

    def close(self) -> None:
        """Stop everything, the database too."""
        self.stop_processes()
        if self.server is not None:
            self.server.stop()

    def roots(self) -> dict[str, int]:
        """Return the pids whose trees are the components."""
        processes = {"web": self.web, "worker": self.worker, "db": self.server.process if self.server else None}
        return {name: process.pid for name, process in processes.items() if process is not None}

    def web_workers(self) -> list[int]:
        """Return the pids of gunicorn's workers."""
        if self.web is None:
            return []
        children = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def kill_web_worker(self, number: int) -> None:
        """SIGKILL one web worker; gunicorn starts another."""
        pids = self.web_workers()
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[number % len(pids)], signal.SIGKILL)

    def kill_worker(self) -> None:
        """SIGKILL the job worker and start another."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()
        self.start_worker()

    def drain(self) -> float:
        """Wait until no job is due; returns the seconds it took. Raises RuntimeError after five minutes."""
        started = time.monotonic()
        while self.market("pending")["due"]:
            if time.monotonic() - started > DRAIN_S:
                raise RuntimeError(f"{self.name}: jobs still wait after {DRAIN_S} s")
            time.sleep(0.2)
        return time.monotonic() - started


def wait_ready(port: int, process: subprocess.Popen[bytes], path: str) -> None:
    """Wait for a 200. Raises RuntimeError when the process ends or three minutes pass."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"nothing answers on port {port}")


def stop(process: subprocess.Popen[bytes] | None) -> None:
    """Stop one process by its pid."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def bare_server(folder: Path) -> Iterator[tuple[int, dict[str, int]]]:
    """Run the bare route on the platform's server settings; yields its port and its process tree."""
    port = servers.free_port()
    argv = [
        "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", str(THREADS),
        "--keep-alive", "75", "--log-level", "warning", "benchmarks.bare:app",
    ]  # fmt: skip
    with (folder / "bare.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, *argv], cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_ready(port, process, "/")
        yield port, {"web": process.pid}
    finally:
        stop(process)


@contextlib.contextmanager
def worktree(ref: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into the scratch folder, with the checkout's built assets; removes it afterwards."""
    tree = folder / "base"
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(tree), ref], cwd=ROOT, check=True)
    try:
        vendor = Path("app/web/static/vendor")
        if (ROOT / vendor).is_dir():
            shutil.copytree(ROOT / vendor, tree / vendor)
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def timed(lab: Lab, *argv: str) -> dict[str, float]:
    """Run a command of the tree; returns its wall time, CPU time and peak memory, all its children included."""
    before = cpu.read({})
    with (lab.folder / f"{lab.name}-command.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *argv], env=lab.env, cwd=lab.tree, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed: {(lab.folder / f'{lab.name}-command.log').read_text()[-2_000:]}")
    window = cpu.spent(before, cpu.read({}))
    return {
        "wall_s": round(window.seconds, 2), "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "rss_mb": round(usage.ru_maxrss / 1024, 1), "foreign": round(window.foreign, 2),
    }  # fmt: skip
