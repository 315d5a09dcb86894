"""Private MariaDB, PostgreSQL, Redis and nginx servers of a test run: own data directory, free port, stopped by pid."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pymysql

KINGBASE_VERSION = "KingbaseES V008R006C009B0014 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit"
_EMULATION = f"""
create or replace function pg_catalog.version() returns text language sql stable as $$ select '{KINGBASE_VERSION}' $$;
create schema kb_emu;
create function kb_emu.empty_to_null() returns trigger language plpgsql as $$
declare j jsonb; k text;
begin
  j := to_jsonb(new);
  for k in select key from jsonb_each(j) where value = '""'::jsonb loop
    j := jsonb_set(j, array[k], 'null'::jsonb, false);
  end loop;
  return jsonb_populate_record(new, j);
end $$;
create function kb_emu.on_create() returns event_trigger language plpgsql as $$
declare r record;
begin
  for r in select * from pg_event_trigger_ddl_commands() where object_type = 'table'
    and schema_name !~ '^(pg_|information_schema|kb_emu)' loop
    execute format('create or replace trigger zz_empty_null before insert or update on %s '
      'for each row execute function kb_emu.empty_to_null()', r.objid::regclass);
  end loop;
end $$;
create event trigger kb_emu_tables on ddl_command_end when tag in ('CREATE TABLE') execute function kb_emu.on_create();
"""


MEMORY = Path("/dev/shm")
ROOM = 2 << 30


def data_folder(*, durable: bool) -> Path:
    """Make a server's folder: in memory where it may lose its data and there is room, since each CREATE TABLE syncs files."""
    roomy = not durable and MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    return Path(tempfile.mkdtemp(prefix="regionmart-srv-", dir=MEMORY if roomy else None))


