"""Closing months: a statement is frozen once and never edited; later facts belong to later months (commerce.md trap 9)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import clock, jobs, runtime
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.ids import new_id
from app.settlement.chart import KINDS, MERCHANT_KINDS
from app.settlement.models import Account, Entry, Statement
from app.settlement.queries import statements
from app.settlement.queries.statements import Totals

CLOSE_JOB = "settlement.close_month"
MONTHS_BACK = 3


def plan() -> int:
    """Periodic job: queue the closing of ended months (also missed ones) for merchants without a statement; returns how many."""
    lag = timedelta(hours=runtime.current().settings.settlement.statement_lag_h)
    number, queued = statements.before(statements.number_of(clock.business_date(clock.now() - lag))), 0
    owners = session.scalars(select(Account.owner_id).where(Account.owner_id > 0).distinct().order_by(Account.owner_id)).all()
    months = [number]
    for _ in range(MONTHS_BACK - 1):
        months.insert(0, statements.before(months[0]))
    done = set(session.execute(select(Statement.merchant_id, Statement.month_no).where(Statement.month_no.in_(months))).tuples())
    for owner in owners:
        missing = [month_no for month_no in months if (owner, month_no) not in done]
        first = _first_month(owner) if missing else None
        for month_no in missing:
            if first is not None and month_no >= first:
                queued += jobs.enqueue_once(CLOSE_JOB, {"merchant_id": owner, "month_no": month_no}, key=f"{owner}-{month_no}")
    return queued


def _first_month(merchant_id: int) -> int | None:
    """Return the month of a merchant's first entry, None when it has none."""
    accounts = select(Account.id).where(Account.owner_id == merchant_id, Account.kind.in_(MERCHANT_KINDS))
    found = session.scalar(select(func.min(Entry.booked_at)).where(Entry.account_id.in_(accounts)))
    return statements.number_of(clock.business_date(found)) if found is not None else None


def close(merchant_id: int, month_no: int) -> int | None:
    """Freeze a merchant's ended month; returns the statement's id, None when it exists already.

    Raises ValueError for a month that has not ended, and RuntimeError when the books do not add up (nothing is frozen then).
    """
    known = select(Statement.id).where(Statement.merchant_id == merchant_id, Statement.month_no == month_no)
    if session.scalar(known) is not None:
        return None
    month = statements.month_of(month_no)
    if month.end > clock.now():
        raise ValueError("the month has not ended")
    totals = statements.compute(merchant_id, month)
    opening, closing = totals.interest("opening"), totals.interest("closing")
    if opening + sum(fen for _, _, fen in totals.by_kind) != closing:
        raise RuntimeError(f"statement {month_no} of merchant {merchant_id} does not reconcile")
    gains = sum((a.increase if KINDS[a.kind].side < 0 else a.decrease) for a in totals.accounts)
    losses = sum((a.decrease if KINDS[a.kind].side < 0 else a.increase) for a in totals.accounts)
    statement_id = new_id()
    session.add(
        Statement(
            id=statement_id, merchant_id=merchant_id, month_no=month_no, opening_fen=opening, increase_fen=gains,
            decrease_fen=losses, closing_fen=closing, entry_count=totals.entry_count, totals=frozen(totals), closed_at=clock.now(),
        )
    )  # fmt: skip
    session.flush()  # (merchant, month) is unique
    audit.record(SYSTEM, "statement.closed", "statement", statement_id, detail={"month": month_no, "closing_fen": closing})
    return statement_id


def frozen(totals: Totals) -> dict[str, object]:
    """Return totals as they are stored with a statement."""
    return {"accounts": [asdict(a) for a in totals.accounts], "by_kind": [list(row) for row in totals.by_kind]}
