"""Prepared statements give what SQLAlchemy's execution gives, on every engine: values, lists, errors, and nothing hidden from listeners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Date,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    event,
    insert,
    select,
    update,
)  # fmt: skip

from dbadapters import errors, prepared
from dbadapters.types import LongText, PortableJSON, Str, UtcDateTime

AT = datetime(2026, 11, 25, 6, 7, 8, 901_234, tzinfo=UTC)
T = Table(
    "prepared_probe", MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False), Column("code", Str(20), nullable=False),
    Column("note", LongText, nullable=True), Column("data", PortableJSON, nullable=False), Column("at", UtcDateTime, nullable=False),
    Column("day", Date, nullable=False), Column("amount", BigInteger, nullable=False), Column("open", Boolean(create_constraint=False), nullable=False),
    Column("kind", Integer, nullable=False, default=7), UniqueConstraint("code", name="uq_prepared_probe"),
    CheckConstraint("amount >= 0", name="ck_prepared_probe"),
)  # fmt: skip
NAMES = ("id", "code", "note", "data", "at", "day", "amount", "open", "kind")
INSERT = insert(T)
BY_ID = select(*T.c).where(T.c.id == bindparam("row_id"))
BY_LIST = select(T.c.id, T.c.code, (T.c.amount * 2).label("double")).where(
    T.c.id.in_(bindparam("ids", expanding=True)), T.c.open == bindparam("is_open"), T.c.code != "100%"
).order_by(T.c.id)  # fmt: skip
ADD = update(T).where(T.c.id == bindparam("row_id"), T.c.amount + bindparam("more", type_=BigInteger) >= 0).values(
    amount=T.c.amount + bindparam("more", type_=BigInteger)
)  # fmt: skip
CLEAR = update(T).where(T.c.id == bindparam("row_id"), T.c.note.is_(None)).values(note=bindparam("text"), at=bindparam("moment"))
DROP = delete(T).where(T.c.id.in_(bindparam("ids", expanding=True)))


def row(number: int, **other: Any) -> dict[str, Any]:
    return {
        "id": 2**62 + number, "code": f"编码 {number}", "note": "长文 100% ?:x" if number % 2 else None, "data": {"乙": [number, None], "a": "%s"},
        "at": AT, "day": date(2026, 11, number), "amount": 10 * number, "open": True, "kind": 1, **other,
    }  # fmt: skip


def run(connection: Connection, statement: Any, given: dict[str, Any], *, reads: bool) -> Any:
    """Execute as app/core/sql.py does; a statement seen for the first time is SQLAlchemy's."""
    names = tuple(given) if statement is INSERT else None
    form = prepared.prepared(statement, connection, names)
    if form is None:
        return connection.execute(statement, given)
    return prepared.execute(connection, form, given, reads=reads)


@pytest.fixture
def connection(adapter: Any) -> Iterator[Connection]:
    """A connection with the table; every statement has been seen, so that the prepared form is what runs."""
    engine = adapter.create_engine()
    T.metadata.create_all(engine)
    for statement in (INSERT, BY_ID, BY_LIST, ADD, CLEAR, DROP):
        prepared._known[statement] = prepared._SEEN
    with engine.connect() as opened:
        yield opened
        opened.rollback()
    engine.dispose()


def is_prepared(connection: Connection, statement: Any, names: Any = None) -> bool:
    return prepared.prepared(statement, connection, names) is not None


def test_rows_come_back_as_sqlalchemy_gives_them(connection: Connection) -> None:
    for number in (1, 2, 3):
        assert run(connection, INSERT, row(number), reads=False).rowcount == 1
    assert is_prepared(connection, INSERT, NAMES) == (connection.dialect.name in prepared.DIALECTS)
    for number in (1, 2, 3, 4):
        given = {"row_id": 2**62 + number}
        mine, theirs = run(connection, BY_ID, given, reads=True).all(), connection.execute(BY_ID, given).all()
        assert [tuple(found) for found in mine] == [tuple(found) for found in theirs]
        assert [[type(value) for value in found] for found in mine] == [[type(value) for value in found] for found in theirs]
    found = run(connection, BY_ID, {"row_id": 2**62 + 1}, reads=True).one_or_none()
    assert (found.code, found.note, found.data, found.at, found.day, found.open) == (
        "编码 1", "长文 100% ?:x", {"a": "%s", "乙": [1, None]}, AT, date(2026, 11, 1), True
    )  # fmt: skip
    assert run(connection, BY_ID, {"row_id": 5}, reads=True).one_or_none() is None


