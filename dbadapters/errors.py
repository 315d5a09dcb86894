"""One error tree for all engines (dbadapters.md §9); raised in place of SQLAlchemy's by the error listener."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError


class DbError(SQLAlchemyError):
    """A database refusal: engine code, SQLSTATE where there is one, constraint name where the engine tells it."""

    retryable = False

    def __init__(self, message: str, *, code: str = "", sqlstate: str = "", constraint: str = "") -> None:
        super().__init__(message)
        self.engine_code = code
        self.sqlstate = sqlstate
        self.constraint = constraint


class UniqueViolation(DbError):
    """A unique key is taken."""


class NotNullViolation(DbError):
    """A required column got NULL (or, on some engines, an empty string)."""


class ForeignKeyViolation(DbError):
    """A referenced row is missing or still referenced."""


class CheckViolation(DbError):
    """A CHECK constraint refused the row."""


class DataTooLong(DbError):
    """A value does not fit its column."""


class Deadlock(DbError):
    """Chosen as deadlock victim; roll back, then run the unit again."""

    retryable = True


class Conflict(DbError):
    """A concurrent change made the snapshot unusable; run the unit again."""

    retryable = True


class LockTimeout(DbError):
    """A lock was not granted in time."""

    retryable = True


class StatementTimeout(DbError):
    """The statement ran longer than allowed."""


class Disconnected(DbError):
    """The connection is gone; whether the last commit happened is unknown."""


class AuthFailed(DbError):
    """The account or password was refused."""


class PermissionDenied(DbError):
    """The account lacks a right."""


class SchemaMismatch(DbError):
    """A table, column or index is missing or already there."""


class DiskFull(DbError):
    """The server is out of space."""


class ReadOnly(DbError):
    """The server or file accepts no writes."""


class DriverMissing(DbError):
    """The Python driver is not installed; the message carries the pip line."""


class Unsupported(DbError):
    """The server, version or mode is refused; the message names the setting."""


class Unclassified(DbError):
    """A code outside the table; the message keeps the engine's words."""
