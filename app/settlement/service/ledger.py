"""Booking vouchers: balanced, once per business cause, balances by guarded update in id order (commerce.md §2.8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, select, update

from app.core import clock, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.settlement.chart import KINDS, NONE, VOUCHERS
from app.settlement.models import Account, Entry, Voucher
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

AccountKey = tuple[str, int, str]  # kind, owner, subject
_ACCOUNT = sql.table_of(Account)
_A = _ACCOUNT.c
_ACCOUNTS = select(_A.id, _A.kind, _A.owner_id, _A.subject).where(
    *(column.in_(bindparam(f"{column.name}s", expanding=True)) for column in (_A.kind, _A.owner_id, _A.subject))
)
_BOOKED = select(Voucher.cause).where(Voucher.cause.in_(bindparam("causes", expanding=True)))
_AMOUNT = bindparam("amount", type_=_A.balance_fen.type)
_MOVE = (
    update(_ACCOUNT)
    .where(_A.id == bindparam("account_id"), (_A.guarded == 0) | (_A.side * (_A.balance_fen + _AMOUNT) >= 0))
    .values(balance_fen=_A.balance_fen + _AMOUNT)
)


class Short(Conflict):
    """A guarded account would fall below zero; params: kind, owner_id."""


@dataclass(frozen=True)
class Line:
    """One line to book: account and fen, debit positive."""

    kind: str
    amount_fen: int
    owner_id: int = 0
    subject: str = NONE


@dataclass(frozen=True)
class About:
    """What a voucher is about; occurred_at None means now."""

    memo: str = NONE
    order_id: int = 0
    merchant_id: int = 0
    channel: str = NONE
    flow: str = NONE
    ref_no: str = NONE
    occurred_at: datetime | None = None
    maker: Actor = SYSTEM


def instant(at_us: int) -> datetime | None:
    """Return the instant of an event's microseconds; None for 0, which old events carry."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us) if at_us else None


@dataclass(frozen=True)
class Booking:
    """A voucher to book: its kind, its cause (unique), its lines and what it is about."""

    kind: str
    cause: str
    lines: Sequence[Line]
    about: About = About()

    def amounts(self) -> dict[AccountKey, int]:
        """Return what moves by account, netted. Raises ValueError for an unknown kind and for lines that do not balance."""
        if self.kind not in VOUCHERS:
            raise ValueError(f"unknown kind of voucher {self.kind}")
        found: dict[AccountKey, int] = defaultdict(int)
        for line in self.lines:
            found[line.kind, line.owner_id, line.subject] += line.amount_fen
        if sum(found.values()) != 0:
            raise ValueError(f"voucher {self.cause} does not balance: {dict(found)}")
        return {key: amount for key, amount in found.items() if amount}


def account_id(kind: str, owner_id: int = 0, subject: str = NONE) -> int:
    """Return an account's id, opening it on first use. Raises KeyError for a kind outside the chart."""
    return _account_ids([(kind, owner_id, subject)])[kind, owner_id, subject]


def _account_ids(keys: Collection[AccountKey]) -> dict[AccountKey, int]:
    """Return account ids; those missing are opened. One query when all exist."""
    kinds, owners, subjects = (list(dict.fromkeys(part)) for part in zip(*keys, strict=True))
    found = sql.read(_ACCOUNTS, {"kinds": kinds, "owner_ids": owners, "subjects": subjects})
    known = {(row.kind, row.owner_id, row.subject): row.id for row in found}
    for key in sorted(set(keys) - known.keys()):
        known[key] = _open_account(*key)
    return known


def _open_account(kind: str, owner_id: int, subject: str) -> int:
    spec, made = KINDS[kind], new_id()
    try:
        with session.begin_nested():
            sql.add(
                Account,
                {"id": made, "kind": kind, "owner_id": owner_id, "subject": subject, "side": spec.side,
                 "guarded": int(spec.guarded), "balance_fen": 0},
            )  # fmt: skip
    except UniqueViolation:  # another voucher opened it at the same moment
        wanted = select(Account.id).where(Account.kind == kind, Account.owner_id == owner_id, Account.subject == subject)
        return session.scalars(wanted).one()
    return made


