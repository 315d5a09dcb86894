"""Holds: reasons that stop an order's shipping, payout and automatic confirmation until somebody lifts them (commerce.md §2.5).

Every verb takes the order's row first, so two holds, a hold and a shipment, or a hold and its lifting never overlap.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, func, select

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.text import clean
from app.orders import queries, rows
from app.orders.models import Order, OrderHold
from app.orders.placing import add_event
from app.orders.states import HOLDS, IN_CASE, NONE, OPEN, PAID


def place(actor: Actor, order_id: int, reason: str, note: str) -> bool:
    """Hold an order that is not at its end; False when this reason holds it already.

    Raises NotFound, Invalid(`hold.reason`, `hold.note`), Conflict(`order.state`).
    """
    if reason not in HOLDS or reason == IN_CASE:
        raise Invalid("hold.reason", "请选择暂停原因", field="reason")
    why = clean(note)[:200]
    if not why:
        raise Invalid("hold.note", "请写明暂停的依据", field="note")
    queries.get_for(actor, order_id)
    at = clock.now()
    values = {"hold": case((Order.hold == NONE, reason), else_=Order.hold), "held_at": func.coalesce(Order.held_at, at)}
    if not cas.change(Order, order_id, where={"status": OPEN}, values=values):
        raise Conflict("order.state", "订单已完成或已取消，不能暂停")
    if _open_of(order_id, reason) is not None:
        return False
    sql.add(
        OrderHold,
        {
            "id": new_id(), "order_id": order_id, "reason": reason, "open_key": 0, "note": why, "placed_by": actor.name or "系统",
            "placed_at": at, "lifted_by": NONE,
        },
    )  # fmt: skip
    add_event(order_id, "held", actor, f"{HOLDS[reason]}：{why}", internal=True)
    audit.record(actor, "order.held", "order", order_id, detail={"reason": reason, "note": why})
    return True


def lift(actor: Actor, order_id: int, reason: str, note: str = "") -> bool:
    """Lift one reason; the last one lets the order go on, with the shipping deadline moved by the time it was held.

    False when this reason does not hold the order. Raises NotFound.
    """
    queries.get_for(actor, order_id)
    rows.take(order_id)
    hold = _open_of(order_id, reason)
    if hold is None:
        return False
    at = clock.now()
    done = {"open_key": hold, "lifted_by": actor.name or "系统", "lifted_at": at}
    cas.change(OrderHold, hold, where={"open_key": 0}, values=done)
    settle(order_id)
    why = clean(note)[:200]
    add_event(order_id, "lifted", actor, f"{HOLDS.get(reason, reason)}{'：' + why if why else ''}", internal=True)
    audit.record(actor, "order.lifted", "order", order_id, detail={"reason": reason, "note": why})
    return True


def settle(order_id: int) -> None:
    """Say on the order what holds it now; when nothing does, the shipping deadline moves. The caller holds the order's row."""
    first = select(OrderHold.reason).where(OrderHold.order_id == order_id, OrderHold.open_key == 0).order_by(OrderHold.id).limit(1)
    left, order, at = session.scalar(first), session.get_one(Order, order_id), clock.now()
    if left is None and order.case_count and order.status == PAID:
        left = IN_CASE
    values: dict[str, Any] = {"hold": left or NONE}
    if left is None:
        if order.status == PAID and order.held_at is not None and order.ship_due_at is not None:
            values["ship_due_at"] = order.ship_due_at + (at - order.held_at)
        values["held_at"] = None
    cas.change(Order, order_id, where={}, values=values)


def _open_of(order_id: int, reason: str) -> int | None:
    wanted = (OrderHold.order_id == order_id, OrderHold.reason == reason, OrderHold.open_key == 0)
    return session.scalar(select(OrderHold.id).where(*wanted))


def of(order_id: int) -> list[OrderHold]:
    """Return the holds of an order the caller may see, open ones first, the newest first."""
    found = session.scalars(select(OrderHold).where(OrderHold.order_id == order_id).order_by(OrderHold.id.desc())).all()
    return sorted(found, key=lambda row: row.open_key != 0)


def copy(order_id: int, new_order_id: int) -> None:
    """Put the open holds of an order on the one that is split from it; the caller has copied the columns of the order."""
    held = session.scalars(select(OrderHold).where(OrderHold.order_id == order_id, OrderHold.open_key == 0)).all()
    sql.add_all(
        OrderHold,
        [
            {
                "id": new_id(), "order_id": new_order_id, "reason": row.reason, "open_key": 0, "note": row.note,
                "placed_by": row.placed_by, "placed_at": row.placed_at, "lifted_by": NONE,
            }
            for row in held
        ],
    )  # fmt: skip
