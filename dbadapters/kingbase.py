"""KingbaseES through ksycopg2 (dbadapters.md §3)."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, text, util
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from dbadapters import errors
from dbadapters.base import Adapter, BackupPlan, Features, Finding, RestorePlan
from dbadapters.errors import DbError

_VERSION = re.compile(r"KingbaseES\s+V(\d{3})R(\d{3})(?:C(\d{3}))?(?:B(\d{4}))?")
PG_CORE = (12, 1)


class KingbaseDialect(PGDialect_psycopg2):
    """SQLAlchemy's psycopg2 dialect over ksycopg2; keeps the name postgresql so that Alembic and types apply."""

    driver = "ksycopg2"
    supports_statement_cache = True
    kb_version: tuple[int, ...] | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "use_native_hstore": False})  # type: ignore[no-untyped-call]

    @classmethod
    def import_dbapi(cls) -> Any:
        """Import ksycopg2."""
        import ksycopg2

        return ksycopg2

    @util.memoized_property
    def _psycopg2_extensions(self) -> Any:
        from ksycopg2 import extensions

        return extensions

    @util.memoized_property
    def _psycopg2_extras(self) -> Any:
        from ksycopg2 import extras

        return extras

    def _get_server_version_info(self, connection: Connection) -> Any:
        banner = str(connection.exec_driver_sql("select pg_catalog.version()").scalar())
        match = _VERSION.search(banner)
        if match is None:
            return super()._get_server_version_info(connection)  # type: ignore[no-untyped-call]
        self.kb_version = tuple(int(part) for part in match.groups() if part)
        return PG_CORE


registry.register("kingbase.ksycopg2", "dbadapters.kingbase", "KingbaseDialect")


