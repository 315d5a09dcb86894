"""The allocated units of an order that is split: they stay in their stock rows, only whose they are changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.core import cas, sql
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.inventory.models import Reservation, Stock
from dbadapters.errors import Conflict as RunAgain


def divide(order_id: int, new_order_id: int, moves: Sequence[tuple[int, int, int, int]]) -> None:
    """Give allocated units to the parts of a split order: (line id, new line id, quantity, units that leave) each.

    No column changes. The components of a bundle are shared in proportion, which is whole, for a unit holds whole ones. Called by
    orders, which holds the order's row. Raises Conflict(`stock.shipped`) when not all units are in the house, RunAgain when a
    reservation moves at the same time.
    """
    r = Reservation
    added: list[dict[str, Any]] = []
    for line_id, new_line_id, quantity, count in moves:
        held = session.execute(
            select(r.id, r.stock_id, r.quantity, r.state, r.expires_at, Stock.sku_id).join(Stock, Stock.id == r.stock_id)
            .where(r.order_id == order_id, r.line_id == line_id, r.state.in_(("consumed", "shipped"))).order_by(r.id)
        ).all()  # fmt: skip
        if any(row.state == "shipped" for row in held):
            raise Conflict("stock.shipped", "商品已发出，不能拆分")
        whole: dict[int, int] = defaultdict(int)
        for row in held:
            whole[row.sku_id] += row.quantity
        leave = {sku_id: units * count // quantity for sku_id, units in whole.items()}
        for row in reversed(held):
            take = min(leave[row.sku_id], row.quantity)
            leave[row.sku_id] -= take
            if not take:
                continue
            if take == row.quantity:
                values = {"order_id": new_order_id, "line_id": new_line_id}
            else:
                values = {"quantity": row.quantity - take}
                added.append(
                    {
                        "id": new_id(), "order_id": new_order_id, "line_id": new_line_id, "stock_id": row.stock_id, "quantity": take,
                        "state": "consumed", "expires_at": row.expires_at, "returned": 0,
                    }
                )  # fmt: skip
            if not cas.change(Reservation, row.id, where={"state": "consumed", "quantity": row.quantity}, values=values):
                raise RunAgain("a reservation was moved by a twin")
    sql.add_all(Reservation, added)
