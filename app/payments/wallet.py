"""Stored value and gift balance: accounts with entries, moved by compare-and-set (commerce.md §2.11 储值, §4 no. 17).

Principal and bonus are spent pro rata; a refund returns each part by the allocation frozen at payment. Bonus is never paid out. A
balance is changed from the values that were read, so two spenders at once cannot both succeed; it equals the sum of its entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from app.core import cas, clock, events, sql
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.payments import channels
from app.payments.events import PaymentReceived
from app.payments.models import PaymentAttempt, PaymentIntent, Wallet, WalletEntry
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

ENTRIES = {"top_up": "充值", "hold": "支付", "release": "支付取消，退回", "refund": "退款"}


@dataclass(frozen=True)
class Balance:
    """What a buyer has, in fen."""

    principal_fen: int = 0
    bonus_fen: int = 0

    @property
    def total_fen(self) -> int:
        """Both parts together."""
        return self.principal_fen + self.bonus_fen


_BALANCE = select(Wallet.principal_fen, Wallet.bonus_fen).where(Wallet.account_id == bindparam("account_id"))


def balance(account_id: int) -> Balance:
    """Return a buyer's balance, zero without a wallet."""
    row = sql.read(_BALANCE, {"account_id": account_id}).one_or_none()
    return Balance(row.principal_fen, row.bonus_fen) if row is not None else Balance()


def _wallet(account_id: int) -> Any:
    """Return (id, principal, bonus) of a buyer's wallet, opened on first use."""
    wanted = select(Wallet.id, Wallet.principal_fen, Wallet.bonus_fen).where(Wallet.account_id == account_id)
    found = session.execute(wanted).one_or_none()
    if found is not None:
        return found
    row = {"id": new_id(), "account_id": account_id, "principal_fen": 0, "bonus_fen": 0, "created_at": clock.now()}
    try:
        sql.add(Wallet, row)
    except UniqueViolation as error:  # opened by a twin at this moment
        raise RunAgain("the wallet is being opened") from error
    return session.execute(wanted).one()


def move(
    account_id: int, principal_fen: int, bonus_fen: int, *, kind: str, cause: str, memo: str = "-", seen: Balance | None = None
) -> bool:  # fmt: skip
    """Change a balance once per cause; False when this cause has been booked.

    seen: the balance the amounts were worked out from; when it has changed since, the door runs the whole again.
    Raises Conflict(`wallet.short`), RunAgain.
    """
    if session.scalar(select(WalletEntry.id).where(WalletEntry.cause == cause)) is not None:
        return False
    found = _wallet(account_id)
    base = seen or Balance(found.principal_fen, found.bonus_fen)
    after = {"principal_fen": base.principal_fen + principal_fen, "bonus_fen": base.bonus_fen + bonus_fen}
    if min(after.values()) < 0:
        raise Conflict("wallet.short", "储值余额不足，请刷新后重试")
    where = {"principal_fen": base.principal_fen, "bonus_fen": base.bonus_fen}
    if not cas.change(Wallet, found.id, where=where, values=after):
        raise RunAgain("the wallet was moved by a twin")
    row = {
        "id": new_id(), "wallet_id": found.id, "kind": kind, "cause": cause, "principal_fen": principal_fen, "bonus_fen": bonus_fen,
        "memo": memo[:80], "at": clock.now(),
    }  # fmt: skip
    try:
        sql.add(WalletEntry, row)
    except UniqueViolation as error:
        raise RunAgain("the same entry is being written") from error
    return True


