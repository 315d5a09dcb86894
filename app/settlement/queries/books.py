"""Reads of the books: balances, entries, vouchers, the platform's income, and the proof that everything adds up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app.core.db import session
from app.core.errors import NotFound
from app.core.jobs import Job
from app.core.paging import Page, paginate
from app.merchants.models import Merchant
from app.settlement.chart import INCOME_KINDS, KINDS, MERCHANT_KINDS
from app.settlement.models import Account, Entry, LineSplit, OrderSplit, Payout, Rate, Voucher

VERIFY_JOB = "settlement.verify"


@dataclass(frozen=True)
class Difference:
    """Something in the books that does not add up."""

    what: str
    row_id: int
    fen: int


def verify() -> list[Difference]:
    """Return every voucher that does not sum to zero and every account whose balance is not the sum of its entries."""
    found = [
        Difference("voucher", row.voucher_id, int(row.total))
        for row in session.execute(
            select(Entry.voucher_id, func.sum(Entry.amount_fen).label("total"))
            .group_by(Entry.voucher_id)
            .having(func.sum(Entry.amount_fen) != 0)
        )
    ]
    sums = {
        row.account_id: int(row.total)
        for row in session.execute(select(Entry.account_id, func.sum(Entry.amount_fen).label("total")).group_by(Entry.account_id))
    }
    balances = {row.id: row.balance_fen for row in session.execute(select(Account.id, Account.balance_fen))}
    for account_id in sorted(sums.keys() | balances.keys()):
        off = balances.get(account_id, 0) - sums.get(account_id, 0)
        if off:
            found.append(Difference("account", account_id, off))
    return found


def last_verify() -> Job | None:
    """Return the latest nightly proof, None before the first."""
    return session.scalar(select(Job).where(Job.name == VERIFY_JOB).order_by(Job.id.desc()).limit(1))


def balances_of(merchant_id: int) -> dict[str, int]:
    """Return a merchant's balances by kind, each on its own side, in fen; kinds without an account are 0."""
    found = dict.fromkeys(MERCHANT_KINDS, 0)
    for row in session.execute(select(Account.kind, Account.side, Account.balance_fen).where(Account.owner_id == merchant_id)):
        if row.kind in found:
            found[row.kind] = row.balance_fen * row.side
    return found


def trial_balance() -> list[dict[str, Any]]:
    """Return the platform's own accounts and the sums of the merchants' ones: kind, subject, name, debit and credit in fen."""
    balance = func.sum(Account.balance_fen)
    rows = session.execute(
        select(Account.kind, Account.subject, balance.label("total"), func.count().label("accounts"), func.min(Account.id).label("first"))
        .group_by(Account.kind, Account.subject)
        .order_by(Account.kind, Account.subject)
    )
    order = list(KINDS)
    lines = [
        {"kind": r.kind, "name": KINDS[r.kind].name, "subject": r.subject, "accounts": r.accounts, "account_id": r.first,
         "of_merchant": KINDS[r.kind].of_merchant, "debit": max(int(r.total), 0), "credit": max(-int(r.total), 0)}
        for r in rows
    ]  # fmt: skip
    return sorted(lines, key=lambda line: (order.index(str(line["kind"])), str(line["subject"])))


