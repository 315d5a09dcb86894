"""Statements of a merchant's month: opening + movements = closing for each account, in business months (commerce.md trap 2).

Signs: an account's figures are on its own side; the merchant's interest is minus the sum of its entries (what it is owed less what
it owes), so moves between its own accounts cancel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, func, select

from app.core import clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.settlement.chart import KINDS, MERCHANT_KINDS
from app.settlement.models import Account, Entry, Statement, Voucher

PIECE = 2_000


@dataclass(frozen=True)
class Month:
    """A business month: number 202610, half-open UTC interval [start, end)."""

    number: int
    start: datetime
    end: datetime


@dataclass(frozen=True)
class AccountTotals:
    """One account's month on its own side, in fen; opening + increase - decrease = closing."""

    kind: str
    account_id: int
    opening: int
    increase: int
    decrease: int
    closing: int


@dataclass(frozen=True)
class Totals:
    """A merchant's month: its accounts, and by kind of voucher (count of entries, change of the merchant's interest)."""

    month: Month
    accounts: tuple[AccountTotals, ...]
    by_kind: tuple[tuple[str, int, int], ...]

    @property
    def entry_count(self) -> int:
        """Return how many entries the month has."""
        return sum(count for _, count, _ in self.by_kind)

    def interest(self, column: str) -> int:
        """Return opening or closing of the merchant's interest, in fen."""
        return sum(-KINDS[a.kind].side * int(getattr(a, column)) for a in self.accounts)


def month_of(number: int) -> Month:
    """Return a month by its number. Raises NotFound for a number that is none."""
    year, month = divmod(number, 100)
    if not (2000 <= year <= 9998 and 1 <= month <= 12):
        raise NotFound("statement.month", "月份不存在")
    after = date(year + month // 12, month % 12 + 1, 1)
    return Month(number, clock.day_bounds(date(year, month, 1))[0], clock.day_bounds(after)[0])


def number_of(day: date) -> int:
    """Return the number of a day's month."""
    return day.year * 100 + day.month


def before(number: int) -> int:
    """Return the number of the month before."""
    return number - 1 if number % 100 > 1 else number - 89


def compute(merchant_id: int, month: Month) -> Totals:
    """Compute a month from the entries, opening from the last closed statement before it where there is one."""
    accounts = session.execute(
        select(Account.id, Account.kind).where(Account.owner_id == merchant_id, Account.kind.in_(MERCHANT_KINDS)).order_by(Account.id)
    ).all()
    kind_of: dict[int, str] = {row.id: row.kind for row in accounts}
    base = session.scalar(
        select(Statement)
        .where(Statement.merchant_id == merchant_id, Statement.month_no < month.number)
        .order_by(Statement.month_no.desc())
        .limit(1)
    )
    known = {int(a["account_id"]): int(a["closing"]) for a in base.totals["accounts"]} if base is not None else {}
    since = month_of(base.month_no).end if base is not None else None
    opening = dict.fromkeys(kind_of, 0)
    wanted = select(Entry.account_id, func.sum(Entry.amount_fen).label("total")).where(
        Entry.account_id.in_(kind_of), Entry.booked_at < month.start
    )
    if since is not None:
        wanted = wanted.where(Entry.booked_at >= since)
    for row in session.execute(wanted.group_by(Entry.account_id)):
        opening[row.account_id] = int(row.total) * KINDS[kind_of[row.account_id]].side
    moves = _moves(list(kind_of), month)
    totals = []
    for account_id, kind in kind_of.items():
        debit, credit = moves.get(account_id, (0, 0))
        up, down = (debit, credit) if KINDS[kind].side > 0 else (credit, debit)
        start = opening[account_id] + known.get(account_id, 0)
        totals.append(AccountTotals(kind, account_id, start, up, down, start + up - down))
    totals.sort(key=lambda t: MERCHANT_KINDS.index(t.kind))
    return Totals(month, tuple(totals), _by_kind(list(kind_of), month))


def _moves(account_ids: list[int], month: Month) -> dict[int, tuple[int, int]]:
    """Return (debits, credits) by account."""
    debit = func.sum(case((Entry.amount_fen > 0, Entry.amount_fen), else_=0)).label("debit")
    credit = func.sum(case((Entry.amount_fen < 0, -Entry.amount_fen), else_=0)).label("credit")
    rows = session.execute(
        select(Entry.account_id, debit, credit)
        .where(Entry.account_id.in_(account_ids), Entry.booked_at >= month.start, Entry.booked_at < month.end)
        .group_by(Entry.account_id)
    )
    return {row.account_id: (int(row.debit), int(row.credit)) for row in rows}


def _by_kind(account_ids: list[int], month: Month) -> tuple[tuple[str, int, int], ...]:
    rows = session.execute(
        select(Voucher.kind, func.count().label("n"), func.sum(-Entry.amount_fen).label("total"))
        .join(Voucher, Voucher.id == Entry.voucher_id)
        .where(Entry.account_id.in_(account_ids), Entry.booked_at >= month.start, Entry.booked_at < month.end)
        .group_by(Voucher.kind)
        .order_by(Voucher.kind)
    )
    return tuple((row.kind, int(row.n), int(row.total)) for row in rows)


def lines(account_id: int, month: Month) -> Iterator[Any]:
    """Yield (booked_at, kind, voucher id, memo, amount) of an account's month in order of booking, a piece at a time."""
    statement = (
        select(Entry.booked_at, Voucher.kind, Voucher.id, Voucher.memo, Entry.amount_fen)
        .join(Voucher, Voucher.id == Entry.voucher_id)
        .where(Entry.account_id == account_id, Entry.booked_at >= month.start, Entry.booked_at < month.end)
        .order_by(Entry.booked_at, Entry.id)
        .execution_options(yield_per=PIECE)
    )
    yield from session.execute(statement)


def get_for(actor: Actor, statement_id: int) -> Statement:
    """Return the actor's own closed statement, any for operators. Raises NotFound."""
    found = session.get(Statement, statement_id)
    if found is None or (actor.realm == "merchant" and found.merchant_id != actor.merchant_id):
        raise NotFound("statement.missing", "对账单不存在")
    return found


def list_closed(merchant_id: int = 0, cursor: str = "", size: int = 12) -> Page[Statement]:
    """Return closed statements, newest month first; of all merchants for 0."""
    statement = select(Statement)
    if merchant_id:
        statement = statement.where(Statement.merchant_id == merchant_id)
    return paginate(statement, [Statement.month_no, Statement.id], lambda s: [s.month_no, s.id], cursor=cursor, size=size)


def totals_of(statement: Statement) -> Totals:
    """Return the frozen totals of a closed statement."""
    accounts = tuple(AccountTotals(**a) for a in statement.totals["accounts"])
    by_kind = tuple((str(k), int(n), int(fen)) for k, n, fen in statement.totals["by_kind"])
    return Totals(month_of(statement.month_no), accounts, by_kind)