def hold(account_id: int, intent_id: int, want_fen: int, memo: str) -> int:
    """Set aside up to some amount of a balance for an open intent; returns how much. Raises Conflict, RunAgain.

    The held amount is an attempt of its own, in state held.
    """
    have = balance(account_id)
    amount = min(want_fen, have.total_fen)
    if amount <= 0:
        return 0
    bonus = amount * have.bonus_fen // have.total_fen
    attempt_id = new_id()
    if not cas.change(PaymentIntent, intent_id, where={"status": "open", "held_fen": 0}, values={"held_fen": amount}):
        raise RunAgain("the intent has changed")
    row = {
        "id": attempt_id, "intent_id": intent_id, "payment_no": f"P{attempt_id}", "channel": channels.WALLET, "amount_fen": amount,
        "bonus_fen": bonus, "pay_kind": "-", "status": "held", "channel_txn": f"P{attempt_id}", "created_at": clock.now(),
    }  # fmt: skip
    sql.add(PaymentAttempt, row)
    move(account_id, bonus - amount, -bonus, kind="hold", cause=f"hold:{attempt_id}", memo=memo, seen=have)
    return amount


def _held(intent_id: int) -> Any:
    wanted = (PaymentAttempt.intent_id == intent_id, PaymentAttempt.channel == channels.WALLET, PaymentAttempt.status == "held")
    columns = (PaymentAttempt.id, PaymentAttempt.payment_no, PaymentAttempt.amount_fen, PaymentAttempt.bonus_fen)
    return session.execute(select(*columns).where(*wanted)).one_or_none()


def release(account_id: int, intent_id: int, memo: str = "-") -> bool:
    """Give what was set aside for an unpaid intent back; False when nothing is. Raises RunAgain when it is paid meanwhile."""
    found = _held(intent_id)
    if found is None:
        return False
    where = {"status": ("open", "closed"), "held_fen": found.amount_fen}
    if not cas.change(PaymentIntent, intent_id, where=where, values={"held_fen": 0}):
        raise RunAgain("the intent has changed")
    if not cas.change(PaymentAttempt, found.id, where={"status": "held"}, values={"status": "closed", "finished_at": clock.now()}):
        raise RunAgain("the held amount was settled by a twin")
    move(account_id, found.amount_fen - found.bonus_fen, found.bonus_fen, kind="release", cause=f"release:{found.id}", memo=memo)
    return True


def capture(trade_id: int, intent_id: int, at: datetime) -> int:
    """Turn what was set aside into payment of a paid trade; returns how much. Raises RunAgain when it is not there any more."""
    found = _held(intent_id)
    if found is None:
        raise RunAgain("the stored value set aside for the trade is gone")
    values = {"status": "succeeded", "finished_at": at}
    if not cas.change(PaymentAttempt, found.id, where={"status": "held"}, values=values):
        raise RunAgain("the held amount was settled by a twin")
    at_us = clock.microseconds(at)
    events.publish(PaymentReceived(trade_id, found.amount_fen, channels.WALLET, found.payment_no, at_us, found.bonus_fen))
    return int(found.amount_fen)


def differences() -> list[tuple[int, int, int]]:
    """Return (wallet id, principal off by, bonus off by) of wallets that are not the sum of their entries: always empty."""
    sums = (
        select(
            WalletEntry.wallet_id.label("wallet_id"), func.sum(WalletEntry.principal_fen).label("principal"),
            func.sum(WalletEntry.bonus_fen).label("bonus"),
        )
        .group_by(WalletEntry.wallet_id).subquery()
    )  # fmt: skip
    principal, bonus = func.coalesce(sums.c.principal, 0), func.coalesce(sums.c.bonus, 0)
    rows = session.execute(
        select(Wallet.id, (Wallet.principal_fen - principal).label("p"), (Wallet.bonus_fen - bonus).label("b"))
        .join(sums, sums.c.wallet_id == Wallet.id, isouter=True)
        .where((Wallet.principal_fen != principal) | (Wallet.bonus_fen != bonus))
    )
    return [(row.id, int(row.p), int(row.b)) for row in rows]


def verify() -> None:
    """Periodic job: prove every wallet. Raises RuntimeError naming the first that differs, so that the job is parked and seen."""
    found = differences()
    if found:
        raise RuntimeError(f"{len(found)} wallets differ from their entries; first: {found[0]}")
