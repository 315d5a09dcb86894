"""Verbs of stock: receive, adjust, reserve, release, consume, ship (commerce.md §2.6).

Every change is a guarded UPDATE of one stock row plus a movement with a unique cause, in the caller's transaction. Rows are
changed in ascending id order, after everything else (shortest time on a hot row).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Update, bindparam, select, update

from app.audit import service as audit
from app.core import clock, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.inventory import queries
from app.inventory.models import Item, Lot, Movement, Reservation, Stock, Warehouse
from app.inventory.service import lot_rows
from app.inventory.service.columns import OutOfStock, add, movement, stock_for
from app.inventory.service.lot_rows import Cause
from app.merchants import queries as merchants
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

IN_LIST = 500
OPENING = "期初"


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


def ensure_stock(sku_ids: Collection[int], merchant_id: int, warehouse_id: int = 0) -> dict[int, int]:
    """Make empty stock rows for variants that have none in a warehouse (0: the merchant's own); returns stock id by SKU id.

    A row is kept as its SKU is (lots, bundle). Safe to repeat.
    """
    place = warehouse_id or warehouse_of(merchant_id).id
    wanted = list(sku_ids)
    statement = select(Stock.sku_id, Stock.id).where(Stock.warehouse_id == place, Stock.sku_id.in_(wanted))
    known = {r.sku_id: r.id for r in session.execute(statement)}
    missing = [sku_id for sku_id in wanted if sku_id not in known]
    if not missing:
        return known
    kept = select(Item.sku_id, Item.tracking).where(Item.sku_id.in_(missing), Item.tracking != "none")
    tracking = {r.sku_id: r.tracking for r in session.execute(kept)}
    for sku_id in wanted:
        if sku_id in known:
            continue
        stock_id = new_id()
        try:
            with session.begin_nested():
                session.add(
                    Stock(
                        id=stock_id, warehouse_id=place, sku_id=sku_id, merchant_id=merchant_id, on_hand=0, allocated=0,
                        reserved=0, quota_held=0, tracking=tracking.get(sku_id, "none"),
                    )
                )  # fmt: skip
                session.flush()  # (warehouse, SKU) is unique
            known[sku_id] = stock_id
        except UniqueViolation:
            known.update({r.sku_id: r.id for r in session.execute(statement)})
    return known


def _guarded_move() -> Update:
    """Return the one UPDATE that moves reservations out of a state; the caller compares the number moved."""
    r = sql.table_of(Reservation).c
    where = (r.id.in_(bindparam("ids", expanding=True)), r.state == bindparam("from_state"))
    return update(sql.table_of(Reservation)).where(*where).values({r.state: bindparam("to_state")})


_CHANGE_STATE = _guarded_move()
_HELD = (
    select(Reservation.id, Reservation.order_id, Reservation.line_id, Reservation.stock_id, Reservation.quantity)
    .where(Reservation.order_id.in_(bindparam("order_ids", expanding=True)), Reservation.state == bindparam("from_state"))
    .order_by(Reservation.id)
)
# The same with how the SKU is kept, for the steps that lots take part in; payment, which they do not, is spared the join.
_HELD_KEPT = _HELD.join(Stock, Stock.id == Reservation.stock_id).add_columns(Stock.tracking)


def change_on_hand(actor: Actor, stock_id: int, delta: int, *, cause_id: int, note: str) -> None:
    """Receive (delta > 0) or write off (delta < 0) units of the actor's stock; once per cause, repeating changes nothing.

    Raises Invalid for zero or absurd amounts and for what is kept by lots or made of components, OutOfStock when more would be
    written off than is free.
    """
    stock = stock_for(actor, stock_id)
    if delta == 0 or abs(delta) > 1_000_000:
        raise Invalid("stock.delta", "请填写 1–1000000 的数量", field="delta")
    if stock.tracking != "none":
        raise Invalid("stock.tracked", "该商品按批次或组合管理，请通过收货、盘点或批次页面调整", field="delta")
    kind = "receive" if delta > 0 else "adjust"
    try:
        with session.begin_nested():
            # The unique cause decides before the columns change.
            sql.add(Movement, movement(stock_id, kind, "manual", cause_id, on_hand=delta, account_id=actor.account_id, note=note[:120]))
    except UniqueViolation:
        return
    if not add(stock_id, on_hand=delta):
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
    sql.add_all(Movement, [movement(stock_id, "receive", "import", cause_id, on_hand=quantity) for stock_id, quantity in fresh])
    tracked = set(session.scalars(select(Stock.id).where(Stock.id.in_([p[0] for p in fresh]), Stock.tracking == "lot")))
    for stock_id, quantity in fresh:
        add(stock_id, on_hand=quantity)
        if stock_id in tracked:
            _into_opening_lot(stock_id, quantity, cause_id)


def _into_opening_lot(stock_id: int, quantity: int, cause_id: int) -> None:
    """Keep units that came without a lot number in a lot of their own, so that the lots still add up."""
    stock = session.get_one(Stock, stock_id)
    lot_id = opening_lot(stock.merchant_id, stock.sku_id)
    cause = Cause("receive", "import", cause_id)
    lot_rows.change(lot_rows.row_of(stock_id, lot_id), stock_id, lot_id, cause, on_hand=quantity)


def opening_lot(merchant_id: int, sku_id: int) -> int:
    """Return the lot of units whose lot number nobody knows, made on first use; it has no expiry."""
    wanted = select(Lot.id).where(Lot.sku_id == sku_id, Lot.lot_no == OPENING)
    found = session.scalar(wanted)
    if found is not None:
        return found
    lot_id = new_id()
    try:
        with session.begin_nested():
            session.add(Lot(id=lot_id, merchant_id=merchant_id, sku_id=sku_id, lot_no=OPENING, created_at=clock.now()))
            session.flush()
    except UniqueViolation:
        return session.scalars(wanted).one()
    return lot_id


def reserve(
    lines: Sequence[tuple[int, int, int, int]], expires_at: datetime, known: Mapping[int, Mapping[int, int]] | None = None,
    area_code: str = "-",
) -> None:  # fmt: skip
    """Hold units for order lines, all or nothing. known: what `queries.free_units` said in this transaction, if it was asked.

    lines: (order_id, line_id, sku_id, quantity). A line takes the first warehouse that holds all of it, else several; where there
    are several, those that serve the district come first, then by priority. A bundle holds its components. Demand is summed per
    stock row; rows are taken in id order. Raises OutOfStock(`stock.short`) naming the first short SKU; a retryable Conflict when a
    row emptied meanwhile and another warehouse may have units.
    """
    given = known if known is not None else queries.free_units({line[2] for line in lines})
    free, wanted = _exploded(lines, given)
    several = [sku_id for sku_id, rows in free.items() if len(rows) > 1]
    if several:
        free.update(queries.by_preference({sku_id: free[sku_id] for sku_id in several}, area_code))
    held: list[dict[str, Any]] = []
    demand: dict[int, int] = defaultdict(int)
    sku_of: dict[int, int] = {}
    for order_id, line_id, sku_id, quantity, sold_as in wanted:
        for stock_id, units in _spread(free[sku_id], sold_as, quantity):
            free[sku_id][stock_id] -= units
            demand[stock_id] += units
            sku_of[stock_id] = sku_id
            held.append(
                {
                    "id": new_id(), "order_id": order_id, "line_id": line_id, "stock_id": stock_id, "quantity": units,
                    "state": "active", "expires_at": expires_at, "returned": 0,
                }
            )  # fmt: skip
    sql.add_all(Reservation, held)
    moved = [movement(h["stock_id"], "reserve", "order", h["order_id"], h["line_id"], reserved=h["quantity"]) for h in held]
    sql.add_all(Movement, moved)
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(demand):
        if not add(stock_id, reserved=demand[stock_id]):
            sku_id = sku_of[stock_id]
            if len(free[sku_id]) > 1:
                raise RunAgain("another warehouse may have the units")
            raise OutOfStock("stock.short", "库存不足，请减少数量", sku_id=sku_id)


def _exploded(
    lines: Sequence[tuple[int, int, int, int]], given: Mapping[int, Mapping[int, int]]
) -> tuple[dict[int, dict[int, int]], list[tuple[int, int, int, int, int]]]:
    """Return free units by SKU to draw on, and lines (order, line, SKU, units, SKU as sold) with bundles as their components."""
    free: dict[int, dict[int, int]] = {}
    wanted = []
    for order_id, line_id, sku_id, quantity in lines:
        rows = given[sku_id]
        if isinstance(rows, queries.BundleUnits):
            for part, per_bundle in rows.recipe:
                free.setdefault(part, dict(rows.parts[part]))
                wanted.append((order_id, line_id, part, quantity * per_bundle, sku_id))
        else:
            free.setdefault(sku_id, dict(rows))
            wanted.append((order_id, line_id, sku_id, quantity, sku_id))
    return free, wanted


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
    order_ids: Sequence[int], from_: str, to: str, kind: str, *, on_hand: int = 0, allocated: int = 0, reserved: int = 0,
    tracked: list[Any] | None = None,
) -> int:  # fmt: skip
    """Move orders' reservations from one state to another and change the columns by the signs given; returns how many moved.

    Reservations and movements are written first; the hot stock rows come last, summed, in id order. tracked: receives the
    reservations of SKUs kept by lots, whose lot rows the caller moves under the lock of the stock rows.
    """
    totals: dict[int, int] = defaultdict(int)
    movements: list[dict[str, Any]] = []
    statement = _HELD if tracked is None else _HELD_KEPT
    for start in range(0, len(order_ids), IN_LIST):
        part = list(order_ids[start : start + IN_LIST])
        held = sql.read(statement, {"order_ids": part, "from_state": from_}).all()
        ids = [row.id for row in held]
        if ids and sql.change(_CHANGE_STATE, {"ids": ids, "from_state": from_, "to_state": to}) != len(ids):
            raise RunAgain("a reservation was moved by a twin")
        for row in held:
            n = row.quantity
            movements.append(
                movement(
                    row.stock_id, kind, "order", row.order_id, row.line_id, on_hand=on_hand * n, allocated=allocated * n,
                    reserved=reserved * n,
                )
            )  # fmt: skip
            totals[row.stock_id] += n
            if tracked is not None and row.tracking == "lot":
                tracked.append(row)
    sql.add_all(Movement, movements)
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(totals):
        n = totals[stock_id]
        if not add(stock_id, on_hand=on_hand * n, allocated=allocated * n, reserved=reserved * n):
            raise Conflict("stock.columns", "库存列与预留不符，操作已撤销")
    return len(movements)


def _freed(tracked: Sequence[Any]) -> None:
    """Take freed units of blocked lots out of sale before anybody can have them."""
    lot_rows.set_aside(sorted({row.stock_id for row in tracked}))


def release(*order_ids: int) -> int:
    """Give unpaid orders' units back; only what is still active moves, so repeating changes nothing."""
    tracked: list[Any] = []
    moved = _leave(order_ids, "active", "released", "release", reserved=-1, tracked=tracked)
    _freed(tracked)
    return moved


def consume(*order_ids: int) -> int:
    """Turn paid orders' reservations into allocations."""
    return _leave(order_ids, "active", "consumed", "allocate", allocated=1, reserved=-1)


def ship(*order_ids: int, arrives_on: date | None = None) -> int:
    """Take shipped orders' units out of the house; those kept by lots first-expired-first-out (T18).

    arrives_on: the promised day, by default as many days ahead as `trade.delivery_days` says; a lot that would leave the buyer less
    than the SKU's minimum remaining days is passed over. Raises LotShort(`stock.lot_short`) when no open lot is good enough.
    """
    tracked: list[Any] = []
    moved = _leave(order_ids, "consumed", "shipped", "ship", on_hand=-1, allocated=-1, tracked=tracked)
    day = arrives_on or clock.business_date() + timedelta(days=runtime.current().settings.trade.delivery_days)
    for row in sorted(tracked, key=lambda r: (r.stock_id, r.id)):
        lot_rows.take(row.stock_id, row.quantity, day, Cause("ship", "order", row.order_id, row.line_id))
    return moved


def unallocate(*order_ids: int) -> int:
    """Give paid, unshipped orders' units back to sale."""
    tracked: list[Any] = []
    moved = _leave(order_ids, "consumed", "returned", "unallocate", allocated=-1, tracked=tracked)
    _freed(tracked)
    return moved
