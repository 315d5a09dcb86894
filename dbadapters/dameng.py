"""Dameng DM8 through dmPython (dbadapters.md §2). Proven by a stand-in only, until a customer's conformance run."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, text

from dbadapters import dameng_alembic, dameng_dialect, errors
from dbadapters.base import Adapter, BackupPlan, Features, Finding, RestorePlan
from dbadapters.errors import DbError

__all__ = ["DamengAdapter", "dameng_alembic"]


class DamengAdapter(Adapter):
    """Dameng DM8, UTF-8, case sensitive, COMPATIBLE_MODE 0."""

    key = "dameng"
    display_name = "达梦 DM8"
    schemes = ("dm+dmpython",)
    driver_module = "dmPython"
    pip_name = "dmPython dmSQLAlchemy"
    ping = "SELECT 1 FROM DUAL"
    features = Features(
        row_locks=True, skip_locked=True, skip_locked_with_limit=False, native_upsert=False, returning=False,
        transactional_ddl=False, empty_string_is_null=True, unique_nulls_distinct=False, partial_index=False, max_identifier=128,
        max_binds=32_767, max_in=1_000, blank_padded_compare=False, proven_by="stand-in",
    )  # fmt: skip
    exists_codes = frozenset({"-2124", "-3236"})
    codes: ClassVar[dict[str, type[DbError]]] = {
        **dict.fromkeys(("-6602", "-6608", "-6610", "-6611", "-6612"), errors.UniqueViolation),
        **dict.fromkeys(("-6601", "-6605", "-6609"), errors.NotNullViolation),
        **dict.fromkeys(("-6606", "-6607"), errors.ForeignKeyViolation),
        **dict.fromkeys(("-6603", "-6604"), errors.CheckViolation),
        **dict.fromkeys(("-6108", "-6124", "-6169", "-70005", "-2665", "-6102", "-6112", "-6122"), errors.DataTooLong),
        **dict.fromkeys(("-6403", "-6405"), errors.Deadlock),
        **dict.fromkeys(("-7067", "-7120", "-7184", "-7116"), errors.Conflict),
        **dict.fromkeys(("-6407", "-6402"), errors.LockTimeout),
        **dict.fromkeys(("-604", "-608", "-7049"), errors.StatementTimeout),
        **dict.fromkeys((str(c) for c in dameng_dialect.DISCONNECT_CODES), errors.Disconnected),
        **dict.fromkeys(("-200", *(f"-{n}" for n in range(2501, 2509)), "-6015", "-70096"), errors.AuthFailed),
        **dict.fromkeys(("-5504", "-5508", "-5661"), errors.PermissionDenied),
        **dict.fromkeys(("-2007", "-2106", "-2111", "-2124", "-3236", "-2109"), errors.SchemaMismatch),
        **dict.fromkeys(("-504", "-523"), errors.DiskFull),
        "-70089": errors.DriverMissing,  # its crypto library is not on the loader path
        "-20001": errors.ReadOnly,
    }
    settings_sql: ClassVar[dict[str, str]] = {
        "version": "SELECT BANNER FROM V$VERSION",
        "parameters": "SELECT PARA_NAME, PARA_VALUE FROM V$DM_INI WHERE PARA_NAME IN ('COMPATIBLE_MODE', 'DDL_AUTO_COMMIT',"
        " 'DDL_WAIT_TIME', 'ENABLE_BLOB_CMP_FLAG', 'EMPTY_STR_TO_NULL_LOB')",
        "page": "SELECT PAGE() FROM DUAL", "unicode": "SELECT UNICODE() FROM DUAL",
        "case sensitive": "SELECT CASE_SENSITIVE() FROM DUAL",
        "length in characters": "SELECT PARA_VALUE FROM V$DM_INI WHERE PARA_NAME = 'LENGTH_IN_CHAR'",
        "privileges": "SELECT PRIVILEGE FROM SESSION_PRIVS",
    }

    def dialect_url(self) -> URL:
        """Use the hardened dialect."""
        return self.url.set(drivername="dm+regionmart")

    def engine_kwargs(self) -> dict[str, Any]:
        """local_code=1 (UTF-8, else the host's locale decides), English messages.

        login_timeout is in milliseconds and the driver waits about twice its value and a second (measured); 0 waits for ever.
        """
        login_ms = max(1, int(float(self.options.get("connect_timeout_s", 5)) * 1_000))
        connect = {"local_code": 1, "lang_id": 1, "login_timeout": login_ms}
        return {**super().engine_kwargs(), "connect_args": connect, "isolation_level": "READ COMMITTED"}

    def install_listeners(self, engine: Engine) -> None:
        """Serialise the driver's calls where the option asks for it (reported hangs with many threads; off by default)."""
        if self.options.get("serialize_driver"):
            engine.dialect.driver_lock = threading.RLock()  # type: ignore[attr-defined]

    def error_code(self, error: BaseException) -> str:
        """Return the server's code as text."""
        code = dameng_dialect.error_code(error)
        return "" if code is None else str(code)

    def audit_guard_ddl(self, table: str) -> list[str]:
        """Triggers that raise; the tables should belong to another schema on which the application may only INSERT."""
        return [
            f"CREATE OR REPLACE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} FOR EACH ROW "
            f"BEGIN RAISE_APPLICATION_ERROR(-20001, 'append-only table {table}'); END;"
            for verb in ("update", "delete")
        ]

    def banner(self, connection: Connection) -> str:
        """Return the server's banner."""
        return str(connection.execute(text("SELECT BANNER FROM V$VERSION WHERE ROWNUM <= 1")).scalar())

    def preflight(self, connection: Connection) -> list[Finding]:
        """Check the settings fixed at dminit."""
        findings = [Finding("info", self.banner(connection))]
        if int(connection.execute(text("SELECT UNICODE() FROM DUAL")).scalar() or 0) != 1:
            findings.append(Finding("block", "字符集不是 UTF-8：初始化实例时须 CHARSET=1"))
        if int(connection.execute(text("SELECT CASE_SENSITIVE() FROM DUAL")).scalar() or 0) != 1:
            findings.append(Finding("block", "实例大小写不敏感：初始化实例时须 CASE_SENSITIVE=Y"))
        page = int(connection.execute(text("SELECT PAGE() FROM DUAL")).scalar() or 0)
        if page < 16_384:
            findings.append(Finding("block", f"页大小为 {page} 字节，至少需要 16K（建议 32K）"))
        return findings

    def current_schema(self, connection: Connection) -> str:
        """Return the schema the driver's session is in."""
        return str(connection.connection.dbapi_connection.current_schema)  # type: ignore[union-attr]

    def backup_plan(self, target: str) -> BackupPlan:
        """Logical export with the vendor's tool."""
        url = self.url
        login = f"USERID={url.username}@{url.host}:{url.port or 5236}"
        argv = ("dexp", login, f"FILE={target}", "FULL=N", f"SCHEMAS={url.database}")
        return BackupPlan(argv, note="口令由 dexp 交互读取；联机物理备份用 DMRMAN")

    def restore_plan(self, artefact: str) -> RestorePlan:
        """Logical import with the vendor's tool."""
        url = self.url
        login = f"USERID={url.username}@{url.host}:{url.port or 5236}"
        argv = ("dimp", login, f"FILE={artefact}", "FULL=N", f"SCHEMAS={url.database}")
        return RestorePlan(argv, note="口令由 dimp 交互读取；目标模式须为空")
