"""Reads of bills and cases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.settlement.models import Bill, ReconCase


def list_bills(cursor: str = "", size: int = 20) -> Page[Bill]:
    """Return bills, newest import first."""
    return paginate(select(Bill), [Bill.id], lambda b: [b.id], cursor=cursor, size=size)


def get_bill(bill_id: int) -> Bill:
    """Return a bill. Raises NotFound."""
    found = session.get(Bill, bill_id)
    if found is None:
        raise NotFound("bill.missing", "账单不存在")
    return found


def list_cases(status: str = "", kind: str = "", bill_id: int = 0, cursor: str = "", size: int = 20) -> Page[ReconCase]:
    """Return cases, newest first; status 'waiting' is everything not resolved."""
    statement = select(ReconCase)
    if status == "waiting":
        statement = statement.where(ReconCase.status != "resolved")
    elif status:
        statement = statement.where(ReconCase.status == status)
    if kind:
        statement = statement.where(ReconCase.kind == kind)
    if bill_id:
        statement = statement.where(ReconCase.bill_id == bill_id)
    return paginate(statement, [ReconCase.id], lambda c: [c.id], cursor=cursor, size=size)


def case_counts() -> dict[str, tuple[int, int]]:
    """Return (count, sum of differences in fen) of unresolved cases by kind."""
    rows: Any = session.execute(
        select(ReconCase.kind, func.count().label("n"), func.sum(ReconCase.diff_fen).label("total"))
        .where(ReconCase.status != "resolved")
        .group_by(ReconCase.kind)
    )
    return {row.kind: (row.n, int(row.total)) for row in rows}
