"""Rows of LotStock under the lock of their stock row: put, take first-expired-first-out, set blocked units aside.

The caller has changed (and so locked) the stock row before any of these runs; a lot row that moved all the same means a twin, and
the door runs the unit again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import bindparam, select, update

from app.core import clock, sql
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.inventory.models import Lot, LotMovement, LotStock, Movement
from app.inventory.service.columns import add, free_of, movement
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation


class LotShort(Conflict):
    """No open lot with enough life left holds the units; params: stock_id, missing."""


@dataclass(frozen=True)
class Cause:
    """Why units move: the same (type, id, line, kind) moves a row once."""

    kind: str
    type: str
    id: int
    line_id: int = 0
    account_id: int = 0
    note: str = "-"


def row_of(stock_id: int, lot_id: int) -> int:
    """Return the id of a lot's row in a stock row, made on first use."""
    wanted = select(LotStock.id).where(LotStock.stock_id == stock_id, LotStock.lot_id == lot_id)
    found = session.scalar(wanted)
    if found is not None:
        return found
    row_id = new_id()
    try:
        with session.begin_nested():
            sql.add(LotStock, {"id": row_id, "stock_id": stock_id, "lot_id": lot_id, "on_hand": 0, "quarantined": 0})
    except UniqueViolation:
        return session.scalars(wanted).one()
    return row_id


_CHANGE = (
    update(sql.table_of(LotStock))
    .where(
        sql.table_of(LotStock).c.id == bindparam("row_id"),
        sql.table_of(LotStock).c.on_hand + bindparam("d_on_hand") >= 0,
        sql.table_of(LotStock).c.quarantined + bindparam("d_quarantined") >= 0,
    )
    .values(
        {
            sql.table_of(LotStock).c.on_hand: sql.table_of(LotStock).c.on_hand + bindparam("d_on_hand"),
            sql.table_of(LotStock).c.quarantined: sql.table_of(LotStock).c.quarantined + bindparam("d_quarantined"),
        }
    )
)


def change(row_id: int, stock_id: int, lot_id: int, cause: Cause, *, on_hand: int = 0, quarantined: int = 0) -> bool:
    """Change one lot row and write its movement; False when a column would fall below zero."""
    if sql.change(_CHANGE, {"row_id": row_id, "d_on_hand": on_hand, "d_quarantined": quarantined}) != 1:
        return False
    sql.add(
        LotMovement,
        {
            "id": new_id(), "lot_stock_id": row_id, "lot_id": lot_id, "stock_id": stock_id, "kind": cause.kind,
            "cause_type": cause.type, "cause_id": cause.id, "line_id": cause.line_id, "on_hand_delta": on_hand,
            "quarantined_delta": quarantined, "note": cause.note or "-", "account_id": cause.account_id, "at": clock.now(),
        },
    )  # fmt: skip
    loaded = session().identity_map.get(session().identity_key(LotStock, row_id))
    if loaded is not None:
        session.expire(loaded)
    return True


_OPEN = (
    select(LotStock.id, LotStock.lot_id, LotStock.on_hand, Lot.lot_no, Lot.expires_on)
    .join(Lot, Lot.id == LotStock.lot_id)
    .where(
        LotStock.stock_id == bindparam("stock_id"), LotStock.on_hand > 0, Lot.status == "open",
        Lot.last_sale_on >= bindparam("arrives_on"),
    )
    .order_by(Lot.expires_on, Lot.id)
)  # fmt: skip


def choose(stock_id: int, quantity: int, arrives_on: date) -> list[tuple[Any, int]]:
    """Return (lot row, units) first-expired-first-out of open lots good on the promised day. Raises LotShort."""
    chosen, missing = [], quantity
    for row in sql.read(_OPEN, {"stock_id": stock_id, "arrives_on": arrives_on}):
        if missing > 0:
            chosen.append((row, min(row.on_hand, missing)))
            missing -= chosen[-1][1]
    if missing > 0:
        raise LotShort("stock.lot_short", f"可发批次不足 {missing} 件：其余批次已隔离，或送达时将过期", stock_id=stock_id, missing=missing)
    return chosen


def take(stock_id: int, quantity: int, arrives_on: date, cause: Cause) -> list[tuple[int, int]]:
    """Take units out of the lots that `choose` names; returns (lot id, units)."""
    taken = []
    for row, units in choose(stock_id, quantity, arrives_on):
        if not change(row.id, stock_id, row.lot_id, cause, on_hand=-units):
            raise RunAgain("a lot was moved by a twin")
        taken.append((row.lot_id, units))
    return taken


def block_late(sku_ids: Collection[int]) -> None:
    """Block lots of SKUs that are past their last day of sale, before units come back to them."""
    if sku_ids:
        lot = sql.table_of(Lot).c
        late = (lot.sku_id.in_(sorted(sku_ids)), lot.status == "open", lot.last_sale_on < clock.business_date())
        session.execute(update(sql.table_of(Lot)).where(*late).values(status="blocked", reason="已过可售期"))


_BLOCKED = (
    select(LotStock.id, LotStock.stock_id, LotStock.lot_id, LotStock.on_hand, Lot.reason)
    .join(Lot, Lot.id == LotStock.lot_id)
    .where(LotStock.stock_id.in_(bindparam("stock_ids", expanding=True)), LotStock.on_hand > 0, Lot.status != "open")
    .order_by(LotStock.stock_id, LotStock.id)
)


def set_aside(stock_ids: Sequence[int]) -> int:
    """Move units of blocked lots out of sale as far as they are free; returns how many.

    Units of a blocked lot that orders have been promised stay counted until units are freed or arrive; so a blocked unit is never
    sold a second time: a row with blocked units has none available. The stock rows are locked by the caller.
    """
    moved = 0
    if not stock_ids:
        return 0
    for row in sql.read(_BLOCKED, {"stock_ids": list(stock_ids)}).all():
        units = min(row.on_hand, free_of(row.stock_id))
        if units > 0:
            cause = Cause("quarantine", "block", new_id(), row.lot_id, note=row.reason)
            sql.add(Movement, movement(row.stock_id, cause.kind, cause.type, cause.id, row.lot_id, on_hand=-units, note=row.reason))
            left = add(row.stock_id, on_hand=-units)
            if not (left and change(row.id, row.stock_id, row.lot_id, cause, on_hand=-units, quarantined=units)):
                raise RunAgain("a lot was moved by a twin")
            moved += units
    return moved
