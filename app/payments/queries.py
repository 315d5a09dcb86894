"""Reads of payment: an attempt for its cashier, lists for operators."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from app.core import sql
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.payments import abnormal
from app.payments.models import AbnormalReceipt, BankSlip, ChannelNotice, PaymentAttempt, PaymentIntent, Refund, Wallet, WalletEntry

_ATTEMPT = select(*sql.table_of(PaymentAttempt).c).where(PaymentAttempt.payment_no == bindparam("payment_no"))


def get_attempt(payment_no: str) -> Any:
    """Return an attempt, its columns, by our number at the channel. Raises NotFound."""
    found = sql.read(_ATTEMPT, {"payment_no": payment_no}).one_or_none()
    if found is None:
        raise NotFound("payment.attempt", "支付单不存在")
    return found


def get_attempt_of(trade_id: int, payment_no: str) -> PaymentAttempt:
    """Return an attempt of a trade by its number. Raises NotFound, also for another trade's."""
    found = session.scalar(
        select(PaymentAttempt)
        .join(PaymentIntent, PaymentIntent.id == PaymentAttempt.intent_id)
        .where(PaymentAttempt.payment_no == payment_no, PaymentIntent.trade_id == trade_id)
    )
    if found is None:
        raise NotFound("payment.attempt", "支付单不存在")
    return found


def list_cases(status: str = "", cursor: str = "", size: int = 20) -> Page[AbnormalReceipt]:
    """Return abnormal receipts, newest first; status `waiting` is all that is not resolved."""
    statement = select(AbnormalReceipt)
    if status:
        statement = statement.where(AbnormalReceipt.status.in_(abnormal.WAITING if status == "waiting" else (status,)))
    return paginate(statement, [AbnormalReceipt.id], lambda n: [n.id], cursor=cursor, size=size)


def list_slips(status: str = "", cursor: str = "", size: int = 20) -> Page[BankSlip]:
    """Return bank slips, newest first."""
    statement = select(BankSlip)
    if status:
        statement = statement.where(BankSlip.status == status)
    return paginate(statement, [BankSlip.id], lambda n: [n.id], cursor=cursor, size=size)


def list_entries(account_id: int, cursor: str = "", size: int = 20) -> Page[WalletEntry]:
    """Return a buyer's own wallet entries, newest first."""
    statement = select(WalletEntry).join(Wallet, Wallet.id == WalletEntry.wallet_id).where(Wallet.account_id == account_id)
    return paginate(statement, [WalletEntry.id], lambda n: [n.id], cursor=cursor, size=size)


def list_notices(state: str = "", cursor: str = "", size: int = 20) -> Page[ChannelNotice]:
    """Return channel notices, newest first."""
    statement = select(ChannelNotice)
    if state:
        statement = statement.where(ChannelNotice.state == state)
    return paginate(statement, [ChannelNotice.id], lambda n: [n.id], cursor=cursor, size=size)


def list_refunds(status: str = "", cursor: str = "", size: int = 20) -> Page[Refund]:
    """Return refunds, newest first."""
    statement = select(Refund)
    if status:
        statement = statement.where(Refund.status == status)
    return paginate(statement, [Refund.id], lambda r: [r.id], cursor=cursor, size=size)


def trade_of_notice(notice_row_id: int) -> int:
    """Return the trade a notice's payment belongs to, 0 when the payment is not ours."""
    found = session.scalar(
        select(PaymentIntent.trade_id)
        .join(PaymentAttempt, PaymentAttempt.intent_id == PaymentIntent.id)
        .join(ChannelNotice, ChannelNotice.payment_no == PaymentAttempt.payment_no)
        .where(ChannelNotice.id == notice_row_id)
    )
    return found or 0


def unsettled() -> list[dict[str, Any]]:
    """Return paid notices that are neither applied nor refunded (the checker of the proof runs expects none)."""
    rows = session.execute(select(ChannelNotice.id, ChannelNotice.payment_no).where(ChannelNotice.state == "received"))
    return [{"id": r.id, "payment_no": r.payment_no} for r in rows]
