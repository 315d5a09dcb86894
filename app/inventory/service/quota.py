"""Stock kept for activities (秒杀, 拼团): hold, give back, sell from it (commerce.md §2.6, trap 14). Never negative.

A hold carves units out of what is available, so ordinary buyers cannot have them; what an activity sells becomes an ordinary
reservation, and what it does not sell goes back at its end. Units of a cancelled order return to ordinary sale, not to the activity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from app.core import sql
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.inventory import queries
from app.inventory.models import Hold, Movement, Reservation
from app.inventory.service import lot_rows
from app.inventory.service.columns import OutOfStock, add_quota, movement, once, whole
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation


def held_of(activity_type: str, activity_id: int) -> dict[int, int]:
    """Return units an activity still holds, by SKU id."""
    rows = session.execute(
        select(Hold.sku_id, Hold.held).where(Hold.activity_type == activity_type, Hold.activity_id == activity_id, Hold.held > 0)
    )
    totals: dict[int, int] = defaultdict(int)
    for sku_id, units in rows:
        totals[sku_id] += units
    return dict(totals)


def hold(activity_type: str, activity_id: int, sku_id: int, units: int, *, cause_id: int) -> bool:
    """Keep units of a SKU for an activity; False when this cause was booked before.

    cause_id: the request, so that an activity may be topped up. Raises Invalid, also for bundles, OutOfStock when fewer are free.
    """
    whole(units)
    if _booked(activity_type, cause_id):
        return False  # a repeat may find other rows to take from, so the movements' key alone would not stop it
    free = queries.free_units([sku_id])[sku_id]
    if isinstance(free, queries.BundleUnits):
        raise Invalid("stock.bundle", "组合商品不能单独预留活动库存，请预留其组成商品", field="sku_id")
    chosen, missing = [], units
    for stock_id, available in free.items():
        if missing > 0 and available > 0:
            chosen.append((stock_id, min(available, missing)))
            missing -= chosen[-1][1]
    if missing > 0:
        raise OutOfStock("stock.short", "可用库存不足，不能预留这么多", sku_id=sku_id)
    rows = {stock_id: _row_of(activity_type, activity_id, stock_id, sku_id) for stock_id, _ in chosen}
    if not once([movement(stock_id, "hold", activity_type, cause_id, quota=n) for stock_id, n in sorted(chosen)]):
        return False
    for stock_id, n in sorted(chosen):
        _change_hold(rows[stock_id], n)
    for stock_id, n in sorted(chosen):
        if not add_quota(stock_id, n):
            raise RunAgain("units were sold meanwhile")
    return True


def _booked(activity_type: str, cause_id: int) -> bool:
    done = select(Movement.id).where(Movement.cause_type == activity_type, Movement.cause_id == cause_id, Movement.kind == "hold")
    return session.scalar(done.limit(1)) is not None


def give_back(activity_type: str, activity_id: int, *, cause_id: int) -> int:
    """Return to sale all that an activity still holds, at its end; returns how many. Repeating returns nothing."""
    rows = session.execute(
        select(Hold.id, Hold.stock_id, Hold.held)
        .where(Hold.activity_type == activity_type, Hold.activity_id == activity_id, Hold.held > 0)
        .order_by(Hold.stock_id)
    ).all()
    if not once([movement(row.stock_id, "unhold", activity_type, cause_id, quota=-row.held) for row in rows]):
        return 0
    for row in rows:
        _change_hold(row.id, -row.held)
    for row in rows:
        if not add_quota(row.stock_id, -row.held):
            raise RunAgain("units were sold meanwhile")
    lot_rows.set_aside([row.stock_id for row in rows])
    return sum(row.held for row in rows)


def sell(activity_type: str, activity_id: int, lines: Sequence[tuple[int, int, int, int]], expires_at: datetime) -> None:
    """Reserve order lines out of what an activity holds, all or nothing; the reservation is then as any other.

    lines: (order_id, line_id, sku_id, quantity). Raises OutOfStock(`stock.quota`) when the activity holds fewer.
    """
    wanted = {line[2] for line in lines}
    rows = session.execute(
        select(Hold.id, Hold.stock_id, Hold.sku_id, Hold.held)
        .where(Hold.activity_type == activity_type, Hold.activity_id == activity_id, Hold.sku_id.in_(wanted), Hold.held > 0)
        .order_by(Hold.stock_id)
    ).all()
    left = {row.stock_id: row.held for row in rows}
    taken: dict[int, int] = defaultdict(int)
    reserved: list[dict[str, Any]] = []
    for order_id, line_id, sku_id, quantity in lines:
        missing = quantity
        for row in rows:
            units = min(left[row.stock_id], missing) if row.sku_id == sku_id else 0
            if units > 0:
                left[row.stock_id] -= units
                taken[row.stock_id] += units
                missing -= units
                reserved.append(
                    {
                        "id": new_id(), "order_id": order_id, "line_id": line_id, "stock_id": row.stock_id, "quantity": units,
                        "state": "active", "expires_at": expires_at,
                    }
                )  # fmt: skip
        if missing > 0:
            raise OutOfStock("stock.quota", "活动库存已抢完", sku_id=sku_id)
    sql.add_all(Reservation, reserved)
    moves = [
        movement(r["stock_id"], "sell_quota", "order", r["order_id"], r["line_id"], reserved=r["quantity"], quota=-r["quantity"])
        for r in reserved
    ]
    sql.add_all(Movement, moves)
    for row in rows:
        if taken[row.stock_id]:
            _change_hold(row.id, -taken[row.stock_id])
    for stock_id in sorted(taken):
        if taken[stock_id] and not add_quota(stock_id, -taken[stock_id], reserved=taken[stock_id]):
            raise Conflict("stock.columns", "库存列与活动预留不符，操作已撤销")


def _row_of(activity_type: str, activity_id: int, stock_id: int, sku_id: int) -> int:
    wanted = select(Hold.id).where(Hold.activity_type == activity_type, Hold.activity_id == activity_id, Hold.stock_id == stock_id)
    found = session.scalar(wanted)
    if found is not None:
        return found
    row_id = new_id()
    values = {
        "id": row_id, "activity_type": activity_type, "activity_id": activity_id, "stock_id": stock_id, "sku_id": sku_id, "held": 0,
    }  # fmt: skip
    try:
        with session.begin_nested():
            sql.add(Hold, values)
    except UniqueViolation:
        return session.scalars(wanted).one()
    return row_id


def _change_hold(row_id: int, units: int) -> None:
    h = sql.table_of(Hold).c
    statement = update(sql.table_of(Hold)).where(h.id == row_id, h.held + units >= 0).values({h.held: h.held + units})
    if sql.change(statement, {}) != 1:
        raise RunAgain("the activity's units moved")
