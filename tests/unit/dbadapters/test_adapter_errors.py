"""Driver exceptions become our classes, by code; what is no database error is left alone."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import Any

import dmPython
import ksycopg2
import pymysql
import pytest
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dbadapters import errors, open_adapter
from dbadapters.dameng_dialect import HardenedDameng

MYSQL = open_adapter("mysql+pymysql://u:p@h/d")
KINGBASE = open_adapter("kingbase+ksycopg2://u:p@h/d")
DAMENG = open_adapter("dm+dmpython://u:p@h:5236/D")
SQLITE = open_adapter("sqlite:///x.db")


def dm(code: int) -> Exception:
    """Return what dmPython raises: a class too general, a record in its arguments."""
    return dmPython.DatabaseError(SimpleNamespace(code=code, message=f"[CODE:{code}]x"))  # type: ignore[no-any-return]


class Kb(ksycopg2.Error):  # type: ignore[misc]
    """A driver error with a code of choice; the real attribute is read-only."""

    kbcode: Any = None


def kb(code: str | None, message: str = "x") -> Exception:
    """Return what ksycopg2 raises."""
    error = Kb(message)
    error.kbcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1062, errors.UniqueViolation), (1048, errors.NotNullViolation), (1364, errors.NotNullViolation),
        (4025, errors.CheckViolation), (3819, errors.CheckViolation), (1452, errors.ForeignKeyViolation),
        (1406, errors.DataTooLong), (1213, errors.Deadlock), (1205, errors.LockTimeout), (3572, errors.LockTimeout),
        (2013, errors.Disconnected), (1045, errors.AuthFailed), (1142, errors.PermissionDenied),
        (1146, errors.SchemaMismatch), (1114, errors.DiskFull), (1644, errors.ReadOnly), (9_999, errors.Unclassified),
    ],
)  # fmt: skip
def test_mysql(code: int, kind: type[errors.DbError]) -> None:
    found = MYSQL.classify(pymysql.err.OperationalError(code, "words"))
    assert type(found) is kind
    assert found.engine_code == str(code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("23505", errors.UniqueViolation), ("23502", errors.NotNullViolation), ("23503", errors.ForeignKeyViolation),
        ("23514", errors.CheckViolation), ("22001", errors.DataTooLong), ("40P01", errors.Deadlock), ("40001", errors.Conflict),
        ("55P03", errors.LockTimeout), ("57014", errors.StatementTimeout), ("57P01", errors.Disconnected),
        ("28P01", errors.AuthFailed), ("42501", errors.PermissionDenied), ("42P01", errors.SchemaMismatch),
        ("53100", errors.DiskFull), ("25006", errors.ReadOnly), ("XX000", errors.Unclassified),
    ],
)  # fmt: skip
def test_kingbase(code: str, kind: type[errors.DbError]) -> None:
    found = KINGBASE.classify(kb(code))
    assert type(found) is kind
    assert found.sqlstate == code


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("server closed the connection unexpectedly", errors.Disconnected), ("timeout expired", errors.Disconnected),
        ('password authentication failed for user "u"', errors.AuthFailed), ("something else", errors.Unclassified),
    ],
)  # fmt: skip
def test_kingbase_without_a_code(message: str, kind: type[errors.DbError]) -> None:
    assert type(KINGBASE.classify(kb(None, message))) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-6602, errors.UniqueViolation), (-6612, errors.UniqueViolation), (-6609, errors.NotNullViolation),
        (-6607, errors.ForeignKeyViolation), (-6604, errors.CheckViolation), (-6169, errors.DataTooLong),
        (-70005, errors.DataTooLong), (-6403, errors.Deadlock), (-7120, errors.Conflict), (-6407, errors.LockTimeout),
        (-7049, errors.StatementTimeout), (-70019, errors.Disconnected), (-2501, errors.AuthFailed),
        (-5504, errors.PermissionDenied), (-2106, errors.SchemaMismatch), (-523, errors.DiskFull),
        (-70089, errors.DriverMissing), (-20001, errors.ReadOnly), (-1, errors.Unclassified),
    ],
)  # fmt: skip
def test_dameng(code: int, kind: type[errors.DbError]) -> None:
    found = DAMENG.classify(dm(code))
    assert type(found) is kind
    assert found.engine_code == str(code)


def test_dameng_code_from_the_text_when_there_is_no_record() -> None:
    assert type(DAMENG.classify(dmPython.DatabaseError("[CODE:-6602]unique"))) is errors.UniqueViolation


@pytest.mark.parametrize(("code", "gone"), [(-6010, True), (-70028, True), (-6001, True), (-6602, False), (-6403, False)])
def test_dameng_disconnects(code: int, gone: bool) -> None:
    assert HardenedDameng(dbapi=dmPython).is_disconnect(dm(code), None, None) is gone


def test_sqlite_by_extended_code(tmp_path: Any) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL UNIQUE, n INTEGER CHECK (n > 0))")
    connection.execute("INSERT INTO t VALUES (1, 'a', 1)")
    for values, kind in (
        ("(1, 'b', 1)", errors.UniqueViolation), ("(2, 'a', 1)", errors.UniqueViolation),
        ("(2, NULL, 1)", errors.NotNullViolation), ("(2, 'b', 0)", errors.CheckViolation),
    ):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError) as caught:
            connection.execute(f"INSERT INTO t VALUES {values}")
        assert type(SQLITE.classify(caught.value)) is kind
    with pytest.raises(sqlite3.OperationalError) as missing:
        connection.execute("SELECT 1 FROM nowhere")
    assert type(SQLITE.classify(missing.value)) is errors.SchemaMismatch
    connection.close()


def test_wrapped_errors_are_unwrapped() -> None:
    inner = pymysql.err.IntegrityError(1062, "Duplicate entry 'x' for key 'uq_sku__no'")
    found = MYSQL.classify(DBAPIError("INSERT", None, inner))
    assert type(found) is errors.UniqueViolation
    assert found.constraint == "uq_sku__no"


def test_other_exceptions_are_not_database_errors() -> None:
    assert MYSQL.classify(ValueError("x")) is None
    assert MYSQL.classify(kb("23505")) is None


def test_only_contention_is_retryable() -> None:
    kinds = {k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.DbError)}
    assert {k for k in kinds if k.retryable} == {errors.Deadlock, errors.Conflict, errors.LockTimeout}
    assert all(issubclass(k, SQLAlchemyError) for k in kinds)