def post(kind: str, cause: str, lines: Sequence[Line], about: About = About()) -> int | None:
    """Book a voucher; returns its id, None when this cause is booked already or nothing moves. Raises as `post_all`."""
    return post_all([Booking(kind, cause, lines, about)]).get(cause)


def post_all(bookings: Sequence[Booking]) -> dict[str, int]:
    """Book vouchers together; returns the ids of those booked now by their cause, without the known and the empty ones.

    Amounts of one account are netted within a voucher, and what all vouchers move on an account is added in one update. Raises
    ValueError for a voucher that does not balance, Short when a guarded account would end below zero, RunAgain when the same
    cause is being booked at this moment; nothing of all of them remains then, as the caller's transaction ends.
    """
    moving = {booking.cause: (booking, amounts) for booking in bookings if (amounts := booking.amounts())}
    if moving:
        for cause in sql.read(_BOOKED, {"causes": list(moving)}).scalars():
            del moving[cause]
    if not moving:
        return {}
    ids = _account_ids(sorted({key for _, amounts in moving.values() for key in amounts}))
    at, made = clock.now(), {cause: new_id() for cause in moving}
    vouchers = [_voucher(made[cause], booking, amounts, at) for cause, (booking, amounts) in moving.items()]
    try:
        sql.add_all(Voucher, vouchers)
    except UniqueViolation as error:  # the same event is being delivered twice at this moment: the door finds it booked
        raise RunAgain("the same cause is being booked") from error
    total: dict[int, int] = defaultdict(int)
    entries = []
    for cause, (_, amounts) in moving.items():
        for account, amount in sorted((ids[key], amount) for key, amount in amounts.items()):
            entries.append({"id": new_id(), "voucher_id": made[cause], "account_id": account, "amount_fen": amount, "booked_at": at})
            total[account] += amount
    sql.add_all(Entry, entries)
    _move_all(total, {account: key for key, account in ids.items()})
    return made


def _voucher(voucher_id: int, booking: Booking, amounts: dict[AccountKey, int], at: datetime) -> dict[str, object]:
    about = booking.about
    occurred = about.occurred_at or at
    return {
        "id": voucher_id, "kind": booking.kind, "cause": booking.cause, "memo": about.memo[:120], "order_id": about.order_id,
        "amount_fen": sum(max(amount, 0) for amount in amounts.values()), "merchant_id": about.merchant_id,
        "channel": about.channel, "flow": about.flow, "ref_no": about.ref_no, "occurred_on": clock.business_date(occurred),
        "occurred_at": occurred, "booked_at": at, "maker_id": about.maker.account_id, "maker_name": about.maker.name[:60] or NONE,
    }  # fmt: skip


def _move_all(total: dict[int, int], keys: dict[int, AccountKey]) -> None:
    """Change balances by the sum of their entries, in id order; a guarded one only while it stays on its side."""
    for account in sorted(total):
        if total[account] and sql.change(_MOVE, {"account_id": account, "amount": total[account]}) != 1:
            kind, owner_id, _ = keys[account]
            raise Short("ledger.short", f"{KINDS[kind].name}余额不足", kind=kind, owner_id=owner_id)


def balance(kind: str, owner_id: int = 0, subject: str = NONE) -> int:
    """Return an account's balance on its own side, in fen; 0 when it was never used."""
    row = session.execute(
        select(Account.balance_fen, Account.side).where(
            Account.kind == kind, Account.owner_id == owner_id, Account.subject == subject
        )
    ).one_or_none()
    return row.balance_fen * row.side if row is not None else 0


def lock_owner(owner_id: int) -> None:
    """Take a merchant's account rows in id order, so that a sum read next cannot change before it is booked.

    A plain UPDATE that changes nothing: portable where SELECT … FOR UPDATE is not.
    """
    for kind in ("payable", "receivable"):
        account_id(kind, owner_id)
    ids = session.scalars(
        select(Account.id).where(Account.owner_id == owner_id, Account.kind.in_(("payable", "receivable"))).order_by(Account.id)
    ).all()
    for row_id in ids:
        session.execute(
            update(Account).where(Account.id == row_id).values(owner_id=owner_id).execution_options(synchronize_session=False)
        )
