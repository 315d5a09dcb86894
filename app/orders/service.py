"""Verbs of orders after placing: pay, cancel, ship, deliver, complete, expire (commerce.md §2.5).

Every move is a compare-and-set with a timeline entry and an event in the caller's transaction. Lock order: trade, orders,
reservations, stock rows last.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, events, runtime
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound
from app.core.text import clean
from app.inventory import service as inventory
from app.orders import queries
from app.orders.events import OrderCancelled, OrderCompleted, OrderDelivered, OrderPaid, OrderShipped
from app.orders.models import Order, Trade
from app.orders.placing import NewAddress, QuoteChanged, Submission, add_event, place

__all__ = [
    "NewAddress", "QuoteChanged", "Submission", "add_note", "cancel_trade", "complete", "confirm_due", "expire_unpaid",
    "mark_delivered", "mark_shipped", "mark_trade_paid", "place",
]  # fmt: skip
EXPIRE_BATCH = 100


def _parts_of(trade_id: int) -> list[tuple[int, int, int]]:
    """Return (order id, merchant id, payable) of a trade's orders, as values: no instance to go stale under the updates."""
    statement = select(Order.id, Order.merchant_id, Order.payable_fen).where(Order.trade_id == trade_id).order_by(Order.id)
    return [(row.id, row.merchant_id, row.payable_fen) for row in session.execute(statement)]


def mark_trade_paid(trade_id: int, paid_fen: int) -> bool:
    """Turn an unpaid trade and its orders paid; False when the trade is no longer unpaid (the caller refunds).

    Raises ValueError when the amount is not the trade's.
    """
    trade = session.get(Trade, trade_id)
    if trade is None:
        return False
    if paid_fen != trade.payable_fen:
        raise ValueError("paid amount differs from the trade")
    at = clock.now()
    if not cas.change(Trade, trade_id, where={"status": "unpaid"}, values={"status": "paid", "paid_at": at}):
        return False
    due = at + timedelta(hours=runtime.current().settings.trade.ship_sla_h)
    parts = _parts_of(trade_id)
    for order_id, merchant_id, payable_fen in parts:
        cas.move(Order, order_id, from_="unpaid", to="paid", code="order.state", paid_at=at, ship_due_at=due)
        add_event(order_id, "paid", SYSTEM)
        events.publish(OrderPaid(order_id, trade_id, merchant_id, payable_fen, clock.microseconds(at)))
    inventory.consume(*(part[0] for part in parts))
    return True


def cancel_trade(actor: Actor, trade_id: int, reason: str) -> None:
    """Cancel the actor's unpaid trade and give its units back. Raises NotFound, Conflict(`trade.state`)."""
    trade = session.get(Trade, trade_id)
    if trade is None or (actor.realm == "consumer" and trade.account_id != actor.account_id):
        raise NotFound("trade.missing", "订单不存在")
    why, trade_no = clean(reason)[:60] or "买家取消", trade.trade_no
    order_ids = _close(actor, trade_id, why)
    if order_ids is None:
        raise Conflict("trade.state", "订单已付款或已取消，请刷新查看")
    audit.record(actor, "trade.cancelled", "trade", trade_no, detail={"reason": why})
    inventory.release(*order_ids)


def _close(actor: Actor, trade_id: int, reason: str) -> list[int] | None:
    """Move an unpaid trade to cancelled exactly once; returns its orders whose units the caller gives back, else None."""
    if not cas.change(Trade, trade_id, where={"status": "unpaid"}, values={"status": "cancelled"}):
        return None
    parts = _parts_of(trade_id)
    for order_id, merchant_id, _ in parts:
        cas.move(Order, order_id, from_="unpaid", to="cancelled", code="order.state", cancel_reason=reason)
        add_event(order_id, "cancelled", actor, reason)
        events.publish(OrderCancelled(order_id, merchant_id, False))
    return [part[0] for part in parts]


def expire_unpaid() -> int:
    """Periodic job: close trades whose time is over; returns how many. A payment that was faster wins the CAS."""
    late = (Trade.status == "unpaid", Trade.expires_at <= clock.now())
    due = session.scalars(select(Trade.id).where(*late).order_by(Trade.expires_at).limit(EXPIRE_BATCH)).all()
    held: list[int] = []
    closed = 0
    for trade_id in due:
        order_ids = _close(SYSTEM, trade_id, "超时未付款，自动关闭")
        if order_ids is not None:
            closed += 1
            held += order_ids
            audit.record(SYSTEM, "trade.expired", "trade", trade_id)
    inventory.release(*held)
    return closed


def mark_shipped(actor: Actor, order_id: int) -> None:
    """Move a paid order without a hold to shipped; its units leave the house. Raises Conflict(`order.not_shippable`)."""
    merchant_id = queries.get_for(actor, order_id).merchant_id
    at = clock.now()
    if not cas.change(
        Order, order_id, where={"status": "paid", "hold": "-"}, values={"status": "shipped", "shipped_at": at}
    ):
        raise Conflict("order.not_shippable", "订单不在待发货状态，或被暂停发货，请刷新查看")
    add_event(order_id, "shipped", actor)
    events.publish(OrderShipped(order_id, merchant_id, clock.microseconds(at)))
    inventory.ship(order_id)


def mark_delivered(order_id: int) -> None:
    """Note the delivery of a shipped order; repeating changes nothing."""
    arrived = {"delivered_at": clock.now()}
    if cas.change(Order, order_id, where={"status": "shipped", "delivered_at": None}, values=arrived):
        add_event(order_id, "delivered", SYSTEM)
        events.publish(OrderDelivered(order_id))


def complete(actor: Actor, order_id: int) -> None:
    """Confirm receipt of a shipped order. Raises NotFound, Conflict(`order.state`)."""
    order = queries.get_for(actor, order_id)
    merchant_id = order.merchant_id
    cas.move(
        Order, order_id, from_="shipped", to="completed", code="order.state", message="订单不在待收货状态",
        completed_at=clock.now(),
    )  # fmt: skip
    add_event(order_id, "completed", actor)
    events.publish(OrderCompleted(order_id, merchant_id))
    audit.record(actor, "order.completed", "order", order_id)


def confirm_due() -> int:
    """Periodic job: confirm orders seven days after delivery, ten after shipping without a signal; returns how many."""
    trade, at = runtime.current().settings.trade, clock.now()
    delivered = at - timedelta(days=trade.auto_confirm_after_days)
    shipped = at - timedelta(days=trade.auto_confirm_shipped_days)
    ids = session.scalars(
        select(Order.id)
        .where(
            Order.status == "shipped",
            (Order.delivered_at <= delivered) | (Order.delivered_at.is_(None) & (Order.shipped_at <= shipped)),
        )
        .order_by(Order.id)
        .limit(EXPIRE_BATCH)
    ).all()
    for order_id in ids:
        complete(SYSTEM, order_id)
    return len(ids)


def add_note(actor: Actor, order_id: int, note: str) -> None:
    """Add a note to the order's timeline. Raises NotFound."""
    queries.get_for(actor, order_id)
    if clean(note):
        add_event(order_id, "note", actor, clean(note)[:300])
        audit.record(actor, "order.noted", "order", order_id)
