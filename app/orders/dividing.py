"""Splitting a paid order: rows and units move, sums are made again, nothing is priced again (T12; commerce.md §2.5; traps 12 and 21).

Units are worth F(j) = ⌊j·P/n⌋ (commerce.md §2.4): the units that stay keep F(stay), the others take the rest, so money of both
parts is the line's money whatever is split how often. Freight stays with the order that is split. Hooks of higher tiers run in the
same transaction and before the lines change, so that their shares are divided by the same moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.money import share_of
from app.inventory import service as inventory
from app.merchants.queries import TRAVELS
from app.orders import addresses, guards, holds, queries, rows
from app.orders.models import Invoice, LineBack, Order, OrderLine
from app.orders.placing import add_event
from app.orders.states import PAID
from app.promotions import service as promotions

MAX_PARTS = 20


@dataclass(frozen=True)
class Move:
    """`count` of a line's `quantity` units leave; a line that leaves whole keeps its id, else new_line_id is made for them."""

    line_id: int
    new_line_id: int
    quantity: int
    count: int

    @property
    def stays(self) -> int:
        """Return how many units remain."""
        return self.quantity - self.count


Hook = Callable[[int, int, Sequence[Move]], None]
_hooks: list[Hook] = []


def on_divided(hook: Hook) -> None:
    """Let a domain (settlement) divide what it keeps of an order: (order id, new order id, moves)."""
    if hook not in _hooks:
        _hooks.append(hook)


def number_of(order_id: int) -> str:
    """Return the number of an order that is made by splitting today."""
    return f"{clock.business_date():%y%m%d}{order_id}"


def divide(actor: Actor, order_id: int, units: Mapping[int, int], reason: str) -> int:
    """Move units of lines (line id -> units) into a new order of the same trade; returns its id.

    Holds go along. Raises NotFound, Invalid(`divide.units`), Conflict(`order.state`, `order.started`, `order.refunded`,
    `divide.invoice`, `divide.parts`).
    """
    queries.get_for(actor, order_id)
    rows.take(order_id)
    order = session.get_one(Order, order_id)
    _check(order)
    lines = queries.lines_of([order_id])[order_id]
    moves = _moves(lines, units)
    new_order_id = new_id()
    for hook in _hooks:
        hook(order_id, new_order_id, moves)
    promotions.divide(order_id, new_order_id, [(m.line_id, m.new_line_id, m.quantity, m.count) for m in moves])
    moved = _move_lines(order_id, new_order_id, lines, moves)
    _write_orders(order, new_order_id, moved)
    holds.copy(order_id, new_order_id)
    inventory.divide(order_id, new_order_id, [(m.line_id, m.new_line_id, m.quantity, m.count) for m in moves])
    count = sum(m.count for m in moves)
    add_event(order_id, "divided", actor, f"{count} 件拆到新订单" + (f"：{reason}" if reason else ""))
    add_event(new_order_id, "divided", actor, f"由订单 {order.order_no} 拆出")
    audit.record(actor, "order.divided", "order", order_id, detail={"new_order": new_order_id, "units": count, "reason": reason})
    return new_order_id


def _check(order: Order) -> None:
    """Refuse what cannot be split; the row is taken."""
    if order.status != PAID:
        raise Conflict("order.state", "只能拆分待发货的订单")
    if order.delivery_mode not in TRAVELS:
        raise Conflict("divide.mode", "自提与到店服务的订单不能拆分")
    if order.refunded_fen or order.case_count:
        raise Conflict("order.refunded", "订单有退款或未结束的售后，不能拆分")
    session.execute(delete(LineBack).where(LineBack.order_id == order.id))  # empty counters of withdrawn cases; made again when needed
    guards.refuse_started(order.id)
    issued = select(Invoice.id).where(Invoice.order_id == order.id, Invoice.open_key == 0, Invoice.status == "issued")
    if session.scalar(issued) is not None:
        raise Conflict("divide.invoice", "订单已开具发票，不能拆分")
    parts = select(Order.id).where(Order.trade_id == order.trade_id, Order.parent_id != 0)
    if len(session.scalars(parts).all()) >= MAX_PARTS:
        raise Conflict("divide.parts", f"同一笔交易最多拆出 {MAX_PARTS} 个订单")


