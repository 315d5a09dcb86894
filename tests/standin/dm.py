"""dmPython's surface on MariaDB in ORACLE mode: the Dameng dialect, error mapping, locks and the empty-string rule run for real.

What it cannot prove: Dameng's own parser, planner and locks (dbadapters.md §6 d).
"""

from __future__ import annotations

import re
import types
from typing import Any

import dmPython
import pymysql
from sqlalchemy import make_url

from dbadapters.dameng import DamengAdapter

CODES = {
    1062: -6602, 1048: -6609, 1364: -6609, 1451: -6607, 1452: -6607, 4025: -6604, 1406: -6169, 1264: -6102, 1205: -6407,
    1213: -6403, 1146: -2106, 1051: -2106, 1064: -2007, 1050: -2124, 1061: -3236, 1644: -20001, 1054: -2111, 2013: -70019, 2006: -70019,
    1927: -70019, 3819: -6604, 1091: -2111,
}  # fmt: skip
REWRITES = (
    (r"\bVARCHAR2?\((\d+) CHAR\)", r"VARCHAR(\1)"), (r"\bCLOB\b", "LONGTEXT"), (r"\bBLOB\b", "LONGBLOB"),
    (r"\bTIMESTAMP\(6\)", "DATETIME(6)"),
    (r"BEGIN RAISE_APPLICATION_ERROR\(-20001, ('[^']*')\); END;", r"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = \1"),
)  # fmt: skip
SESSION = (
    "SET SESSION sql_mode='ORACLE,EMPTY_STRING_IS_NULL,STRICT_ALL_TABLES,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO', "
    "tx_isolation='READ-COMMITTED', innodb_lock_wait_timeout={lock_timeout_s}, time_zone='+00:00'"
)
CANNED = (
    ("V$INSTANCE", [("NORMAL",)]), ("SET_SESSION_IDENTITY", [(1,)]), ("V$TRX", [("READ COMMITTED",)]),
    ("V$VERSION", [("DM8 stand-in",)]), ("UNICODE()", [(1,)]), ("CASE_SENSITIVE()", [(1,)]), ("PAGE()", [(32_768,)]),
    ("LENGTH_IN_CHAR", [("1",)]), ("V$DM_INI", [("COMPATIBLE_MODE", "0")]), ("SESSION_PRIVS", [("CREATE TABLE",)]),
)  # fmt: skip


