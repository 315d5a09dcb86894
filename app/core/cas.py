"""Compare-and-set: every status change is an UPDATE guarded by the state it leaves (decision 9)."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, update
from sqlalchemy.orm import class_mapper

from app.core import sql
from app.core.db import Base, session
from app.core.errors import Conflict


@cache
def _guarded(model: type[Base], guards: tuple[tuple[str, bool | None], ...], names: tuple[str, ...]) -> Update:
    """Return the UPDATE for these columns, built once: guards are (column, "one of", None for NULL), names are set by parameters."""
    columns = class_mapper(model).columns
    statement = update(sql.table_of(model)).where(columns["id"] == bindparam("w_id"))
    for name, one_of in guards:
        column = columns[name]
        if one_of is None:
            statement = statement.where(column.is_(None))
            continue
        wanted: Any = bindparam(f"w_{name}", expanding=one_of)
        statement = statement.where(column.in_(wanted) if one_of else column == wanted)
    if names:
        statement = statement.values({columns[name]: bindparam(f"v_{name}") for name in names})
    return statement


def change(model: type[Base], row_id: int, *, where: dict[str, Any], values: dict[str, Any]) -> bool:
    """UPDATE one row where id and every given column still match; True when exactly one row changed.

    A `where` value that is a tuple or set means "one of", None means NULL; a value may be an SQL expression. Flushes the session
    first so that pending rows are seen, and expires a loaded instance so that it is read again.
    """
    session.flush()  # the UPDATE must see rows added in this transaction
    computed = {name: value for name, value in values.items() if isinstance(value, ColumnElement)}
    plain = {name: value for name, value in values.items() if name not in computed}
    guards = tuple((name, None if value is None else isinstance(value, tuple | set)) for name, value in where.items())
    statement = _guarded(model, guards, tuple(plain))
    if computed:
        statement = statement.values({class_mapper(model).columns[name]: value for name, value in computed.items()})
    given = {f"w_{name}": list(value) if isinstance(value, tuple | set) else value for name, value in where.items() if value is not None}
    given |= {"w_id": row_id} | {f"v_{name}": value for name, value in plain.items()}
    changed = sql.change(statement, given) == 1
    loaded = session().identity_map.get(session().identity_key(model, row_id))
    if loaded is not None:
        session.expire(loaded)
    return changed


def move(
    model: type[Base], row_id: int, *, from_: Any, to: str, code: str, message: str = "", **values: Any
) -> None:
    """Move a row's `status` from one (or one of several) to another. Raises Conflict(code) if it moved meanwhile."""
    if not change(model, row_id, where={"status": from_}, values={"status": to, **values}):
        raise Conflict(code, message or "状态已变化，请刷新后再试")
