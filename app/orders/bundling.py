"""Merged shipping (合单发货): paid orders of one buyer to one address at one shop go out together (T12; commerce.md §2.5).

Money, lines and states stay with each order; what they share is the bundle. An order leaves its bundle when its address changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.orders import guards, queries
from app.orders.models import Order
from app.orders.placing import add_event
from app.orders.states import NONE, PAID

MOST, SHOWN = 20, 50
_SAME = ("account_id", "merchant_id", "address_key", "delivery_mode", "temperature")


@dataclass(frozen=True)
class Suggestion:
    """Orders that could go out together."""

    orders: Sequence[Order]


def suggestions(merchant_id: int) -> list[Suggestion]:
    """Return groups of a shop's orders that wait and go the same way to the same address, the oldest group first; two queries."""
    same = [getattr(Order, name) for name in _SAME]
    free = (Order.merchant_id == merchant_id, Order.status == PAID, Order.hold == NONE, Order.bundle_id == 0, Order.address_key != NONE)
    groups = session.execute(
        select(*same).where(*free).group_by(*same).having(func.count() > 1).order_by(func.min(Order.id)).limit(SHOWN)
    ).all()
    if not groups:
        return []
    keys = {row.address_key for row in groups}
    found: dict[tuple[object, ...], list[Order]] = {tuple(row): [] for row in groups}
    for order in session.scalars(select(Order).where(*free, Order.address_key.in_(keys)).order_by(Order.id)):
        group = found.get(tuple(getattr(order, name) for name in _SAME))
        if group is not None and len(group) < MOST:
            group.append(order)
    return [Suggestion(orders) for orders in found.values() if len(orders) > 1]


def members(order: Order) -> list[Order]:
    """Return the orders of an order's bundle, itself among them; none when it ships alone."""
    if not order.bundle_id:
        return []
    mine = (Order.account_id == order.account_id, Order.merchant_id == order.merchant_id, Order.bundle_id == order.bundle_id)
    return list(session.scalars(select(Order).where(*mine).order_by(Order.id)))


def bundle(actor: Actor, order_ids: Sequence[int]) -> int:
    """Let orders the actor may see ship together; returns the bundle.

    Raises NotFound, Invalid(`bundle.count`), Conflict(`bundle.differs`, `bundle.state` when one is held, shipped or bundled).
    """
    ids = sorted(set(order_ids))
    if not 2 <= len(ids) <= MOST:
        raise Invalid("bundle.count", f"请选择 2–{MOST} 个订单合并发货", field="order")
    orders = [queries.get_for(actor, order_id) for order_id in ids]
    if len({tuple(getattr(order, name) for name in _SAME) for order in orders}) != 1 or orders[0].address_key == NONE:
        raise Conflict("bundle.differs", "只能合并同一买家、同一收货信息、同一配送与储运方式的订单")
    revisions = [(order.id, order.address_rev) for order in orders]
    for order_id, revision in revisions:
        where = {"status": PAID, "hold": NONE, "bundle_id": 0, "address_rev": revision}
        if not cas.change(Order, order_id, where=where, values={"bundle_id": ids[0]}):
            raise Conflict("bundle.state", "有订单已发货、被暂停、改过地址或已合并，请刷新查看")
        guards.refuse_started(order_id)
        add_event(order_id, "bundled", actor, f"与另外 {len(ids) - 1} 个订单一起发货")
    audit.record(actor, "order.bundled", "order", ids[0], detail={"orders": [str(order_id) for order_id in ids]})
    return ids[0]


def unbundle(actor: Actor, order_id: int) -> int:
    """Let the orders of a bundle that have not left ship alone again; returns how many. Raises NotFound, Conflict(`bundle.state`)."""
    order = queries.get_for(actor, order_id)
    waiting = [row.id for row in members(order) if row.status == PAID]
    bundle_id = order.bundle_id
    if not waiting:
        raise Conflict("bundle.state", "该订单没有合并发货，或已经发出")
    for other in waiting:
        guards.refuse_started(other)
        if cas.change(Order, other, where={"status": PAID, "bundle_id": bundle_id}, values={"bundle_id": 0}):
            add_event(other, "unbundled", actor)
    audit.record(actor, "order.unbundled", "order", bundle_id, detail={"orders": [str(other) for other in waiting]})
    return len(waiting)
