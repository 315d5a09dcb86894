"""Compensation for bad fruit: above ten per cent it is paid at once, once a line, charged to the merchant (T32; commerce.md §2.9)."""

from __future__ import annotations

from app.aftersales import queries, rules, states
from app.aftersales.models import Case, FruitClaim
from app.aftersales.service import base, money
from app.core import clock, sql
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.orders.models import OrderLine
from dbadapters.errors import UniqueViolation

PATTERN_DAYS = 30
MOST_SAMPLED = 10_000


def check(line_id: int, sampled: int, bad: int) -> None:
    """Refuse a sample that cannot be, a share of ten per cent or less, and a second claim of a line."""
    if not 1 <= sampled <= MOST_SAMPLED:
        raise Invalid("claim.sampled", f"请填写清点的总数（1–{MOST_SAMPLED}）", field="sampled")
    if not 1 <= bad <= sampled:
        raise Invalid("claim.bad", "坏果数须为 1 到清点总数之间的整数", field="bad")
    if not rules.is_bad(bad, sampled):
        raise Conflict("claim.share", f"坏果率未超过 {rules.BAD_SHARE_PERCENT}%，不符合坏果包赔；可按质量问题申请其他售后", field="bad")
    if queries.claim_of(line_id) is not None:
        raise Conflict("claim.twice", "该商品已赔付过坏果，每件订单商品只赔付一次", field="reason")


def judge(case: Case) -> None:
    """Pay a fresh claim at once, or hand it to the platform when buyer or shop had unusually many of them."""
    s = base.limits()
    by_buyer = queries.claims_since(PATTERN_DAYS, account_id=case.account_id)
    by_shop = queries.claims_since(PATTERN_DAYS, merchant_id=case.merchant_id)
    if by_buyer >= s.claim_user_limit or by_shop >= s.claim_shop_limit:
        base.move(case, states.DISPUTED, SYSTEM, "auto_escalated", "近期坏果赔付次数异常，转平台人工审核")
        return
    pay(case)


def pay(case: Case) -> int:
    """Compensate ⌊paid · bad / sampled⌋ of the line, at most what is left of it; returns the fen. Raises Conflict(`claim.twice`)."""
    line = session.get_one(OrderLine, case.line_id)
    amount = rules.compensation(line.paid_fen, case.bad, case.sampled)
    row = {
        "id": new_id(), "line_id": case.line_id, "case_id": case.id, "account_id": case.account_id, "merchant_id": case.merchant_id,
        "sampled": case.sampled, "bad": case.bad, "amount_fen": amount, "at": clock.now(),
    }  # fmt: skip
    try:
        with session.begin_nested():
            sql.add(FruitClaim, row)  # the unique line decides between two claims
    except UniqueViolation:
        raise Conflict("claim.twice", "该商品已赔付过坏果，每件订单商品只赔付一次", field="reason") from None
    note = f"坏果 {case.bad}/{case.sampled}，超过 {rules.BAD_SHARE_PERCENT}%，自动赔付"
    return money.compensate(SYSTEM, case, amount, "compensated", note)
