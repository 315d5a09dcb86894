"""Verbs of orders after placing: pay, cancel, ship, deliver, complete, expire (commerce.md §2.5).

Every move is a compare-and-set with a timeline entry and an event in the caller's transaction. Lock order: trade, orders,
coupons and limited rules, reservations, stock rows last.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from app.audit import service as audit
from app.core import cas, clock, events, runtime, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound
from app.core.text import clean
from app.inventory import service as inventory
from app.orders import closing, queries
from app.orders.aftercare import (
    close_case,
    close_refunded,
    compensate,
    give_back,
    is_all_back,
    lock_trade,
    note_case,
    open_case,
    release_undone,
    take_freight,
)  # fmt: skip
from app.orders.events import OrderCancelled, OrderCompleted, OrderDelivered, OrderPaid, OrderShipped, PromiseMissed
from app.orders.models import Order, OrderLine, Trade
from app.orders.placing import NewAddress, QuoteChanged, Submission, add_event, place
from app.promotions import service as promotions
from dbadapters.errors import Conflict as RunAgain

__all__ = [
    "NewAddress", "QuoteChanged", "Submission", "add_note", "cancel_paid", "cancel_trade", "close_case", "close_refunded",
    "compensate", "complete", "confirm_due", "expire_unpaid", "extend_unpaid", "give_back", "is_all_back", "lock_trade",
    "mark_collected", "mark_delivered", "mark_promise_missed", "mark_reviewed", "mark_shipped", "mark_trade_paid", "note_case",
    "open_case", "place", "release_undone", "send_units", "set_promise", "take_freight", "undo_delivery",
]  # fmt: skip
EXPIRE_BATCH = 100


_PARTS = (
    select(Order.id, Order.merchant_id, Order.payable_fen).where(Order.trade_id == bindparam("trade_id")).order_by(Order.id)
)
_PAYABLE = select(Trade.payable_fen).where(Trade.id == bindparam("trade_id"))


def _parts_of(trade_id: int) -> list[tuple[int, int, int]]:
    """Return (order id, merchant id, payable) of a trade's orders, as values: no instance to go stale under the updates."""
    return [(row.id, row.merchant_id, row.payable_fen) for row in sql.read(_PARTS, {"trade_id": trade_id})]


def mark_trade_paid(trade_id: int, paid_fen: int) -> bool:
    """Turn an unpaid trade and its orders paid; False when the trade is no longer unpaid (the caller refunds).

    Raises ValueError when the amount is not the trade's.
    """
    payable_fen = sql.read(_PAYABLE, {"trade_id": trade_id}).scalar()
    if payable_fen is None:
        return False
    if paid_fen != payable_fen:
        raise ValueError("paid amount differs from the trade")
    at = clock.now()
    if not cas.change(Trade, trade_id, where={"status": "unpaid"}, values={"status": "paid", "paid_at": at}):
        return False
    due = at + timedelta(hours=runtime.current().settings.trade.ship_sla_h)
    parts = _parts_of(trade_id)
    for order_id, merchant_id, order_fen in parts:
        cas.move(Order, order_id, from_="unpaid", to="paid", code="order.state", paid_at=at, ship_due_at=due)
        add_event(order_id, "paid", SYSTEM)
        events.publish(OrderPaid(order_id, trade_id, merchant_id, order_fen, clock.microseconds(at)))
    promotions.settle(trade_id)
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


def cancel_paid(actor: Actor, order_id: int, reason: str) -> None:
    """Cancel a paid order before it is shipped: its units go back to sale, its money to the buyer (OrderCancelled carries it).

    Buyers may cancel their own, merchants theirs (they cannot deliver). Raises NotFound, Conflict(`order.state`).
    """
    order = queries.get_for(actor, order_id)
    merchant_id, trade_id, why = order.merchant_id, order.trade_id, clean(reason)[:60] or "取消订单"
    payable_fen, refund_fen = order.payable_fen, order.payable_fen - order.refunded_fen
    if order.case_count:
        raise Conflict("order.in_case", "订单有处理中的售后，请先处理完或撤销售后申请")
    lock_trade(trade_id)  # two orders of a trade cancelled at once: the second sees the first
    where = {"status": "paid", "payable_fen": payable_fen, "refunded_fen": payable_fen - refund_fen, "case_count": 0, "units_out": None}
    values = {"status": "cancelled", "cancel_reason": why, "refunded_fen": payable_fen}
    if not cas.change(Order, order_id, where=where, values=values):
        if session.get_one(Order, order_id).payable_fen != payable_fen:
            raise RunAgain("the order was split meanwhile")
        raise Conflict("order.state", "订单已发货或状态已变化，不能取消")
    add_event(order_id, "cancelled", actor, why)
    events.publish(OrderCancelled(order_id, merchant_id, True, trade_id, refund_fen))
    audit.record(actor, "order.cancelled", "order", order_id, detail={"reason": why, "refund_fen": refund_fen})
    release_undone(trade_id)
    inventory.unallocate(order_id)