class DmError:
    """The driver's error record: code and message."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, f"[CODE:{code}]{message}"

    def __str__(self) -> str:
        return self.message


def translate(error: pymysql.Error) -> Exception:
    """Return the exception dmPython would raise."""
    number = error.args[0] if error.args else 0
    code = CODES.get(number, -9_999)
    kind = dmPython.IntegrityError if -6612 <= code <= -6601 else dmPython.DatabaseError
    return kind(DmError(code, str(error.args[1]) if len(error.args) > 1 else str(error)))


def rewrite(statement: str, *, bound: bool) -> str:
    """Return a Dameng statement in MariaDB's words: `?` binds outside strings, type names, the raising trigger.

    bound: values follow, so the driver reads `%` as a mark everywhere, inside strings too.
    """
    if bound:
        parts = re.split(r"('(?:[^']|'')*')", statement.replace("%", "%%"))
        statement = "".join(p if i % 2 else p.replace("?", "%s") for i, p in enumerate(parts))
    for pattern, new in REWRITES:
        statement = re.sub(pattern, new, statement)
    return statement


class Cursor:
    """A cursor with canned answers to the questions the dialect asks at connect."""

    arraysize = 50
    output_stream = 0

    def __init__(self, raw: Any) -> None:
        self._raw = raw.cursor()
        self._canned: list[tuple[Any, ...]] | None = None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close."""
        self._raw.close()

    def setinputsizes(self, *_args: object) -> None:
        """Accept and ignore, as the driver may."""

    @property
    def rowcount(self) -> int:
        """Rows changed or found."""
        return int(self._raw.rowcount)

    @property
    def lastrowid(self) -> Any:
        """Never used: ids come from the application."""
        return None

    @property
    def description(self) -> Any:
        """Column names in upper case, as Dameng folds them."""
        if self._canned:
            return [(f"C{i}", None, None, None, None, None, None) for i in range(len(self._canned[0]))]
        if self._canned is not None or not self._raw.description:
            return None
        return [(d[0].upper(), *d[1:]) for d in self._raw.description]

    def execute(self, statement: str, parameters: Any = None) -> None:
        """Run one statement."""
        upper = statement.upper()
        self._canned = None
        for mark, answer in CANNED:
            if mark in upper:
                self._canned = list(answer)
                return
        if upper.startswith(("SET SESSION CHARACTERISTICS", "COMMENT ON")):
            self._canned = []
            return
        try:
            self._raw.execute(rewrite(statement, bound=bool(parameters)), tuple(parameters) if parameters else None)
        except pymysql.Error as error:
            raise translate(error) from None

    def executemany(self, statement: str, rows: Any) -> None:
        """Run one statement for many rows."""
        self._canned = None
        try:
            self._raw.executemany(rewrite(statement, bound=True), [tuple(r) for r in rows])
        except pymysql.Error as error:
            raise translate(error) from None

    def fetchone(self) -> Any:
        """Next row."""
        if self._canned is not None:
            return self._canned.pop(0) if self._canned else None
        return self._raw.fetchone()

    def fetchall(self) -> list[Any]:
        """All rows."""
        if self._canned is not None:
            rows, self._canned = self._canned, []
            return rows
        return list(self._raw.fetchall())

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Some rows."""
        if self._canned is not None:
            return self.fetchall()
        return list(self._raw.fetchmany(size or self.arraysize))


class Connection:
    """A connection with the attributes the dialect reads."""

    local_code = 1
    str_case_sensitive = True
    server_version = "8.1.3.162"
    outputtypehandler = None

    def __init__(self, port: int, database: str, lock_timeout_s: int) -> None:
        self.current_schema = database.upper()
        self._raw = pymysql.connect(
            host="127.0.0.1", port=port, user="root", database=database, charset="utf8mb4",
            client_flag=pymysql.constants.CLIENT.FOUND_ROWS, init_command=SESSION.format(lock_timeout_s=lock_timeout_s),
        )  # fmt: skip

    @property
    def autoCommit(self) -> bool:
        """Autocommit state."""
        return bool(self._raw.get_autocommit())

    @autoCommit.setter
    def autoCommit(self, value: bool) -> None:
        self._raw.autocommit(value)

    def cursor(self) -> Cursor:
        """Open a cursor."""
        return Cursor(self._raw)

    def commit(self) -> None:
        """Commit."""
        self._raw.commit()

    def rollback(self) -> None:
        """Roll back."""
        self._raw.rollback()

    def close(self) -> None:
        """Close."""
        self._raw.close()


def module(port: int, database: str, lock_timeout_s: int = 5) -> types.ModuleType:
    """Return a module like dmPython whose connect() reaches one MariaDB database."""
    made = types.ModuleType("dm_standin")
    for name in dir(dmPython):
        if not name.startswith("__"):
            setattr(made, name, getattr(dmPython, name))
    made.connect = lambda *_a, **_k: Connection(port, database, lock_timeout_s)  # type: ignore[attr-defined]
    return made


class StandInAdapter(DamengAdapter):
    """The real adapter with the stand-in as its driver."""

    driver: types.ModuleType
    database: str

    def import_driver(self) -> types.ModuleType:
        """Return the stand-in."""
        return self.driver

    def engine_kwargs(self) -> dict[str, Any]:
        """Hand the stand-in to the dialect."""
        return {**super().engine_kwargs(), "module": self.driver}

    def banner(self, connection: Any) -> str:
        """Say what this is."""
        return "DM8 stand-in on MariaDB (tests)"


def adapter(server: Any, database: str, **options: Any) -> StandInAdapter:
    """Return the stand-in adapter on a fresh database. options: lock_timeout_s reaches the server behind, unlike with Dameng."""
    server.create_database(database)
    with server.connect(database) as raw, raw.cursor() as cursor:
        cursor.execute(
            "CREATE VIEW all_tables AS SELECT upper(table_name) AS table_name, upper(table_schema) AS owner "
            "FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        )
        cursor.execute(
            "CREATE VIEW all_views AS SELECT upper(table_name) AS view_name, upper(table_schema) AS owner "
            "FROM information_schema.views"
        )
    made = StandInAdapter(make_url("dm+dmpython://app:x@127.0.0.1:5236/T"), **options)
    made.database = database
    made.driver = module(server.port, database, int(options.get("lock_timeout_s", 5)))
    return made
