"""Guarded DDL steps: each does nothing when its result is already there, so a killed migration runs again.

Engines whose DDL commits by itself (MySQL, Dameng) can stop between any two steps; the guards make the second run end
in the same place (dbadapters.md §8).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from app.core import db
from dbadapters.errors import SchemaMismatch


def _offline() -> bool:
    return bool(context.is_offline_mode())


def _unless_there(create: Any) -> None:
    """Run a CREATE on an engine whose DDL commits by itself; that the object is already there is the guard's answer."""
    try:
        create()
    except SchemaMismatch as error:
        if error.engine_code not in db.adapter().exists_codes:
            raise


def create_table(name: str, *items: Any) -> None:
    """CREATE TABLE unless it exists."""
    if db.adapter().exists_codes and not _offline():
        _unless_there(lambda: op.create_table(name, *items))
    elif _offline() or not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *items)


def create_index(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    """CREATE INDEX unless an index of that name exists on the table."""
    if db.adapter().exists_codes and not _offline():
        _unless_there(lambda: op.create_index(name, table, columns, unique=unique))
    elif _offline() or name not in {i["name"] for i in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns, unique=unique)


def _has_column(table: str, name: str) -> bool:
    """Tell whether a table has a column; asked with a SELECT where reflection needs rights or views of its own (Dameng)."""
    if not db.adapter().exists_codes:
        return name in {c["name"] for c in sa.inspect(op.get_bind()).get_columns(table)}
    try:
        op.get_bind().execute(sa.select(sa.column(name)).select_from(sa.table(table)).where(sa.false()))
    except SchemaMismatch:
        return False
    return True


def add_column(table: str, column: sa.Column[Any]) -> None:
    """ALTER TABLE ADD COLUMN unless the column exists."""
    if _offline() or not _has_column(table, column.name):
        op.add_column(table, column)


def protect_append_only(table: str) -> None:
    """Install the engine's append-only triggers; replaces those of an interrupted run."""
    for statement in db.adapter().audit_guard_ddl(table):
        op.execute(sa.text(statement) if ":" not in statement else sa.text(statement.replace(":", r"\:")))
