"""Statements written once for every engine (dbadapters.md §8): upsert, bulk insert, claim, keyset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Table, and_, insert, or_, select, update

from dbadapters.errors import UniqueViolation

MAX_BINDS = 30_000
CHUNK = 500


def keyset(columns: Sequence[Any], values: Sequence[Any], *, descending: bool = False) -> ColumnElement[bool]:
    """Return the predicate for "after this sort key", expanded to an OR chain (row values are not portable).

    columns end in the id, none is nullable, all sort in the same direction.
    """
    if len(columns) != len(values) or not columns:
        raise ValueError("one value for each sort column")
    chain = []
    for i, column in enumerate(columns):
        equal = [c == v for c, v in zip(columns[:i], values[:i], strict=True)]
        chain.append(and_(*equal, column < values[i] if descending else column > values[i]))
    return or_(*chain)


def upsert(
    connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]
) -> Literal["inserted", "updated"]:
    """UPDATE by key; INSERT in a savepoint when there was no row; start over when another writer was faster.

    Raises UniqueViolation when another key of the table is taken by another row, or after three lost races.
    """
    if not key or not values:
        raise ValueError("upsert needs a key and at least one value to set")
    where = and_(*(table.c[name] == value for name, value in key.items()))
    for _ in range(3):
        if connection.execute(update(table).where(where).values(**values)).rowcount:
            return "updated"
        savepoint = connection.begin_nested()
        try:
            connection.execute(insert(table).values(**key, **values))
            savepoint.commit()
        except UniqueViolation:
            savepoint.rollback()
        else:
            return "inserted"
    raise UniqueViolation(f"upsert into {table.name} lost three races")


def bulk_insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], chunk: int = CHUNK) -> int:
    """INSERT rows by executemany in chunks of at most `chunk` rows and 30,000 binds; returns the row count."""
    if not rows:
        return 0
    step = max(1, min(chunk, MAX_BINDS // max(1, len(rows[0]))))
    for start in range(0, len(rows), step):
        connection.execute(insert(table), [dict(row) for row in rows[start : start + step]])
    return len(rows)


def claim(connection: Connection, table: Table, limit: int, owner: str) -> list[int]:
    """Take up to `limit` rows whose status is `new`: read ids without a lock, then compare-and-set each."""
    ids = connection.execute(
        select(table.c.id).where(table.c.status == "new").order_by(table.c.id).limit(limit)
    ).scalars()
    taken = []
    for row_id in list(ids):
        changed = connection.execute(
            update(table).where(table.c.id == row_id, table.c.status == "new").values(status="claimed", owner=owner)
        )
        if changed.rowcount == 1:
            taken.append(row_id)
    return taken