def note_refund(order_id: int, amount_fen: int) -> None:
    """Add to what a paid order gave back. Raises Conflict(`order.refunded`) when it would be more than was paid."""
    changed = session.execute(
        update(Order)
        .where(Order.id == order_id, Order.paid_at.is_not(None), Order.refunded_fen + amount_fen <= Order.payable_fen)
        .values(refunded_fen=Order.refunded_fen + amount_fen)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("order.refunded", "退款金额超过订单可退金额")


def extend_unpaid(trade_id: int, until: datetime) -> bool:
    """Give an unpaid trade time until an instant, for a payment that takes days; False when it is no longer unpaid. Never shortens."""
    changed = session.execute(
        update(Trade).where(Trade.id == trade_id, Trade.status == "unpaid", Trade.expires_at < until).values(expires_at=until)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]


def _close(actor: Actor, trade_id: int, reason: str) -> list[int] | None:
    """Move an unpaid trade to cancelled exactly once; returns its orders whose units the caller gives back, else None."""
    if not cas.change(Trade, trade_id, where={"status": "unpaid"}, values={"status": "cancelled"}):
        return None
    parts = _parts_of(trade_id)
    for order_id, merchant_id, _ in parts:
        cas.move(Order, order_id, from_="unpaid", to="cancelled", code="order.state", cancel_reason=reason)
        add_event(order_id, "cancelled", actor, reason)
        events.publish(OrderCancelled(order_id, merchant_id, False, trade_id))
    promotions.release(trade_id)
    return [part[0] for part in parts]


def expire_unpaid() -> int:
    """Periodic job: close trades whose time is over; returns how many. A payment that was faster wins the CAS.

    A trade that a channel could still take money for waits until that payment is closed there.
    """
    late = (Trade.status == "unpaid", Trade.expires_at <= clock.now())
    due = session.scalars(select(Trade.id).where(*late).order_by(Trade.expires_at).limit(EXPIRE_BATCH)).all()
    held: list[int] = []
    closed = 0
    waiting = closing.still_payable(due)
    for trade_id in (found for found in due if found not in waiting):
        order_ids = _close(SYSTEM, trade_id, "超时未付款，自动关闭")
        if order_ids is not None:
            closed += 1
            held += order_ids
            audit.record(SYSTEM, "trade.expired", "trade", trade_id)
    inventory.release(*held)
    return closed


def send_units(actor: Actor, order_id: int, seen: int | None, units: int) -> bool:
    """Note that so many more units of a paid order left; with the last ones the order is shipped, which is then told as True.

    seen: `units_out` as the caller read it. Units that wait stay allocated, so do those that left until the last parcel is out.
    Raises Conflict(`order.not_shippable`) when the order moved, is held, or another parcel left meanwhile.
    """
    order = queries.get_for(actor, order_id)
    wanted, out = order.item_count - sum(queries.units_back(order_id).values()), (seen or 0) + units
    where = {"status": "paid", "hold": "-", "units_out": seen}
    if out > wanted or not cas.change(Order, order_id, where=where, values={"units_out": out}):
        raise Conflict("order.not_shippable", "订单不在待发货状态、被暂停发货，或刚有包裹发出，请刷新查看")
    if out == wanted:
        mark_shipped(actor, order_id)
        return True
    add_event(order_id, "part_shipped", actor, f"已发 {out} 件，还有 {wanted - out} 件待发")
    return False


def mark_collected(order_id: int) -> bool:
    """Note that a shipped order without a hold or open case was handed over; False when it moved meanwhile."""
    arrived = {"delivered_at": clock.now()}
    if not cas.change(Order, order_id, where={"status": "shipped", "hold": "-", "case_count": 0, "delivered_at": None}, values=arrived):
        return False
    add_event(order_id, "collected", SYSTEM)
    events.publish(OrderDelivered(order_id))
    return True


def undo_delivery(order_id: int) -> bool:
    """Take back the note that a shipped order arrived (a handing-over undone); False when it is completed already."""
    shipped = queries.get_for(SYSTEM, order_id).delivered_at
    where = {"status": "shipped", "delivered_at": shipped}
    if shipped is None or not cas.change(Order, order_id, where=where, values={"delivered_at": None}):
        return False
    add_event(order_id, "undone", SYSTEM, "核销已撤销")
    return True


def mark_shipped(actor: Actor, order_id: int) -> None:
    """Move a paid order without a hold to shipped; its units leave the house, of lots that are good on the promised day.

    Raises Conflict(`order.not_shippable`), LotShort(`stock.lot_short`) from inventory.
    """
    order = queries.get_for(actor, order_id)
    merchant_id, at = order.merchant_id, clock.now()
    # A promise already broken says nothing about the day of arrival.
    arrives_on = clock.business_date(order.promised_by) if order.promised_by is not None and order.promised_by > at else None
    if not cas.change(
        Order, order_id, where={"status": "paid", "hold": "-"}, values={"status": "shipped", "shipped_at": at}
    ):
        raise Conflict("order.not_shippable", "订单不在待发货状态，或被暂停发货，请刷新查看")
    add_event(order_id, "shipped", actor)
    events.publish(OrderShipped(order_id, merchant_id, clock.microseconds(at)))
    inventory.ship(order_id, arrives_on=arrives_on)


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
    """Periodic job: confirm orders seven days after delivery, ten after shipping without a signal; returns how many.

    A hold or an open after-sale case stops it; `confirm_after` is when what was left of it has run.
    """
    trade, at = runtime.current().settings.trade, clock.now()
    delivered = at - timedelta(days=trade.auto_confirm_after_days)
    shipped = at - timedelta(days=trade.auto_confirm_shipped_days)
    on_time = (Order.delivered_at <= delivered) | (Order.delivered_at.is_(None) & (Order.shipped_at <= shipped))
    ids = session.scalars(
        select(Order.id)
        .where(
            Order.status == "shipped",
            Order.hold == "-",
            Order.case_count == 0,
            (Order.confirm_after <= at) | (Order.confirm_after.is_(None) & on_time),
        )
        .order_by(Order.id)
        .limit(EXPIRE_BATCH)
    ).all()
    for order_id in ids:
        complete(SYSTEM, order_id)
    return len(ids)


def set_promise(order_id: int, seen: datetime, promised_by: datetime | None, label: str | None) -> bool:
    """Replace what an open order was promised (it was paid after the promise's cut-off); False when it moved meanwhile."""
    where = {"status": ("paid", "shipped"), "promised_by": seen}
    if not cas.change(Order, order_id, where=where, values={"promised_by": promised_by, "promise_label": label}):
        return False
    arrives = f"改为 {promised_by.astimezone(clock.REGION_TZ):%m-%d %H:%M} 前送达" if promised_by else "不再承诺送达时间，按发货时限发货"
    add_event(order_id, "promise", SYSTEM, f"付款晚于截单时间，{arrives}")
    return True


def mark_promise_missed(order_id: int, merchant_id: int, promised_by: datetime) -> bool:
    """Note that an order did not arrive when it was promised; once. Compensation hangs on the event."""
    where = {"status": ("paid", "shipped"), "delivered_at": None, "promise_missed_at": None, "promised_by": promised_by}
    if not cas.change(Order, order_id, where=where, values={"promise_missed_at": clock.now()}):
        return False
    add_event(order_id, "promise_missed", SYSTEM, f"承诺 {promised_by.astimezone(clock.REGION_TZ):%m-%d %H:%M} 前送达，已超时")
    events.publish(PromiseMissed(order_id, merchant_id, clock.microseconds(promised_by)))
    return True


def mark_reviewed(line_id: int) -> None:
    """Note that a line has its review; repeating changes nothing."""
    cas.change(OrderLine, line_id, where={"reviewed_at": None}, values={"reviewed_at": clock.now()})


def add_note(actor: Actor, order_id: int, note: str, *, to_buyer: bool = False) -> None:
    """Add a note to the order's timeline, for merchant and operators or for the buyer too. Raises NotFound."""
    queries.get_for(actor, order_id)
    if clean(note):
        add_event(order_id, "note", actor, clean(note)[:300], internal=not to_buyer)
        audit.record(actor, "order.noted", "order", order_id, detail={"to_buyer": to_buyer})
