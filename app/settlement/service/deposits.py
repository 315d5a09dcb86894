"""Deposit (保证金) and what merchants owe: paid in, given back, set against debts (commerce.md §2.8)."""

from __future__ import annotations

import re

from app.audit import service as audit
from app.core import runtime
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid
from app.core.text import clean
from app.merchants import queries as merchants
from app.settlement.service import ledger
from app.settlement.service.ledger import About, Line

_KEY = re.compile(r"^[A-Za-z0-9_-]{8,40}$")


def _key(text: str) -> str:
    if not _KEY.match(text):
        raise Invalid("deposit.key", "请求标识无效，请刷新页面后重试")
    return text


def _positive(amount_fen: int) -> int:
    if amount_fen <= 0:
        raise Invalid("deposit.amount", "请填写大于零的金额", field="amount")
    return amount_fen


def missing(merchant_id: int) -> int:
    """Return what a merchant's deposit lacks, in fen."""
    return max(runtime.current().settings.settlement.deposit_required_fen - ledger.balance("deposit", merchant_id), 0)


def pay_from_balance(actor: Actor, amount_fen: int, request_key: str) -> bool:
    """Move part of the actor's balance to its deposit; False when this key was done. Raises Invalid, Conflict(`ledger.short`)."""
    merchant_id, amount = actor.merchant_id, _positive(amount_fen)
    lines = (Line("payable", amount, merchant_id), Line("deposit", -amount, merchant_id))
    about = About("余额转保证金", merchant_id=merchant_id, maker=actor)
    try:
        done = ledger.post("deposit", f"deposit:{merchant_id}:{_key(request_key)}", lines, about)
    except ledger.Short:
        raise Conflict("ledger.short", "可提现余额不足", field="amount") from None
    if done is not None:
        audit.record(actor, "deposit.paid", "merchant", merchant_id, detail={"amount_fen": amount, "from": "balance"})
    return done is not None


def take_transfer(actor: Actor, merchant_id: int, amount_fen: int, bank_ref: str) -> bool:
    """Note a deposit a merchant transferred by bank; the bank's number is the cause, so it counts once.

    Raises Invalid, NotFound for an unknown merchant. Returns False when this number was noted before.
    """
    merchants.get_merchant(merchant_id)
    reference, amount = clean(bank_ref)[:40], _positive(amount_fen)
    if not reference:
        raise Invalid("deposit.bank_ref", "请填写银行回单号", field="bank_ref")
    lines = (Line("custody", amount), Line("deposit", -amount, merchant_id))
    about = About(f"银行转入保证金，回单 {reference}", merchant_id=merchant_id, maker=actor)
    done = ledger.post("deposit", f"deposit:bank:{reference}", lines, about)
    if done is not None:
        audit.record(actor, "deposit.paid", "merchant", merchant_id, detail={"amount_fen": amount, "bank_ref": reference})
    return done is not None


def give_back(actor: Actor, merchant_id: int, amount_fen: int, request_key: str) -> bool:
    """Move part of a merchant's deposit to its balance, from where it is paid out; refused while it owes anything.

    Raises Invalid, NotFound, Conflict(`deposit.owes`, `ledger.short`). Returns False when this key was done.
    """
    merchants.get_merchant(merchant_id)
    amount = _positive(amount_fen)
    ledger.lock_owner(merchant_id)
    if ledger.balance("receivable", merchant_id):
        raise Conflict("deposit.owes", "该商家有欠款，请先抵扣", field="amount")
    lines = (Line("deposit", amount, merchant_id), Line("payable", -amount, merchant_id))
    about = About("退还保证金", merchant_id=merchant_id, maker=actor)
    try:
        done = ledger.post("deposit_back", f"deposit_back:{merchant_id}:{_key(request_key)}", lines, about)
    except ledger.Short:
        raise Conflict("ledger.short", "保证金余额不足", field="amount") from None
    if done is not None:
        audit.record(actor, "deposit.returned", "merchant", merchant_id, detail={"amount_fen": amount})
    return done is not None


def offset(actor: Actor, merchant_id: int, request_key: str) -> int:
    """Set a merchant's balance, then its deposit, against what it owes; returns the fen that were set off, 0 when nothing is.

    Raises Invalid, NotFound for an unknown merchant.
    """
    merchants.get_merchant(merchant_id)
    ledger.lock_owner(merchant_id)
    owes = ledger.balance("receivable", merchant_id)
    from_payable = min(owes, ledger.balance("payable", merchant_id))
    from_deposit = min(owes - from_payable, ledger.balance("deposit", merchant_id))
    amount = from_payable + from_deposit
    lines = (
        Line("payable", from_payable, merchant_id), Line("deposit", from_deposit, merchant_id), Line("receivable", -amount, merchant_id),
    )  # fmt: skip
    about = About("余额与保证金抵扣欠款", merchant_id=merchant_id, maker=actor)
    if ledger.post("offset", f"offset:{merchant_id}:{_key(request_key)}", lines, about) is None:
        return 0
    detail = {"from_balance_fen": from_payable, "from_deposit_fen": from_deposit}
    audit.record(actor, "deposit.offset", "merchant", merchant_id, detail=detail)
    return amount
