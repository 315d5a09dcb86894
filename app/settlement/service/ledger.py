"""Booking a voucher: balanced, once per business cause, balances by guarded update in id order (commerce.md §2.8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from app.core import clock, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.settlement.chart import KINDS, NONE, VOUCHERS
from app.settlement.models import Account, Entry, Voucher
from dbadapters.errors import UniqueViolation


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


def account_id(kind: str, owner_id: int = 0, subject: str = NONE) -> int:
    """Return an account's id, opening it on first use. Raises KeyError for a kind outside the chart."""
    spec = KINDS[kind]
    wanted = select(Account.id).where(Account.kind == kind, Account.owner_id == owner_id, Account.subject == subject)
    found = session.scalar(wanted)
    if found is not None:
        return found
    made = new_id()
    try:
        with session.begin_nested():
            sql.add(
                Account,
                {"id": made, "kind": kind, "owner_id": owner_id, "subject": subject, "side": spec.side,
                 "guarded": int(spec.guarded), "balance_fen": 0},
            )  # fmt: skip
    except UniqueViolation:  # another voucher opened it at the same moment
        return session.scalars(wanted).one()
    return made


def post(kind: str, cause: str, lines: Sequence[Line], about: About = About()) -> int | None:
    """Book a voucher; returns its id, None when this cause is booked already or nothing moves.

    Amounts of one account are netted; what is left must sum to zero: ValueError otherwise. Raises Short when a guarded account
    would fall below zero; nothing of the voucher remains then, as the caller's transaction ends.
    """
    if kind not in VOUCHERS:
        raise ValueError(f"unknown kind of voucher {kind}")
    amounts: dict[tuple[str, int, str], int] = defaultdict(int)
    for line in lines:
        amounts[line.kind, line.owner_id, line.subject] += line.amount_fen
    if sum(amounts.values()) != 0:
        raise ValueError(f"voucher {cause} does not balance: {dict(amounts)}")
    amounts = {key: amount for key, amount in amounts.items() if amount}
    if not amounts:
        return None
    if session.scalar(select(Voucher.id).where(Voucher.cause == cause)) is not None:
        return None
    by_id = {account_id(*key): (key, amount) for key, amount in sorted(amounts.items())}
    voucher_id, at = new_id(), clock.now()
    try:
        with session.begin_nested():
            sql.add(Voucher, _voucher(voucher_id, kind, cause, by_id, about, at))
    except UniqueViolation:  # the same event is being delivered twice at this moment
        return None
    sql.add_all(
        Entry,
        [
            {"id": new_id(), "voucher_id": voucher_id, "account_id": account, "amount_fen": amount, "booked_at": at}
            for account, (_, amount) in sorted(by_id.items())
        ],
    )
    for account in sorted(by_id):
        _move(account, *by_id[account])
    return voucher_id


def _voucher(
    voucher_id: int, kind: str, cause: str, by_id: dict[int, tuple[tuple[str, int, str], int]], about: About, at: datetime
) -> dict[str, object]:
    occurred = about.occurred_at or at
    return {
        "id": voucher_id, "kind": kind, "cause": cause, "memo": about.memo[:120], "order_id": about.order_id,
        "amount_fen": sum(max(amount, 0) for _, amount in by_id.values()), "merchant_id": about.merchant_id,
        "channel": about.channel, "flow": about.flow, "ref_no": about.ref_no, "occurred_on": clock.business_date(occurred),
        "occurred_at": occurred, "booked_at": at, "maker_id": about.maker.account_id, "maker_name": about.maker.name[:60] or NONE,
    }  # fmt: skip


def _move(account: int, key: tuple[str, int, str], amount_fen: int) -> None:
    """Change one balance by its entry; a guarded one only while it stays on its side."""
    statement = (
        update(Account)
        .where(Account.id == account, (Account.guarded == 0) | (Account.side * (Account.balance_fen + amount_fen) >= 0))
        .values(balance_fen=Account.balance_fen + amount_fen)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
        raise Short("ledger.short", f"{KINDS[key[0]].name}余额不足", kind=key[0], owner_id=key[1])


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
