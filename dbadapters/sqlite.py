"""SQLite, the embedded default (dbadapters.md §5): one writer at a time, WAL, FULL sync."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, event, text

from dbadapters import errors
from dbadapters.base import Adapter, BackupPlan, Features, Finding, RestorePlan
from dbadapters.errors import DbError

BUSY_TIMEOUT_MS = 10_000


class SQLiteAdapter(Adapter):
    """SQLite through the standard library."""

    key = "sqlite"
    display_name = "SQLite"
    schemes = ("sqlite",)
    driver_module = "sqlite3"
    pip_name = "(标准库自带)"
    features = Features(
        row_locks=False, skip_locked=False, skip_locked_with_limit=False, native_upsert=True, returning=False,
        transactional_ddl=True, empty_string_is_null=False, unique_nulls_distinct=True, partial_index=True, max_identifier=1_000,
        max_binds=32_766, max_in=32_766, blank_padded_compare=False, proven_by="server",
    )  # fmt: skip
    codes: ClassVar[dict[str, type[DbError]]] = {
        "SQLITE_CONSTRAINT_UNIQUE": errors.UniqueViolation, "SQLITE_CONSTRAINT_PRIMARYKEY": errors.UniqueViolation,
        "SQLITE_CONSTRAINT_NOTNULL": errors.NotNullViolation, "SQLITE_CONSTRAINT_CHECK": errors.CheckViolation,
        "SQLITE_CONSTRAINT_FOREIGNKEY": errors.ForeignKeyViolation, "SQLITE_CONSTRAINT_TRIGGER": errors.ReadOnly,
        "SQLITE_BUSY": errors.LockTimeout, "SQLITE_BUSY_SNAPSHOT": errors.Conflict, "SQLITE_LOCKED": errors.LockTimeout,
        "SQLITE_FULL": errors.DiskFull, "SQLITE_READONLY": errors.ReadOnly, "SQLITE_TOOBIG": errors.DataTooLong,
        "SQLITE_CANTOPEN": errors.Disconnected, "SQLITE_CORRUPT": errors.Disconnected,
    }  # fmt: skip

    settings_sql: ClassVar[dict[str, str]] = {
        name: f"PRAGMA {name}" for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "encoding", "page_size")
    }

    def engine_kwargs(self) -> dict[str, Any]:
        """File locks do the waiting; a connection per thread from the pool."""
        kwargs = super().engine_kwargs()
        kwargs.pop("pool_recycle")
        kwargs["pool_pre_ping"] = False
        kwargs["connect_args"] = {"timeout": BUSY_TIMEOUT_MS / 1_000, "check_same_thread": False}
        if self.url.database in (None, "", ":memory:"):
            raise errors.Unsupported("内存数据库不受支持：请给出文件路径")
        return kwargs

    def on_connect(self, dbapi_connection: Any, _record: Any) -> None:
        """Take the driver's transaction handling off and set the pragmas."""
        dbapi_connection.isolation_level = None
        busy = int(self.options.get("busy_timeout_ms", BUSY_TIMEOUT_MS))
        for pragma in (
            f"busy_timeout={busy}", "journal_mode=WAL", "foreign_keys=ON",
            f"synchronous={self.options.get('synchronous', 'FULL')}", "cache_size=-16000",
        ):  # fmt: skip
            dbapi_connection.execute(f"PRAGMA {pragma}").fetchall()

    def install_listeners(self, engine: Engine) -> None:
        """BEGIN IMMEDIATE for write units only: a read unit must not take the write lock (measured)."""

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            write = connection.get_execution_options().get("regionmart_write")
            driver: Any = connection.connection.dbapi_connection
            try:
                driver.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            except sqlite3.Error as error:  # here SQLAlchemy does not translate by itself
                raise self.classify(error) or error from error

    def error_code(self, error: BaseException) -> str:
        """Return the extended result code's name."""
        return str(getattr(error, "sqlite_errorname", "") or "")

    def classify_by_text(self, message: str) -> type[DbError] | None:
        """SQLite says "no such table" with the generic code."""
        if "no such table" in message or "no such column" in message or "already exists" in message:
            return errors.SchemaMismatch
        return None

    def constraint_of(self, error: BaseException) -> str:
        """Return `table.column, …` or the CHECK's name as SQLite words it."""
        return str(error).rpartition("constraint failed: ")[2] if "constraint failed" in str(error) else ""

    def audit_guard_ddl(self, table: str) -> list[str]:
        """Triggers that abort UPDATE and DELETE."""
        return [
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'append-only table {table}'); END"
            for verb in ("update", "delete")
        ]

    def alembic_opts(self) -> dict[str, Any]:
        """ALTER through table copies."""
        return {**super().alembic_opts(), "render_as_batch": True}

    def banner(self, connection: Connection) -> str:
        """Return the library version."""
        return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar()}"

    def preflight(self, connection: Connection) -> list[Finding]:
        """Check that the file is in WAL mode and sound."""
        findings = [Finding("info", self.banner(connection))]
        mode = str(connection.execute(text("PRAGMA journal_mode")).scalar())
        if mode != "wal":
            findings.append(Finding("warn", f"日志模式为 {mode}，应为 WAL（文件系统可能不支持共享内存）"))
        if str(connection.execute(text("PRAGMA quick_check")).scalar()) != "ok":
            findings.append(Finding("block", "数据库文件损坏，请从备份恢复"))
        findings.append(Finding("info", "SQLite 同一时刻只有一个写入进程，适合演示与小规模单机部署"))
        return findings

    def enter_schema(self, schema: str) -> None:
        """Refuse to change: a file is the schema here, and its name says which."""
        if Path(self.url.database or "").stem != schema:
            raise ValueError(f"SQLite: the file must be named {schema}.db")

    def current_schema(self, connection: Connection) -> str:
        """Return the name of the open file without its ending."""
        rows = connection.execute(text("PRAGMA database_list")).all()
        return next(Path(str(row[2])).stem for row in rows if row[1] == "main")

    def backup_plan(self, target: str) -> BackupPlan:
        """The online backup API through VACUUM INTO."""
        source = str(Path(self.url.database or "").resolve())
        return BackupPlan(("sqlite3", source, f"VACUUM INTO '{_quoted(target)}'"), note="备份后对副本执行 PRAGMA integrity_check")

    def restore_plan(self, artefact: str) -> RestorePlan:
        """Restore through the shell's own command; the platform must be stopped."""
        source = str(Path(self.url.database or "").resolve())
        return RestorePlan(("sqlite3", source, f".restore '{_quoted(artefact)}'"), note="先停止平台；恢复后执行 PRAGMA integrity_check")


def _quoted(path: str) -> str:
    return path.replace("'", "''")
