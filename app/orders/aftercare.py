"""What after-sale does to an order: units held by open cases, units and money given back, the confirmation that waits (commerce.md §2.9).

Called by after-sale and by finance. Rows are taken in the order trade, order, line; every counter is a guarded UPDATE, so that
concurrent cases never hold or give back more than was bought.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from app.core import cas, clock, events, runtime, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.money import share_of
from app.orders import holds
from app.orders.events import OrderCancelled
from app.orders.models import LineBack, Order, OrderLine, Trade
from app.orders.placing import add_event
from app.orders.states import IN_CASE
from app.promotions import service as promotions
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

SENT = ("shipped", "completed")
# Writes nothing new: takes the trade's row, and, with the second one, tells by the count that no unit of it is left with the buyer.
_HELD = update(Trade).where(Trade.id == bindparam("trade_id")).values(status=Trade.status)
_KEPT = (
    select(OrderLine.id)
    .join(Order, Order.id == OrderLine.order_id)
    .outerjoin(LineBack, LineBack.id == OrderLine.id)
    .where(
        Order.trade_id == bindparam("trade_id"), Order.status != "cancelled",
        LineBack.back_units.is_(None) | (LineBack.back_units < OrderLine.quantity),
    )
)  # fmt: skip
_UNDONE = _HELD.where(~_KEPT.exists())
_LEFT = (
    select(OrderLine.id)
    .outerjoin(LineBack, LineBack.id == OrderLine.id)
    .where(OrderLine.order_id == bindparam("order_id"), LineBack.back_units.is_(None) | (LineBack.back_units < OrderLine.quantity))
    .limit(1)
)


def lock_trade(trade_id: int) -> None:
    """Take the trade's row, so that two orders of it that end at once see each other."""
    sql.change(_HELD, {"trade_id": trade_id})


def release_undone(trade_id: int) -> bool:
    """Give coupons and limits back when no unit of the trade is left with the buyer; True when it did. The caller holds the trade."""
    session.flush()
    return bool(sql.change(_UNDONE, {"trade_id": trade_id})) and promotions.release(trade_id)


def open_case(order_id: int, line_id: int, units: int, *, shipped: bool) -> None:
    """Hold units of a line for a case, and the order's confirmation or shipping with them.

    Raises Conflict(`line.units`) when fewer units are free, Conflict(`order.state`) when the order moved or some of it left already.
    """
    order = session.get_one(Order, order_id)
    values = {"case_count": sql.table_of(Order).c.case_count + 1}
    if shipped and not order.case_count:
        values["confirm_left_s"] = _confirm_left(order)
    where = {"status": SENT} if shipped else {"status": "paid", "units_out": None}
    if not cas.change(Order, order_id, where=where, values=values):
        raise Conflict("order.state", "订单状态已变化，请刷新后再试")
    if not shipped:
        cas.change(Order, order_id, where={"hold": "-"}, values={"hold": IN_CASE, "held_at": clock.now()})
    if session.scalar(select(OrderLine.order_id).where(OrderLine.id == line_id)) != order_id:
        raise Conflict("line.units", "订单刚被拆分，请在拆出的订单中申请售后", field="quantity")
    _hold_units(line_id, units)


def _confirm_left(order: Order) -> int:
    """Return the seconds until the order would confirm itself; 0 when it is confirmed or due."""
    trade, at = runtime.current().settings.trade, clock.now()
    due: datetime | None = order.confirm_after
    if due is None and order.delivered_at is not None:
        due = order.delivered_at + timedelta(days=trade.auto_confirm_after_days)
    elif due is None and order.shipped_at is not None:
        due = order.shipped_at + timedelta(days=trade.auto_confirm_shipped_days)
    return max(0, int((due - at).total_seconds())) if due is not None and order.status == "shipped" else 0


def _row_of(line_id: int) -> LineBack:
    """Return the line's counters, made on first use."""
    found = session.get(LineBack, line_id)
    if found is not None:
        return found
    line = session.get_one(OrderLine, line_id, populate_existing=True)  # it may have been split since it was loaded
    row = {"id": line_id, "order_id": line.order_id, "quantity": line.quantity, "paid_fen": line.paid_fen}
    try:
        sql.add(LineBack, row | {"case_units": 0, "back_units": 0, "back_fen": 0})
    except UniqueViolation as error:  # a twin was faster: the door runs this again and finds its row
        raise RunAgain("the line's first case is being opened") from error
    return session.get_one(LineBack, line_id)


