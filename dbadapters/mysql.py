"""MySQL and MariaDB through PyMySQL (dbadapters.md §4)."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Connection, text

from dbadapters import errors
from dbadapters.base import Adapter, BackupPlan, Features, Finding, RestorePlan
from dbadapters.errors import DbError

SQL_MODE = (
    "STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
MIN_MARIADB = (10, 6)
MIN_MYSQL = (8, 0, 16)


class MySQLAdapter(Adapter):
    """MySQL ≥ 8.0.16 or MariaDB ≥ 10.6 (CHECK constraints, NOWAIT)."""

    key = "mysql"
    display_name = "MySQL / MariaDB"
    schemes = ("mysql+pymysql", "mariadb+pymysql")
    driver_module = "pymysql"
    pip_name = "pymysql"
    features = Features(
        row_locks=True, skip_locked=True, skip_locked_with_limit=True, native_upsert=True, returning=False,
        transactional_ddl=False, empty_string_is_null=False, unique_nulls_distinct=True, partial_index=False, max_identifier=64,
        max_binds=65_535, max_in=10_000, blank_padded_compare=True, proven_by="server",
    )  # fmt: skip
    exists_codes = frozenset({"1050", "1061"})
    codes: ClassVar[dict[str, type[DbError]]] = {
        "1062": errors.UniqueViolation, "1586": errors.UniqueViolation,
        "1048": errors.NotNullViolation, "1364": errors.NotNullViolation,
        "1451": errors.ForeignKeyViolation, "1452": errors.ForeignKeyViolation,
        "4025": errors.CheckViolation, "3819": errors.CheckViolation,
        "1406": errors.DataTooLong, "1264": errors.DataTooLong, "1118": errors.DataTooLong,
        "1213": errors.Deadlock, "1020": errors.Conflict, "1205": errors.LockTimeout, "3572": errors.LockTimeout,
        "1317": errors.StatementTimeout, "3024": errors.StatementTimeout, "1969": errors.StatementTimeout,
        "2006": errors.Disconnected, "2013": errors.Disconnected, "2003": errors.Disconnected, "2055": errors.Disconnected,
        "1927": errors.Disconnected, "1053": errors.Disconnected,
        "1045": errors.AuthFailed, "1698": errors.AuthFailed,
        "1044": errors.PermissionDenied, "1142": errors.PermissionDenied, "1143": errors.PermissionDenied,
        "1146": errors.SchemaMismatch, "1054": errors.SchemaMismatch, "1050": errors.SchemaMismatch, "1051": errors.SchemaMismatch,
        "1061": errors.SchemaMismatch, "1064": errors.SchemaMismatch,
        "1021": errors.DiskFull, "1114": errors.DiskFull, "1290": errors.ReadOnly, "1836": errors.ReadOnly,
        "1644": errors.ReadOnly,
    }  # fmt: skip

    settings_sql: ClassVar[dict[str, str]] = {
        "variables": "SHOW VARIABLES WHERE Variable_name IN ('sql_mode', 'character_set_database', 'collation_database',"
        " 'innodb_flush_log_at_trx_commit', 'sync_binlog', 'lower_case_table_names', 'time_zone', 'version')",
        "grants": "SHOW GRANTS",
    }

    def engine_kwargs(self) -> dict[str, Any]:
        """READ COMMITTED, strict mode, UTC; TLS is verified whenever a CA is given, never silently unchecked."""
        kwargs = super().engine_kwargs()
        wait = int(self.options.get("lock_timeout_s", 5))
        limit = int(self.options.get("statement_timeout_s", 30))
        connect: dict[str, Any] = {
            "charset": "utf8mb4", "connect_timeout": int(self.options.get("connect_timeout_s", 5)),
            "read_timeout": limit + 5, "write_timeout": limit + 5,
            "init_command": f"SET SESSION sql_mode='{SQL_MODE}', time_zone='+00:00', innodb_lock_wait_timeout={wait}",
        }  # fmt: skip
        if ca := self.options.get("tls_ca"):
            connect.update(ssl_ca=ca, ssl_verify_cert=True, ssl_verify_identity=True)
        else:
            connect["ssl_disabled"] = True
        return {**kwargs, "isolation_level": "READ COMMITTED", "connect_args": connect}

    def error_code(self, error: BaseException) -> str:
        """Return the server's number."""
        return str(error.args[0]) if error.args and isinstance(error.args[0], int) else ""

    def constraint_of(self, error: BaseException) -> str:
        """Return the key name in `Duplicate entry '…' for key 'name'`."""
        message = str(error.args[1]) if len(error.args) > 1 else ""
        return message.rpartition("for key '")[2].rstrip("'") if "for key '" in message else ""

    def audit_guard_ddl(self, table: str) -> list[str]:
        """SIGNAL triggers; TRUNCATE ignores triggers, so the application account must not hold DROP."""
        statements = []
        for verb in ("update", "delete"):
            statements.append(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
            statements.append(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} FOR EACH ROW "
                f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'append-only table {table}'"
            )
        return statements

    def preflight(self, connection: Connection) -> list[Finding]:
        """Check version, character set, durability and rights."""
        banner = self.banner(connection)
        findings = [Finding("info", banner)]
        numbers = tuple(int(n) for n in banner.split("-")[0].split(".")[:3] if n.isdigit())
        minimum = MIN_MARIADB if "mariadb" in banner.lower() else MIN_MYSQL
        if numbers < minimum:
            findings.append(Finding("block", f"服务器版本过低，至少需要 {'.'.join(map(str, minimum))}"))
        charset = str(connection.execute(text("SELECT @@character_set_database")).scalar())
        if charset != "utf8mb4":
            findings.append(Finding("block", f"数据库字符集为 {charset}，请用 CHARACTER SET utf8mb4 重建数据库"))
        collation = str(connection.execute(text("SELECT @@collation_database")).scalar())
        if not collation.endswith("_bin"):
            findings.append(Finding("block", f"数据库排序规则为 {collation}，请改用 utf8mb4_bin（区分大小写与声调）"))
        flush = str(connection.execute(text("SELECT @@innodb_flush_log_at_trx_commit")).scalar())
        if flush != "1":
            findings.append(Finding("warn", "innodb_flush_log_at_trx_commit 应为 1，否则断电会丢失已提交的订单"))
        return findings

    def current_schema(self, connection: Connection) -> str:
        """Return the current database."""
        return str(connection.execute(text("SELECT DATABASE()")).scalar())

    def backup_plan(self, target: str) -> BackupPlan:
        """mariadb-dump in one snapshot."""
        url = self.url
        argv = (
            "mariadb-dump", "--single-transaction", "--routines", "--triggers", f"--host={url.host}",
            f"--port={url.port or 3306}", f"--user={url.username}", f"--result-file={target}", str(url.database),
        )  # fmt: skip
        return BackupPlan(argv, env=(("MYSQL_PWD", str(url.password or "")),), note="增量靠 binlog 归档")

    def restore_plan(self, artefact: str) -> RestorePlan:
        """Feed the dump to the client."""
        url = self.url
        argv = (
            "mariadb", f"--host={url.host}", f"--port={url.port or 3306}", f"--user={url.username}", str(url.database),
        )  # fmt: skip
        return RestorePlan(
            argv, env=(("MYSQL_PWD", str(url.password or "")),), note="目标库须为空且字符集为 utf8mb4", stdin=artefact
        )