def _moves(lines: Sequence[OrderLine], units: Mapping[int, int]) -> list[Move]:
    """Return the moves wanted, in line order. Raises Invalid(`divide.units`)."""
    wrong = Invalid("divide.units", "请填写每种商品拆出的件数，至少拆出一件，也至少留下一件", field="units")
    known = {line.id: line.quantity for line in lines}
    if not set(units) <= set(known) or any(not 0 <= count <= known[line_id] for line_id, count in units.items()):
        raise wrong
    moves = [
        Move(line.id, line.id if units[line.id] == line.quantity else new_id(), line.quantity, units[line.id])
        for line in lines if units.get(line.id)
    ]  # fmt: skip
    if not moves or sum(move.count for move in moves) == sum(known.values()):
        raise wrong
    return moves


def _move_lines(order_id: int, new_order_id: int, lines: Sequence[OrderLine], moves: Sequence[Move]) -> tuple[int, list[OrderLine]]:
    """Move lines and units; returns the fen that moved and the lines left behind, as they are now."""
    by_id = {line.id: line for line in lines}
    fen, added = 0, []
    for move in moves:
        line = by_id[move.line_id]
        keep = share_of(line.paid_fen, move.quantity, 0, move.stays)
        fen += line.paid_fen - keep
        if not move.stays:
            cas.change(OrderLine, line.id, where={"order_id": order_id}, values={"order_id": new_order_id})
            continue
        added.append(
            {
                "id": move.new_line_id, "order_id": new_order_id, "sku_id": line.sku_id, "product_id": line.product_id,
                "product_version": line.product_version, "title": line.title, "option_key": line.option_key,
                "image_key": line.image_key, "unit_price_fen": line.unit_price_fen, "quantity": move.count,
                "paid_fen": line.paid_fen - keep, "exclusion": line.exclusion,
            }
        )  # fmt: skip
        cas.change(OrderLine, line.id, where={"order_id": order_id}, values={"quantity": move.stays, "paid_fen": keep})
    sql.add_all(OrderLine, added)
    gone = {move.line_id for move in moves if not move.stays}
    return fen, [line for line in lines if line.id not in gone]


def _write_orders(order: Order, new_order_id: int, moved: tuple[int, list[OrderLine]]) -> None:
    """Sum the order up again and write the new one; freight stays where it is."""
    fen, left = moved
    taken = queries.lines_of([new_order_id])[new_order_id]
    count, first = sum(line.quantity for line in taken), taken[0]
    copied = (
        "trade_id", "account_id", "merchant_id", "status", "delivery_mode", "temperature", "hold", "held_at", "area_code",
        "phone_index", "receiver_index", "address_key", "buyer_note", "created_at", "paid_at", "ship_due_at", "promised_by",
        "promise_label", "promise_pay_by",
    )  # fmt: skip
    row: dict[str, Any] = {name: getattr(order, name) for name in copied}
    row |= {
        "id": new_order_id, "order_no": number_of(new_order_id), "parent_id": order.parent_id or order.id,
        "bundle_id": 0, "goods_fen": fen, "freight_fen": 0, "payable_fen": fen, "refunded_fen": 0, "item_count": count,
        "first_title": first.title, "first_image_key": first.image_key, "address_rev": 0,
        **addresses.sealed(new_order_id, *addresses.opened(order)),
    }  # fmt: skip
    values = {
        "goods_fen": order.goods_fen - fen, "payable_fen": order.payable_fen - fen, "item_count": order.item_count - count,
        "first_title": left[0].title, "first_image_key": left[0].image_key,
    }  # fmt: skip
    sql.add(Order, row)
    session.execute(update(Order).where(Order.id == order.id).values(**values).execution_options(synchronize_session=False))
    session.expire(order)