def free_port() -> int:
    """Return a TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended at start:\n{log.read_text()[-2_000:]}")
        if ready():
            return
        time.sleep(0.1)
    raise RuntimeError(f"{what} did not start:\n{log.read_text()[-2_000:]}")


class Server:
    """A server process with its own folder."""

    user = "nobody"

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.folder = data_folder(durable=durable)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.folder / "log"
        # Two MariaDB servers that share a folder for temporary tables delete each other's.
        self._env = {**os.environ, "TMPDIR": str(self.folder)}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self._as = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        else:
            self._as = {}

    def run(self, *argv: str) -> None:
        """Run a set-up command as the server's user."""
        result = subprocess.run(  # type: ignore[call-overload]
            argv, capture_output=True, text=True, cwd=self.folder, env=self._env, **self._as
        )
        if result.returncode:
            raise RuntimeError(f"{argv[0]} failed: {result.stderr[-2_000:]}{result.stdout[-1_000:]}")

    def spawn(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start the server process; its output goes to the log."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                argv, stdout=output, stderr=output, cwd=self.folder, env=self._env, **self._as
            )
        return self.process

    def start(self) -> Self:
        """Start and wait until the server answers. Raises RuntimeError with the end of its log."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_details: object) -> None:
        self.stop()

    def kill(self) -> None:
        """SIGKILL, as a crash; the folder stays, and `start` brings the server up again on the same port."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop by pid and remove the folder; may be called twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if isinstance(self, PostgresServer) else signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class MariaDBServer(Server):
    """MariaDB without grant checks on loopback; durability off unless asked for, since most tests kill clients only."""

    user = "mysql"

    def start(self) -> Self:
        """Initialise and start."""
        data, sock = self.folder / "data", self.folder / "sock"
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal")
        process = self.spawn(
            shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={sock}",
            f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder / 'pid'}", "--skip-grant-tables",
            f"--innodb-flush-log-at-trx-commit={int(self.durable)}", "--innodb-buffer-pool-size=256M", "--max-connections=400",
            "--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--skip-name-resolve",
            "--skip-networking=0",
        )  # fmt: skip
        _wait(self._answers, process, "mariadbd", self.log)
        return self

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except pymysql.Error:
            return False
        return True

    def connect(self, database: str | None = None) -> pymysql.Connection:
        """Return a plain connection."""
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True)

    def create_database(self, name: str) -> str:
        """Create a database and return its URL."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{name}"


class PostgresServer(Server):
    """PostgreSQL that presents itself as KingbaseES and nulls empty strings (Oracle mode's rule)."""

    user = "postgres"

    def start(self) -> Self:
        """Initialise and start."""
        self.bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        data, safe = self.folder / "data", "on" if self.durable else "off"
        self.run(
            str(self.bin / "initdb"), "-D", str(data), "-U", "regionmart", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"
        )
        process = self.spawn(
            str(self.bin / "postgres"), "-D", str(data), "-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1",
            "-c", f"fsync={safe}", "-c", f"synchronous_commit={safe}", "-c", "max_connections=400", "-c", "shared_buffers=256MB",
        )  # fmt: skip
        _wait(self._answers, process, "postgres", self.log)
        self.psql("template1", _EMULATION)  # every database is a copy of it
        return self

    def _answers(self) -> bool:
        argv = [str(self.bin / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(argv).returncode == 0

    def psql(self, database: str, sql: str) -> None:
        """Run statements as the superuser."""
        file = self.folder / "run.sql"
        file.write_text(sql)
        file.chmod(0o644)
        self.run(
            str(self.bin / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
            "-U", "regionmart", "-d", database, "-f", str(file),
        )  # fmt: skip

    def create_database(self, name: str) -> str:
        """Create a database with the emulation and return its URL."""
        self.psql("postgres", f"CREATE DATABASE {name}")
        return f"kingbase+ksycopg2://regionmart@127.0.0.1:{self.port}/{name}"


class RedisServer(Server):
    """Redis on loopback, nothing written to disk unless durable."""

    def start(self) -> Self:
        """Start."""
        process = self.spawn(
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
            "--appendonly", "yes" if self.durable else "no", "--daemonize", "no",
        )  # fmt: skip
        _wait(lambda: _listens(self.port), process, "redis-server", self.log)
        return self

    @property
    def url(self) -> str:
        """URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"


class NginxServer(Server):
    """nginx on a configuration of the caller.

    `conf` is the text inside the `http` block; `{port}` and `{folder}` in it are replaced. Files the workers read must
    be readable by `nobody`.
    """

    def __init__(self, conf: str, *, durable: bool = False) -> None:
        super().__init__(durable=durable)
        self.conf = conf

    def start(self) -> Self:
        """Write the configuration and start in the foreground."""
        inside = self.conf.replace("{port}", str(self.port)).replace("{folder}", str(self.folder))
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        file = self.folder / "nginx.conf"
        file.write_text(
            f"daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log; worker_processes 1;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\n{inside}\n}}\n"
        )
        file.chmod(0o644)
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        process = self.spawn(binary, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(file))
        _wait(lambda: _listens(self.port), process, "nginx", self.log)
        return self

    @property
    def url(self) -> str:
        """Base URL of the port."""
        return f"http://127.0.0.1:{self.port}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


_running: dict[str, Server] = {}


def mariadb() -> MariaDBServer:
    """Return this run's MariaDB, started on first use."""
    if "mariadb" not in _running:
        _running["mariadb"] = MariaDBServer().__enter__()
    return _running["mariadb"]  # type: ignore[return-value]


def postgres() -> PostgresServer:
    """Return this run's PostgreSQL, started on first use."""
    if "postgres" not in _running:
        _running["postgres"] = PostgresServer().__enter__()
    return _running["postgres"]  # type: ignore[return-value]


def stop_all() -> None:
    """Stop every server this run started."""
    while _running:
        _running.popitem()[1].stop()


# A run that dies before its fixtures end must not leave servers behind.
atexit.register(stop_all)
