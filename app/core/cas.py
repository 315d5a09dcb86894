"""Compare-and-set: every status change is an UPDATE guarded by the state it leaves (decision 9)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from app.core.db import session
from app.core.errors import Conflict


def change(model: type[Any], row_id: int, *, where: dict[str, Any], values: dict[str, Any]) -> bool:
    """UPDATE one row where id and every given column still match; True when exactly one row changed.

    A `where` value that is a tuple or set means "one of". Flushes the session first so that pending rows are seen, and expires
    a loaded instance so that it is read again.
    """
    session.flush()  # the UPDATE must see rows added in this transaction
    statement = update(model).where(model.id == row_id)
    for name, value in where.items():
        column = getattr(model, name)
        statement = statement.where(column.in_(value) if isinstance(value, tuple | set) else column == value)
    statement = statement.values(**values).execution_options(synchronize_session=False)
    changed = bool(session.execute(statement).rowcount == 1)  # type: ignore[attr-defined]
    loaded = session().identity_map.get(session().identity_key(model, row_id))
    if loaded is not None:
        session.expire(loaded)
    return changed


def move(
    model: type[Any], row_id: int, *, from_: Any, to: str, code: str, message: str = "", **values: Any
) -> None:
    """Move a row's `status` from one (or one of several) to another. Raises Conflict(code) if it moved meanwhile."""
    if not change(model, row_id, where={"status": from_}, values={"status": to, **values}):
        raise Conflict(code, message or "状态已变化，请刷新后再试")
