"""Rows without the unit of work: the hot paths know every column, so one statement for each table is enough.

Statements that stand at module level are compiled once and handed to the driver (ADR-0009, ADR-0012). The ORM is kept for the back
office.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Delete, Insert, Select, Table, Update, insert
from sqlalchemy.orm import class_mapper

from app.core.db import Base, session
from dbadapters import prepared
from dbadapters.portable import bulk_insert


def read(statement: Select[Any], values: Mapping[str, Any]) -> Any:
    """Run a SELECT of columns that was built once, at module level; pending objects are flushed first, as the ORM does.

    Returns the rows, with `all`, `one_or_none`, `scalar` and `scalars`.
    """
    current = session()
    current.flush()
    connection = current.connection()
    form = prepared.prepared(statement, connection)
    if form is None:
        return connection.execute(statement, values)
    return prepared.execute(connection, form, values, reads=True)


def table_of(model: type[Base]) -> Table:
    """Return the table of a mapped class, for statements that do not go through the ORM."""
    table = class_mapper(model).local_table
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


@cache
def _columns_of(model: type[Base]) -> tuple[Table, dict[str, str]]:
    """Return the table and the attributes whose column has another name."""
    renamed = {p.key: p.columns[0].name for p in class_mapper(model).column_attrs if p.key != p.columns[0].name}
    return table_of(model), renamed


@cache
def _defaults(table: Table, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the model's plain defaults of the columns that rows do not name: given here, no statement has to compute them."""
    lacking = (column for column in table.c if column.name not in names and column.default is not None)
    return {column.name: column.default.arg for column in lacking if column.default.is_scalar}  # type: ignore[union-attr]


@cache
def _insert_into(table: Table, names: tuple[str, ...]) -> Insert:
    """Return the statement for rows of these columns: one object each, as its prepared form depends on them."""
    return insert(table)


def add(model: type[Base], *rows: Mapping[str, Any]) -> None:
    """INSERT rows at once, in the caller's transaction; every row names the same attributes of the model.

    Rows are written in the order given. Raises the adapter's errors, UniqueViolation among them, at this call.
    """
    add_all(model, rows)


def add_all(model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """As `add`, for a sequence; nothing happens when it is empty."""
    if not rows:
        return
    table, renamed = _columns_of(model)
    values: Sequence[Mapping[str, Any]] = rows
    if renamed:
        values = [{renamed.get(name, name): value for name, value in row.items()} for row in rows]
    defaults = _defaults(table, tuple(values[0]))
    if defaults:
        values = [{**row, **defaults} for row in values]
    connection = session.connection()
    if len(values) > 1:
        bulk_insert(connection, table, values)
        return
    names = tuple(values[0])
    statement = _insert_into(table, names)
    form = prepared.prepared(statement, connection, names)
    if form is None:
        connection.execute(statement, values[0])
    else:
        prepared.execute(connection, form, values[0], reads=False)


def change(statement: Update | Delete, values: Mapping[str, Any]) -> int:
    """Run an UPDATE or DELETE of a table that was built once; returns how many rows matched. Pending objects are not flushed first."""
    connection = session.connection()
    form = prepared.prepared(statement, connection)
    if form is None:
        return int(connection.execute(statement, values).rowcount)
    return int(prepared.execute(connection, form, values, reads=False).rowcount)
