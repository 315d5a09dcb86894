"""Verbs of stock: receive, adjust, reserve, release, consume, ship (commerce.md §2.6).

Every change is a guarded UPDATE of one stock row plus a movement with a unique cause, in the caller's transaction. Rows are
changed in ascending id order, after everything else (shortest time on a hot row).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Update, bindparam, select, update

from app.audit import service as audit
from app.core import clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.inventory import queries
from app.inventory.models import Movement, Reservation, Stock, Warehouse
from app.merchants import queries as merchants
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

IN_LIST = 500


class OutOfStock(Conflict):
    """A variant has fewer units available than wanted; params: sku_id."""


def warehouse_of(merchant_id: int) -> Warehouse:
    """Return the merchant's own warehouse, made on first use."""
    own = (Warehouse.merchant_id == merchant_id, Warehouse.kind == "merchant")
    found = session.scalar(select(Warehouse).where(*own).order_by(Warehouse.id).limit(1))
    if found is not None:
        return found
    merchant = merchants.get_merchant(merchant_id)
    warehouse = Warehouse(
        id=new_id(), merchant_id=merchant_id, code=f"W{merchant_id}", name=f"{merchant.shop_name}仓", kind="merchant",
        area_code=merchant.area_code,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(warehouse)
            session.flush()  # the code is unique per merchant
    except UniqueViolation:
        return session.scalars(select(Warehouse).where(Warehouse.code == f"W{merchant_id}")).one()
    return warehouse


def ensure_stock(sku_ids: Collection[int], merchant_id: int) -> dict[int, int]:
    """Make empty stock rows for variants that have none; returns stock id by SKU id. Safe to repeat."""
    warehouse = warehouse_of(merchant_id)
    wanted = list(sku_ids)
    statement = select(Stock.sku_id, Stock.id).where(Stock.warehouse_id == warehouse.id, Stock.sku_id.in_(wanted))
    known = {r.sku_id: r.id for r in session.execute(statement)}
    for sku_id in wanted:
        if sku_id in known:
            continue
        stock_id = new_id()
        try:
            with session.begin_nested():
                session.add(
                    Stock(
                        id=stock_id, warehouse_id=warehouse.id, sku_id=sku_id, merchant_id=merchant_id, on_hand=0, allocated=0,
                        reserved=0, quota_held=0,
                    )
                )  # fmt: skip
                session.flush()  # (warehouse, SKU) is unique
            known[sku_id] = stock_id
        except UniqueViolation:
            known.update({r.sku_id: r.id for r in session.execute(statement)})
    return known


def _movement(
    stock_id: int, kind: str, cause_type: str, cause_id: int, line_id: int = 0, *, on_hand: int = 0, allocated: int = 0,
    reserved: int = 0, account_id: int = 0, note: str = "-",
) -> dict[str, Any]:  # fmt: skip
    """Return the movement that explains a change of columns."""
    return {
        "id": new_id(), "stock_id": stock_id, "kind": kind, "cause_type": cause_type, "cause_id": cause_id, "line_id": line_id,
        "on_hand_delta": on_hand, "allocated_delta": allocated, "reserved_delta": reserved, "quota_delta": 0, "note": note or "-",
        "account_id": account_id, "at": clock.now(),
    }  # fmt: skip


def _guarded_update() -> Update:
    """Return the one UPDATE of stock columns: none of them, nor the available amount, falls below zero."""
    table = sql.table_of(Stock)
    s = table.c
    on_hand, allocated, reserved = (bindparam(name, type_=Integer) for name in ("d_on_hand", "d_allocated", "d_reserved"))
    available = s.on_hand - s.allocated - s.reserved - s.quota_held
    return (
        update(table)
        .where(
            s.id == bindparam("stock_id"), s.on_hand + on_hand >= 0, s.allocated + allocated >= 0, s.reserved + reserved >= 0,
            available + on_hand - allocated - reserved >= 0,
        )
        .values({s.on_hand: s.on_hand + on_hand, s.allocated: s.allocated + allocated, s.reserved: s.reserved + reserved})
    )  # fmt: skip


def _guarded_move() -> Update:
    """Return the one UPDATE that moves reservations out of a state; the caller compares the number moved."""
    r = sql.table_of(Reservation).c
    where = (r.id.in_(bindparam("ids", expanding=True)), r.state == bindparam("from_state"))
    return update(sql.table_of(Reservation)).where(*where).values({r.state: bindparam("to_state")})


_CHANGE_COLUMNS = _guarded_update()
_CHANGE_STATE = _guarded_move()
_HELD = (
    select(Reservation.id, Reservation.order_id, Reservation.line_id, Reservation.stock_id, Reservation.quantity)
    .where(Reservation.order_id.in_(bindparam("order_ids", expanding=True)), Reservation.state == bindparam("from_state"))
    .order_by(Reservation.id)
)


def _add(stock_id: int, *, on_hand: int = 0, allocated: int = 0, reserved: int = 0) -> bool:
    """Change columns when no column and not the available amount would fall below zero; True when changed."""
    given = {"stock_id": stock_id, "d_on_hand": on_hand, "d_allocated": allocated, "d_reserved": reserved}
    return sql.change(_CHANGE_COLUMNS, given) == 1


def _stock_for(actor: Actor, stock_id: int) -> Stock:
    stock = session.get(Stock, stock_id)
    if stock is None or (actor.realm == "merchant" and stock.merchant_id != actor.merchant_id):
        raise NotFound("stock.missing", "库存记录不存在")
    return stock


def change_on_hand(actor: Actor, stock_id: int, delta: int, *, cause_id: int, note: str) -> None:
    """Receive (delta > 0) or write off (delta < 0) units of the actor's stock; once per cause, repeating changes nothing.

    Raises Invalid for zero or absurd amounts, OutOfStock when more would be written off than is free.
    """
    stock = _stock_for(actor, stock_id)
    if delta == 0 or abs(delta) > 1_000_000:
        raise Invalid("stock.delta", "请填写 1–1000000 的数量", field="delta")
    kind = "receive" if delta > 0 else "adjust"
    try:
        with session.begin_nested():
            # The unique cause decides before the columns change.
            sql.add(Movement, _movement(stock_id, kind, "manual", cause_id, on_hand=delta, account_id=actor.account_id, note=note[:120]))
    except UniqueViolation:
        return
    if not _add(stock_id, on_hand=delta):
        raise OutOfStock("stock.short", "可用库存不足，不能减少这么多", sku_id=stock.sku_id)
    audit.record(actor, "stock.changed", "stock", stock_id, detail={"delta": delta, "note": note[:120]})


def receive_declared(merchant_id: int, sku_ids: Sequence[int], quantities: Sequence[int], cause_id: int) -> None:
    """Receive opening stock of many variants; repeating the same cause changes nothing."""
    stocks = ensure_stock(sku_ids, merchant_id)
    pairs = [(stocks[s], q) for s, q in zip(sku_ids, quantities, strict=True) if q > 0]
    done = set(
        session.scalars(
            select(Movement.stock_id).where(
                Movement.cause_type == "import", Movement.cause_id == cause_id, Movement.stock_id.in_([p[0] for p in pairs])
            )
        )
    )
    fresh = [(stock_id, quantity) for stock_id, quantity in sorted(pairs) if stock_id not in done]
    sql.add_all(Movement, [_movement(stock_id, "receive", "import", cause_id, on_hand=quantity) for stock_id, quantity in fresh])
    for stock_id, quantity in fresh:
        _add(stock_id, on_hand=quantity)


def reserve(
    lines: Sequence[tuple[int, int, int, int]], expires_at: datetime, known: Mapping[int, Mapping[int, int]] | None = None
) -> None:
    """Hold units for order lines, all or nothing. known: what `queries.free_units` said in this transaction, if it was asked.

    lines: (order_id, line_id, sku_id, quantity). A line takes the first warehouse that holds all of it, else several. Demand is
    summed per stock row; rows are taken in id order. Raises OutOfStock(`stock.short`) naming the first short SKU; a retryable
    Conflict when a row emptied meanwhile and another warehouse may have units.
    """
    free = {sku_id: dict(known[sku_id]) for sku_id in known} if known is not None else queries.free_units({line[2] for line in lines})
    held: list[dict[str, Any]] = []
    demand: dict[int, int] = defaultdict(int)
    sku_of: dict[int, int] = {}
    for order_id, line_id, sku_id, quantity in lines:
        for stock_id, units in _spread(free[sku_id], sku_id, quantity):
            free[sku_id][stock_id] -= units
            demand[stock_id] += units
            sku_of[stock_id] = sku_id
            held.append(
                {
                    "id": new_id(), "order_id": order_id, "line_id": line_id, "stock_id": stock_id, "quantity": units,
                    "state": "active", "expires_at": expires_at,
                }
            )  # fmt: skip
    sql.add_all(Reservation, held)
    moved = [_movement(h["stock_id"], "reserve", "order", h["order_id"], h["line_id"], reserved=h["quantity"]) for h in held]
    sql.add_all(Movement, moved)
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(demand):
        if not _add(stock_id, reserved=demand[stock_id]):
            sku_id = sku_of[stock_id]
            if len(free[sku_id]) > 1:
                raise RunAgain("another warehouse may have the units")
            raise OutOfStock("stock.short", "库存不足，请减少数量", sku_id=sku_id)


def _spread(free: dict[int, int], sku_id: int, quantity: int) -> list[tuple[int, int]]:
    """Choose stock rows for a line: (stock_id, units). Raises OutOfStock."""
    whole = next((stock_id for stock_id, units in free.items() if units >= quantity), None)
    if whole is not None:
        return [(whole, quantity)]
    chosen, missing = [], quantity
    for stock_id, units in free.items():
        if units > 0 and missing > 0:
            chosen.append((stock_id, min(units, missing)))
            missing -= chosen[-1][1]
    if missing > 0:
        raise OutOfStock("stock.short", "库存不足，请减少数量" if chosen else "商品已售完", sku_id=sku_id)
    return chosen


def _leave(
    order_ids: Sequence[int], from_: str, to: str, kind: str, *, on_hand: int = 0, allocated: int = 0, reserved: int = 0
) -> int:
    """Move orders' reservations from one state to another and change the columns by the signs given; returns how many moved.

    Reservations and movements are written first; the hot stock rows come last, summed, in id order.
    """
    totals: dict[int, int] = defaultdict(int)
    movements: list[dict[str, Any]] = []
    for start in range(0, len(order_ids), IN_LIST):
        part = list(order_ids[start : start + IN_LIST])
        held = sql.read(_HELD, {"order_ids": part, "from_state": from_}).all()
        ids = [row.id for row in held]
        if ids and sql.change(_CHANGE_STATE, {"ids": ids, "from_state": from_, "to_state": to}) != len(ids):
            raise RunAgain("a reservation was moved by a twin")
        for row in held:
            n = row.quantity
            movements.append(
                _movement(
                    row.stock_id, kind, "order", row.order_id, row.line_id, on_hand=on_hand * n, allocated=allocated * n,
                    reserved=reserved * n,
                )
            )  # fmt: skip
            totals[row.stock_id] += n
    sql.add_all(Movement, movements)
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(totals):
        n = totals[stock_id]
        if not _add(stock_id, on_hand=on_hand * n, allocated=allocated * n, reserved=reserved * n):
            raise Conflict("stock.columns", "库存列与预留不符，操作已撤销")
    return len(movements)


def release(*order_ids: int) -> int:
    """Give unpaid orders' units back; only what is still active moves, so repeating changes nothing."""
    return _leave(order_ids, "active", "released", "release", reserved=-1)


def consume(*order_ids: int) -> int:
    """Turn paid orders' reservations into allocations."""
    return _leave(order_ids, "active", "consumed", "allocate", allocated=1, reserved=-1)


def ship(*order_ids: int) -> int:
    """Take shipped orders' units out of the house."""
    return _leave(order_ids, "consumed", "shipped", "ship", on_hand=-1, allocated=-1)


def unallocate(*order_ids: int) -> int:
    """Give paid, unshipped orders' units back to sale."""
    return _leave(order_ids, "consumed", "returned", "unallocate", allocated=-1)
