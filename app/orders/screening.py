"""Judging paid orders by the risk rules (P11; commerce.md §2.23), in the job that follows the payment: placing asks nothing.

A hold puts the order into the queue of abnormal orders, where an officer releases or cancels it; the outcome goes back to the decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Select, func, select

from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.orders import cases, queries, service
from app.orders.models import Order, OrderCase, Trade
from app.orders.states import PAID
from app.promotions.models import Coupon
from app.risk import service as risk
from app.risk.rules import FEATURES, key_of

SUBJECT = "order"
HISTORY, LEAST_HISTORY = 50, 3


def screen(order_ids: Sequence[int]) -> None:
    """Judge paid orders, each once; nothing is read while no rule is in force."""
    if not risk.in_force():
        return
    for order_id in order_ids:
        order = queries.get_for(SYSTEM, order_id)
        if order.status == PAID:
            action = risk.judge(SUBJECT, order_id, order.account_id, partial(_collect, order))
            _carry_out(order_id, action)


def _carry_out(order_id: int, action: str) -> None:
    if action in ("review", "hold"):
        reason = "命中风控规则，请核对决策依据"
        cases.raise_found(order_id, "risk", f"risk:{order_id}", reason, source="risk", hold=action == "hold")
    elif action == "deny":
        service.cancel_paid(SYSTEM, order_id, "风控拦截，款项原路退回")


def on_case_resolved(actor: Actor, case: OrderCase, resolution: str) -> None:
    """Tell risk how a review ended: released orders are false hits of the rules that stopped them."""
    if case.kind == "risk" and case.order_id:
        risk.close_review(actor, SUBJECT, case.order_id, passed=resolution == "release")


def _collect(order: Order, needed: set[tuple[str, int]]) -> Mapping[str, int]:
    """Return the inputs that are needed; one counting query for each, over indexed columns."""
    found: dict[str, int] = {}
    for feature, hours in sorted(needed):
        found[key_of(feature, hours) if hours else feature] = _value(order, feature, hours)
    return found


def _value(order: Order, feature: str, hours: int) -> int:
    if feature not in FEATURES:
        raise ValueError(f"no such feature: {feature}")
    if hours:
        return int(session.scalar(_counted(order, feature, hours)) or 0)
    trade = session.get_one(Trade, order.trade_id)
    if feature == "amount_fen":
        return trade.payable_fen
    if feature == "amount_times":
        return _times_usual(trade)
    others = (Order.account_id == order.account_id, Order.id < order.id, Order.paid_at.is_not(None))
    if session.scalar(select(Order.id).where(*others).limit(1)) is None:
        return 0
    return int(session.scalar(select(Order.id).where(*others, Order.area_code == order.area_code).limit(1)) is None)


def _times_usual(trade: Trade) -> int:
    """Return how many times the buyer's usual trade this one is, 0 while there is too little to compare with."""
    before = (Trade.account_id == trade.account_id, Trade.status == "paid", Trade.id < trade.id)
    paid = session.scalars(select(Trade.payable_fen).where(*before).order_by(Trade.id.desc()).limit(HISTORY)).all()
    return trade.payable_fen * len(paid) // max(1, sum(paid)) if len(paid) >= LEAST_HISTORY else 0


def _counted(order: Order, feature: str, hours: int) -> Select[tuple[int]]:
    since = clock.now() - timedelta(hours=hours)
    recent = Order.created_at >= since
    if feature == "account_orders":
        return select(func.count()).where(Order.account_id == order.account_id, recent)
    if feature == "phone_orders":
        return select(func.count()).where(Order.phone_index == order.phone_index, recent)
    if feature == "phone_accounts":
        return select(func.count(Order.account_id.distinct())).where(Order.phone_index == order.phone_index, recent)
    same = (Order.phone_index == order.phone_index, Order.address_key == order.address_key, recent)  # the telephone is indexed
    if feature == "address_orders":
        return select(func.count()).where(*same)
    if feature == "address_accounts":
        return select(func.count(Order.account_id.distinct())).where(*same)
    if feature == "coupon_trades":
        used = (Coupon.account_id == order.account_id, Coupon.status == "used", Coupon.used_at >= since)
        return select(func.count(Coupon.trade_id.distinct())).where(*used)
    return select(func.count()).where(Trade.account_id == order.account_id, Trade.status == "cancelled", Trade.created_at >= since)