def test_lists_of_any_length_and_text_with_the_drivers_marks(connection: Connection) -> None:
    for number in (1, 2, 3):
        run(connection, INSERT, row(number), reads=False)
    run(connection, INSERT, row(4, code="100%"), reads=False)
    ids = [2**62 + number for number in (1, 2, 3, 4)]
    for wanted in ([], ids[:1], ids, ids[:2], [*ids, 1]):
        rows = run(connection, BY_LIST, {"ids": wanted, "is_open": True}, reads=True)
        assert [(found.id, found.double) for found in rows] == [(i, 20 * (i - 2**62)) for i in wanted if i in ids[:3]]
    assert list(run(connection, BY_LIST, {"ids": ids, "is_open": False}, reads=True).scalars()) == []


def test_changes_are_counted_as_matched_rows(connection: Connection) -> None:
    run(connection, INSERT, row(2), reads=False)
    key = 2**62 + 2
    assert run(connection, ADD, {"row_id": key, "more": 5}, reads=False).rowcount == 1
    assert run(connection, ADD, {"row_id": key, "more": 0}, reads=False).rowcount == 1, "matched, though nothing changed"
    assert run(connection, ADD, {"row_id": key, "more": -26}, reads=False).rowcount == 0, "the guard holds"
    assert run(connection, CLEAR, {"row_id": key, "text": "", "moment": AT}, reads=False).rowcount == 1
    assert run(connection, BY_ID, {"row_id": key}, reads=True).one_or_none().note is None, "'' is NULL on every engine"
    assert run(connection, DROP, {"ids": [key, 1]}, reads=False).rowcount == 1
    assert run(connection, DROP, {"ids": []}, reads=False).rowcount == 0


def test_errors_are_the_adapters(connection: Connection) -> None:
    run(connection, INSERT, row(1), reads=False)
    connection.commit()
    with pytest.raises(errors.UniqueViolation):
        run(connection, INSERT, row(2, code="编码 1"), reads=False)
    connection.rollback()
    with pytest.raises(errors.CheckViolation):
        run(connection, INSERT, row(3, amount=-1), reads=False)
    connection.rollback()
    with pytest.raises(ValueError, match="exceeds 20"):
        prepared.Prepared(INSERT, connection.dialect, NAMES).bind(row(4, code="x" * 21))
    with pytest.raises(KeyError):
        prepared.Prepared(BY_ID, connection.dialect, None).bind({})
    assert run(connection, BY_ID, {"row_id": 2**62 + 1}, reads=True).one_or_none().code == "编码 1", "the connection goes on"


def test_a_savepoint_takes_prepared_changes_back(connection: Connection) -> None:
    run(connection, INSERT, row(1), reads=False)
    savepoint = connection.begin_nested()
    run(connection, ADD, {"row_id": 2**62 + 1, "more": 5}, reads=False)
    savepoint.rollback()
    assert run(connection, BY_ID, {"row_id": 2**62 + 1}, reads=True).one_or_none().amount == 10


def test_listeners_see_every_statement(connection: Connection) -> None:
    run(connection, INSERT, row(1), reads=False)
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(connection.engine, "before_cursor_execute", note)
    try:
        assert not is_prepared(connection, BY_ID)
        run(connection, BY_ID, {"row_id": 2**62 + 1}, reads=True)
    finally:
        event.remove(connection.engine, "before_cursor_execute", note)
    assert len(seen) == 1
    run(connection, BY_ID, {"row_id": 2**62 + 1}, reads=True)
    assert len(seen) == 1


def test_what_is_built_for_one_use_or_needs_a_default_is_sqlalchemys(connection: Connection) -> None:
    once = select(T.c.id).where(T.c.id == bindparam("row_id"))
    assert prepared.prepared(once, connection) is None, "not seen before"
    lacking = insert(T)
    prepared.prepared(lacking, connection, NAMES[:-1])
    for _ in range(2):
        assert prepared.prepared(lacking, connection, NAMES[:-1]) is None, "kind has a default that must be computed"