class KingbaseAdapter(Adapter):
    """KingbaseES V8R6 or V9 in pg mode (oracle mode accepted)."""

    key = "kingbase"
    display_name = "人大金仓 KingbaseES"
    schemes = ("kingbase+ksycopg2",)
    driver_module = "ksycopg2"
    pip_name = "ksycopg2"
    features = Features(
        row_locks=True, skip_locked=True, skip_locked_with_limit=True, native_upsert=True, returning=False,
        transactional_ddl=True, empty_string_is_null=True, unique_nulls_distinct=True, partial_index=True, max_identifier=63,
        max_binds=32_767, max_in=10_000, blank_padded_compare=False, proven_by="wire",
    )  # fmt: skip
    codes: ClassVar[dict[str, type[DbError]]] = {
        "23505": errors.UniqueViolation, "23502": errors.NotNullViolation, "23503": errors.ForeignKeyViolation,
        "23514": errors.CheckViolation, "22001": errors.DataTooLong, "22003": errors.DataTooLong,
        "40P01": errors.Deadlock, "40001": errors.Conflict, "55P03": errors.LockTimeout, "57014": errors.StatementTimeout,
        "57P01": errors.Disconnected, "57P02": errors.Disconnected, "57P03": errors.Disconnected,
        "08000": errors.Disconnected, "08003": errors.Disconnected, "08006": errors.Disconnected, "08001": errors.Disconnected,
        "28000": errors.AuthFailed, "28P01": errors.AuthFailed, "42501": errors.PermissionDenied,
        "42P01": errors.SchemaMismatch, "42703": errors.SchemaMismatch, "42P07": errors.SchemaMismatch,
        "42601": errors.SchemaMismatch, "53100": errors.DiskFull, "25006": errors.ReadOnly, "P0001": errors.ReadOnly,
    }  # fmt: skip

    settings_sql: ClassVar[dict[str, str]] = {
        "settings": "SELECT name, setting FROM pg_settings WHERE name IN ('server_encoding', 'lc_collate', 'TimeZone', 'fsync',"
        " 'synchronous_commit', 'database_mode', 'ora_input_emptystr_isnull', 'transaction_isolation', 'server_version')",
        "create right": "SELECT has_schema_privilege(current_schema(), 'CREATE')",
    }

    def dialect_url(self) -> URL:
        """Use our registered dialect."""
        return self.url.set(drivername="kingbase+ksycopg2")

    def engine_kwargs(self) -> dict[str, Any]:
        """READ COMMITTED; lock and statement timeouts by startup options (milliseconds there)."""
        lock_ms = int(float(self.options.get("lock_timeout_s", 5)) * 1_000)
        statement_ms = int(float(self.options.get("statement_timeout_s", 30)) * 1_000)
        options = f"-c lock_timeout={lock_ms} -c statement_timeout={statement_ms} -c timezone=UTC"
        if schema := self.options.get("schema"):
            options += f" -c search_path={schema}"
        connect = {
            "connect_timeout": int(self.options.get("connect_timeout_s", 5)), "application_name": "regionmart",
            "options": options,
        }  # fmt: skip
        return {**super().engine_kwargs(), "isolation_level": "READ COMMITTED", "connect_args": connect}

    def error_code(self, error: BaseException) -> str:
        """Return the SQLSTATE: ksycopg2 names it kbcode, never pgcode."""
        return str(getattr(error, "kbcode", "") or "")

    def classify_by_text(self, message: str) -> type[DbError] | None:
        """A lost or refused connection comes without SQLSTATE."""
        lost = ("server closed the connection", "could not connect", "Connection refused", "connection already closed")
        if any(part in message for part in lost) or "timeout expired" in message:
            return errors.Disconnected
        return errors.AuthFailed if "authentication failed" in message else None

    def constraint_of(self, error: BaseException) -> str:
        """Return the constraint the server names."""
        return str(getattr(getattr(error, "diag", None), "constraint_name", "") or "")

    def audit_guard_ddl(self, table: str) -> list[str]:
        """Row triggers and a TRUNCATE trigger on one raising function."""
        function = f"{table}_append_only"
        return [
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'append-only table {table}'; END $$",
            f"DROP TRIGGER IF EXISTS {table}_no_change ON {table}",
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()",
            f"DROP TRIGGER IF EXISTS {table}_no_truncate ON {table}",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
        ]

    def preflight(self, connection: Connection) -> list[Finding]:
        """Refuse mysql and sqlserver modes; name oracle mode's rule."""
        findings = [Finding("info", self.banner(connection))]
        mode = str(connection.execute(text("SELECT current_setting('database_mode', true)")).scalar() or "pg").lower()
        if mode in {"mysql", "sqlserver"}:
            findings.append(Finding("block", f"database_mode 为 {mode}，不受支持：请用 pg 模式（或 oracle 模式）初始化实例"))
        elif mode == "oracle":
            findings.append(Finding("warn", "oracle 模式下空字符串等于 NULL，平台按此规则写入"))
        encoding = str(connection.execute(text("SHOW server_encoding")).scalar())
        if encoding.upper() != "UTF8":
            findings.append(Finding("block", f"服务器编码为 {encoding}，需要 UTF8"))
        return findings

    def enter_schema(self, schema: str) -> None:
        """A database has many schemas here: the search path names the one."""
        self.options["schema"] = schema.lower()

    def current_schema(self, connection: Connection) -> str:
        """Return the first schema of the search path that exists, '' for none."""
        return str(connection.execute(text("SELECT current_schema()")).scalar() or "")

    def backup_plan(self, target: str) -> BackupPlan:
        """Logical dump with the vendor's tool."""
        url = self.url
        argv = ("sys_dump", "-Fc", "-h", str(url.host), "-p", str(url.port or 54321), "-U", str(url.username), "-f", target)
        return BackupPlan((*argv, str(url.database)), env=(("KINGBASE_PASSWORD", str(url.password or "")),))

    def restore_plan(self, artefact: str) -> RestorePlan:
        """Logical restore with the vendor's tool, all or nothing."""
        url = self.url
        argv = ("sys_restore", "--single-transaction", "-h", str(url.host), "-p", str(url.port or 54321), "-U", str(url.username))
        return RestorePlan(
            (*argv, "-d", str(url.database), artefact), env=(("KINGBASE_PASSWORD", str(url.password or "")),), note="目标库须为空"
        )