def _hold_units(line_id: int, units: int) -> None:
    _row_of(line_id)
    b = sql.table_of(LineBack).c
    statement = (
        update(sql.table_of(LineBack))
        .where(b.id == line_id, b.case_units + b.back_units + units <= b.quantity)
        .values({b.case_units: b.case_units + units})
    )
    if units < 1 or sql.change(statement, {}) != 1:
        raise Conflict("line.units", "可申请的数量不足：其余件数已在售后中或已退款", field="quantity")
    session.expire(session.get_one(LineBack, line_id))


def close_case(order_id: int, line_id: int, units: int) -> None:
    """Let go of a case's units; the last open case lets the confirmation or the shipping go on."""
    order = session.get_one(Order, order_id)
    left = timedelta(seconds=order.confirm_left_s)
    if not cas.change(Order, order_id, where={"case_count": order.case_count}, values={"case_count": order.case_count - 1}):
        raise RunAgain("another case of the order moved")
    if not session.get_one(Order, order_id).case_count:
        if session.get_one(Order, order_id).hold == IN_CASE:
            holds.settle(order_id)
        cas.change(Order, order_id, where={"status": "shipped"}, values={"confirm_after": clock.now() + left})
    if units:
        row = _row_of(line_id)
        values = {"case_units": row.case_units - units}
        if not cas.change(LineBack, line_id, where={"case_units": row.case_units}, values=values):
            raise RunAgain("another case of the line moved")


def give_back(line_id: int, units: int, *, held: int = 0) -> int:
    """Note that units of a line go back and return what they are worth, in fen; the case's `held` units end with it.

    Raises Conflict(`line.units`) when more units would go back than are left, RunAgain when a twin moved the line.
    """
    row = _row_of(line_id)
    if units < 1 or row.back_units + row.case_units - held + units > row.quantity:
        raise Conflict("line.units", "可退数量不足，请刷新后再试")
    worth = share_of(row.paid_fen, row.quantity, row.back_units, units)
    cash = min(worth, row.paid_fen - row.back_fen)
    where = {"case_units": row.case_units, "back_units": row.back_units, "back_fen": row.back_fen}
    values = {
        "case_units": row.case_units - held, "back_units": row.back_units + units, "back_fen": row.back_fen + cash,
    }  # fmt: skip
    if not cas.change(LineBack, line_id, where=where, values=values):
        raise RunAgain("the line is being refunded by another worker")
    return cash


def compensate(line_id: int, amount_fen: int) -> int:
    """Give money for a line whose units stay with the buyer; returns what is given, at most what is left of the line."""
    row = _row_of(line_id)
    cash = min(amount_fen, row.paid_fen - row.back_fen)
    if cash and not cas.change(LineBack, line_id, where={"back_fen": row.back_fen}, values={"back_fen": row.back_fen + cash}):
        raise RunAgain("the line is being refunded by another worker")
    return cash


def is_all_back(order_id: int) -> bool:
    """Tell whether every unit of an order went back."""
    session.flush()
    return session.scalar(_LEFT, {"order_id": order_id}) is None


def take_freight(order_id: int) -> int | None:
    """Note that an order's freight goes back; returns it in fen, None when it went back before."""
    freight_fen = session.get_one(Order, order_id).freight_fen
    return freight_fen if cas.change(Order, order_id, where={"freight_back": 0}, values={"freight_back": 1}) else None


def close_refunded(actor: Actor, order_id: int, reason: str) -> None:
    """End a paid order all of whose units were refunded before shipping; the money is on its way by its cases."""
    order = session.get_one(Order, order_id)
    merchant_id, trade_id = order.merchant_id, order.trade_id
    cas.move(Order, order_id, from_="paid", to="cancelled", code="order.state", cancel_reason=reason[:60])
    add_event(order_id, "cancelled", actor, reason)
    events.publish(OrderCancelled(order_id, merchant_id, True, trade_id, 0))


def note_case(order_id: int, actor: Actor, text: str) -> None:
    """Write on the order's timeline what a case came to."""
    add_event(order_id, "aftersale", actor or SYSTEM, text)