def merchants_accounts(kind: str, cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (account, shop name) of one kind of merchants' account, newest account first."""
    statement = select(Account, Merchant.shop_name).join(Merchant, Merchant.id == Account.owner_id).where(Account.kind == kind)
    return paginate(statement, [Account.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def get_account(account_id: int) -> Account:
    """Return an account. Raises NotFound."""
    found = session.get(Account, account_id)
    if found is None:
        raise NotFound("account.missing", "账户不存在")
    return found


def entries_of(account_id: int, cursor: str = "", size: int = 50) -> Page[Any]:
    """Return (entry, voucher) of an account, newest id first."""
    statement = select(Entry, Voucher).join(Voucher, Voucher.id == Entry.voucher_id).where(Entry.account_id == account_id)
    return paginate(statement, [Entry.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def movements_of(merchant_id: int, kinds: tuple[str, ...] = MERCHANT_KINDS, cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (entry, voucher, kind, side) of a merchant's accounts, newest id first."""
    statement = (
        select(Entry, Voucher, Account.kind, Account.side)
        .join(Account, Account.id == Entry.account_id)
        .join(Voucher, Voucher.id == Entry.voucher_id)
        .where(Account.owner_id == merchant_id, Account.kind.in_(kinds))
    )
    return paginate(statement, [Entry.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def list_vouchers(kind: str = "", search: str = "", cursor: str = "", size: int = 30) -> Page[Voucher]:
    """Return vouchers, newest id first; search is an exact voucher, order or channel number."""
    statement = select(Voucher)
    if kind:
        statement = statement.where(Voucher.kind == kind)
    if search:
        split = session.scalar(select(OrderSplit.order_id).where(OrderSplit.order_no == search))
        if split is not None:
            statement = statement.where(Voucher.order_id == split)
        elif search.isdigit() and len(search) < 20:
            statement = statement.where(Voucher.id == int(search))
        else:
            known = session.scalars(select(Account.subject).where(Account.kind == "channel")).all()
            statement = statement.where(Voucher.channel.in_(known), Voucher.flow.in_(("pay", "refund")), Voucher.ref_no == search)
    return paginate(statement, [Voucher.id], lambda v: [v.id], cursor=cursor, size=size)


def get_voucher(voucher_id: int) -> tuple[Voucher, list[Any]]:
    """Return a voucher and its (entry, account, shop name or None). Raises NotFound."""
    voucher = session.get(Voucher, voucher_id)
    if voucher is None:
        raise NotFound("voucher.missing", "凭证不存在")
    entries = session.execute(
        select(Entry, Account, Merchant.shop_name)
        .join(Account, Account.id == Entry.account_id)
        .outerjoin(Merchant, Merchant.id == Account.owner_id)
        .where(Entry.voucher_id == voucher_id)
        .order_by(Entry.amount_fen.desc(), Entry.id)
    )
    return voucher, list(entries)


def vouchers_of_order(order_id: int) -> list[Voucher]:
    """Return an order's vouchers, oldest first."""
    return list(session.scalars(select(Voucher).where(Voucher.order_id == order_id).order_by(Voucher.booked_at, Voucher.id)))


def income_between(start: datetime, end: datetime) -> dict[str, int]:
    """Return the platform's income and cost of [start, end) by kind, each on its own side, in fen."""
    rows = session.execute(
        select(Account.kind, func.sum(Entry.amount_fen).label("total"))
        .join(Account, Account.id == Entry.account_id)
        .where(Account.kind.in_(INCOME_KINDS), Entry.booked_at >= start, Entry.booked_at < end)
        .group_by(Account.kind)
    )
    found = dict.fromkeys(INCOME_KINDS, 0)
    found.update({row.kind: int(row.total) * KINDS[row.kind].side for row in rows})
    return found


def get_split(order_id: int) -> tuple[OrderSplit, list[LineSplit]]:
    """Return an order's split and its lines, freight last. Raises NotFound."""
    row = session.scalar(select(OrderSplit).where(OrderSplit.order_id == order_id))
    if row is None:
        raise NotFound("split.missing", "订单没有分账记录")
    lines = session.scalars(select(LineSplit).where(LineSplit.order_id == order_id).order_by(LineSplit.id)).all()
    return row, sorted(lines, key=lambda line: (line.line_id == 0, line.id))


def list_splits(merchant_id: int = 0, status: str = "", search: str = "", cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (order split, shop name), newest id first; search is an exact order number."""
    statement = select(OrderSplit, Merchant.shop_name).join(Merchant, Merchant.id == OrderSplit.merchant_id)
    if merchant_id:
        statement = statement.where(OrderSplit.merchant_id == merchant_id)
    if status:
        statement = statement.where(OrderSplit.status == status)
    if search:
        statement = statement.where(OrderSplit.order_no == search)
    return paginate(statement, [OrderSplit.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def list_payouts(merchant_id: int = 0, status: str = "", cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (payout, shop name), newest id first."""
    statement = select(Payout, Merchant.shop_name).join(Merchant, Merchant.id == Payout.merchant_id)
    if merchant_id:
        statement = statement.where(Payout.merchant_id == merchant_id)
    if status:
        statement = statement.where(Payout.status == status)
    return paginate(statement, [Payout.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def payout_counts() -> dict[str, tuple[int, int]]:
    """Return (count, sum in fen) of open payouts by status."""
    rows = session.execute(
        select(Payout.status, func.count().label("n"), func.sum(Payout.amount_fen).label("total"))
        .where(Payout.status.in_(("requested", "approved")))
        .group_by(Payout.status)
    )
    return {row.status: (row.n, int(row.total)) for row in rows}


def list_rates(cursor: str = "", size: int = 50, *, ended: bool = False) -> Page[Any]:
    """Return (rate, shop name or None) in the order of matching; ended: versions that were replaced or stopped, newest first."""
    statement = select(Rate, Merchant.shop_name).outerjoin(Merchant, Merchant.id == Rate.merchant_id)
    if ended:
        statement = statement.where(Rate.ended_at.is_not(None))
        return paginate(statement, [Rate.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)
    statement = statement.where(Rate.ended_at.is_(None))
    return paginate(
        statement, [Rate.place, Rate.rule_id], lambda r: [r[0].place, r[0].rule_id], cursor=cursor, size=size, descending=False,
        scalars=False,
    )  # fmt: skip


def rate_versions(rule_id: int) -> list[Rate]:
    """Return every version of a rule, newest first. Raises NotFound."""
    found = list(session.scalars(select(Rate).where(Rate.rule_id == rule_id).order_by(Rate.version.desc())))
    if not found:
        raise NotFound("rate.missing", "分账规则不存在")
    return found
