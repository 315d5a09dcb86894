"""Rows without the unit of work: the hot paths know every column, so one statement for each table is enough.

The ORM is kept for reading and for the back office; it costs about three times as much for each row (performance.md §2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Insert, Select, Table, Update, insert
from sqlalchemy.orm import class_mapper

from app.core.db import Base, session
from dbadapters.portable import CHUNK, MAX_BINDS


def read(statement: Select[Any], values: Mapping[str, Any]) -> CursorResult[Any]:
    """Run a SELECT of columns that was built once, at module level; pending objects are flushed first, as the ORM does."""
    session.flush()
    return session.connection().execute(statement, values)


def table_of(model: type[Base]) -> Table:
    """Return the table of a mapped class, for statements that do not go through the ORM."""
    table = class_mapper(model).local_table
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


@cache
def _insert_into(model: type[Base]) -> tuple[Insert, dict[str, str]]:
    """Return the statement and the attributes whose column has another name."""
    renamed = {p.key: p.columns[0].name for p in class_mapper(model).column_attrs if p.key != p.columns[0].name}
    return insert(table_of(model)), renamed


def add(model: type[Base], *rows: Mapping[str, Any]) -> None:
    """INSERT rows at once, in the caller's transaction; every row names the same attributes of the model.

    Rows are written in the order given. Raises the adapter's errors, UniqueViolation among them, at this call.
    """
    add_all(model, rows)


def add_all(model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """As `add`, for a sequence; nothing happens when it is empty."""
    if not rows:
        return
    statement, renamed = _insert_into(model)
    values: Sequence[Mapping[str, Any]] = rows
    if renamed:
        values = [{renamed.get(name, name): value for name, value in row.items()} for row in rows]
    step = max(1, min(CHUNK, MAX_BINDS // len(values[0])))
    connection = session.connection()
    for start in range(0, len(values), step):
        part = values[start : start + step]
        connection.execute(statement, part[0] if len(part) == 1 else list(part))


def change(statement: Update, values: Mapping[str, Any]) -> int:
    """Run an UPDATE of a table that was built once; returns how many rows matched. Pending objects are not flushed first."""
    return int(session.connection().execute(statement, values).rowcount)
