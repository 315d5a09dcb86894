"""Statements written once for every engine (dbadapters.md §8): upsert, bulk insert, claim, keyset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Table, and_, insert, or_, select, update

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
    """INSERT rows in chunks of at most `chunk` rows and 30,000 binds; returns the row count. All rows name the same columns.

    Where the driver's own bulk form is known the values go to it column by column, which costs a third of the CPU time of
    SQLAlchemy's executemany; elsewhere, and where a default of the model would have to be computed, that is used.
    """
    if not rows:
        return 0
    step = max(1, min(chunk, MAX_BINDS // max(1, len(rows[0]))))
    columns = [table.c[name] for name in rows[0]]
    plain = all(c.default is None or c.name in rows[0] for c in table.c)
    form = _BULK_FORMS.get(connection.dialect.name) if plain else None
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        if form is None:
            connection.execute(insert(table), [dict(row) for row in part])
        else:
            form(connection, table, columns, part)
    return len(rows)


def _bound(connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the rows as the driver takes them. A value that is the same object as in the row before is converted once."""
    done = []
    for column in columns:
        process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        values = [row[column.name] for row in rows]
        if process is not None:
            last, result = object(), None
            for place, value in enumerate(values):
                if value is not last:
                    last, result = value, process(value)
                values[place] = result
        done.append(values)
    return list(zip(*done, strict=True))


def _insert_text(connection: Connection, table: Table, columns: Sequence[Column[Any]], mark: str) -> tuple[str, str]:
    """Return `INSERT INTO … VALUES ` and the marks of one row."""
    return _text_of(connection.dialect, table, tuple(column.name for column in columns), mark)


@lru_cache(maxsize=512)
def _text_of(dialect: Dialect, table: Table, columns: tuple[str, ...], mark: str) -> tuple[str, str]:
    quote = dialect.identifier_preparer
    names = ", ".join(quote.format_column(table.c[column]) for column in columns)
    head = f"INSERT INTO {quote.format_table(table)} ({names}) VALUES "  # noqa: S608 - quoted names of the model, no values
    return head, f"({', '.join([mark] * len(columns))})"


def _many(mark: str) -> Callable[..., None]:
    """Bulk form of drivers whose executemany is made for it (sqlite3; PyMySQL joins the rows into one statement)."""

    def send(connection: Connection, table: Table, columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]) -> None:
        head, marks = _insert_text(connection, table, columns, mark)
        connection.exec_driver_sql(head + marks, _bound(connection, columns, rows))

    return send


def _joined(connection: Connection, table: Table, columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """Bulk form of psycopg2's family: one statement with all rows."""
    head, marks = _insert_text(connection, table, columns, "%s")
    values = tuple(value for row in _bound(connection, columns, rows) for value in row)
    connection.exec_driver_sql(head + ", ".join([marks] * len(rows)), values)


_BULK_FORMS: dict[str, Callable[..., None]] = {
    "sqlite": _many("?"), "mysql": _many("%s"), "mariadb": _many("%s"), "postgresql": _joined, "kingbase": _joined,
}  # fmt: skip


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
