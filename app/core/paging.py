"""Keyset paging: a page is a list and an opaque cursor; cost does not grow with depth (decision 17)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select

from app.core.db import session
from app.core.errors import Invalid
from dbadapters.portable import keyset

T = TypeVar("T")
MAX_SIZE = 200


@dataclass(frozen=True)
class Page(Generic[T]):
    """Items of one page; `next_cursor` is '' on the last one."""

    items: Sequence[T]
    next_cursor: str


def encode_cursor(values: Sequence[Any]) -> str:
    """Return an opaque cursor for the sort key of the last row (ints and strings)."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[Any]:
    """Return the sort key in a cursor. Raises Invalid(`page.cursor`) for anything we did not make."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        values = None
    if (
        not isinstance(values, list)
        or len(values) != length
        or not all(isinstance(v, int | str) and not isinstance(v, bool) for v in values)
    ):
        raise Invalid("page.cursor", "页码参数无效，请从第一页重新查看")
    return values


def cut(rows: Sequence[T], size: int, key: Callable[[T], Sequence[Any]]) -> Page[T]:
    """Make a page of `size` rows out of rows read one further."""
    shown = rows[:size]
    return Page(shown, encode_cursor(key(shown[-1])) if len(rows) > size else "")


def paginate(
    statement: Select[Any],
    columns: Sequence[Any],
    key: Callable[[Any], Sequence[Any]],
    *,
    cursor: str = "",
    size: int = 20,
    descending: bool = True,
    scalars: bool = True,
) -> Page[Any]:
    """Run a SELECT as one keyset page, one query, one row more than shown to know whether there is a next.

    columns: sort columns ending in the id, none nullable, all in the same direction.
    key: returns the sort key of a row, in the order of `columns`.
    """
    size = max(1, min(size, MAX_SIZE))
    if cursor:
        values = decode_cursor(cursor, len(columns))
        statement = statement.where(keyset(columns, values, descending=descending))
    ordering = [c.desc() if descending else c.asc() for c in columns]
    result = session.execute(statement.order_by(*ordering).limit(size + 1))
    return cut(list(result.scalars() if scalars else result), size, key)
