"""Part of a paid order that will not be shipped: its units go back to sale, the rest stays allocated (commerce.md §2.9)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import select

from app.core import cas, sql
from app.core.db import session
from app.core.errors import Conflict
from app.inventory.models import Movement, Reservation, Stock
from app.inventory.service import lot_rows
from app.inventory.service.columns import add, movement
from dbadapters.errors import Conflict as RunAgain


def unshipped_units(order_id: int, line_id: int, ordered: int) -> int:
    """Return how many units of a line, `ordered` as it is sold now, are allocated and still in the house."""
    return min((inside * ordered // whole for inside, whole in _by_sku(order_id, line_id).values()), default=0)


def _rows(order_id: int, line_id: int) -> list[Any]:
    return list(
        session.execute(
            select(Reservation.id, Reservation.stock_id, Reservation.quantity, Reservation.state, Stock.sku_id, Stock.tracking)
            .join(Stock, Stock.id == Reservation.stock_id)
            .where(Reservation.order_id == order_id, Reservation.line_id == line_id, Reservation.state.in_(("consumed", "shipped")))
            .order_by(Reservation.id)
        ).all()
    )


def _by_sku(order_id: int, line_id: int) -> dict[int, tuple[int, int]]:
    """Return (units in the house, units in all) of each SKU a line holds: one, or a bundle's components."""
    found: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in _rows(order_id, line_id):
        inside, whole = found[row.sku_id]
        found[row.sku_id] = (inside + (row.quantity if row.state == "consumed" else 0), whole + row.quantity)
    return found


def unallocate_units(case_id: int, order_id: int, line_id: int, units: int, ordered: int) -> None:
    """Give units of a paid, unshipped line back to sale; ordered: units of the line as it was before this.

    The caller has moved the case by compare-and-set, so this runs once; the movement's cause is the case. Raises
    Conflict(`stock.shipped`) when fewer are in the house.
    """
    if unshipped_units(order_id, line_id, ordered) < units:
        raise Conflict("stock.shipped", "商品已发出，不能按未发货退款")
    wanted = {sku_id: units * whole // ordered for sku_id, (_, whole) in _by_sku(order_id, line_id).items()}
    taken: dict[int, int] = defaultdict(int)
    tracked = set()
    for row in _rows(order_id, line_id):
        take = min(wanted[row.sku_id], row.quantity) if row.state == "consumed" else 0
        if not take:
            continue
        values = {"state": "returned"} if take == row.quantity else {"quantity": row.quantity - take}
        if not cas.change(Reservation, row.id, where={"state": "consumed", "quantity": row.quantity}, values=values):
            raise RunAgain("a reservation was moved by a twin")
        wanted[row.sku_id] -= take
        taken[row.stock_id] += take
        if row.tracking == "lot":
            tracked.add(row.stock_id)
    moves = [movement(stock_id, "unallocate", "aftersale", case_id, line_id, allocated=-n) for stock_id, n in sorted(taken.items())]
    sql.add_all(Movement, moves)
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(taken):
        if not add(stock_id, allocated=-taken[stock_id]):
            raise Conflict("stock.columns", "库存列与预留不符，操作已撤销")
    lot_rows.set_aside(sorted(tracked))


def room_to_return(order_id: int, line_id: int, ordered: int) -> int:
    """Return how many units of a shipped line, `ordered` as it was shipped, have not come back yet."""
    found: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    rows = session.execute(
        select(Stock.sku_id, Reservation.quantity, Reservation.returned)
        .join(Stock, Stock.id == Reservation.stock_id)
        .where(Reservation.order_id == order_id, Reservation.line_id == line_id, Reservation.state == "shipped")
    )
    for row in rows:
        left, whole = found[row.sku_id]
        found[row.sku_id] = (left + row.quantity - row.returned, whole + row.quantity)
    return min((left * ordered // whole for left, whole in found.values()), default=0)
