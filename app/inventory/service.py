"""Verbs of stock: receive, adjust, reserve, release, consume, ship (commerce.md §2.6).

Every change is a guarded UPDATE of one stock row plus a movement with a unique cause, in the caller's transaction. Rows are
changed in ascending id order, after everything else (shortest time on a hot row).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.inventory.models import Movement, Reservation, Stock, Warehouse
from app.merchants import queries as merchants
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


def _move(
    stock_id: int, kind: str, cause_type: str, cause_id: int, line_id: int = 0, *, on_hand: int = 0, allocated: int = 0,
    reserved: int = 0, account_id: int = 0, note: str = "-",
) -> None:  # fmt: skip
    """Write the movement that explains a change of columns."""
    session.add(
        Movement(
            id=new_id(), stock_id=stock_id, kind=kind, cause_type=cause_type, cause_id=cause_id, line_id=line_id,
            on_hand_delta=on_hand, allocated_delta=allocated, reserved_delta=reserved, quota_delta=0, note=note or "-",
            account_id=account_id, at=clock.now(),
        )
    )  # fmt: skip


def _add(stock_id: int, *, on_hand: int = 0, allocated: int = 0, reserved: int = 0) -> bool:
    """Change columns when no column and not the available amount would fall below zero; True when changed."""
    available = Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held
    result = session.execute(
        update(Stock)
        .where(
            Stock.id == stock_id, Stock.on_hand + on_hand >= 0, Stock.allocated + allocated >= 0, Stock.reserved + reserved >= 0,
            available + (on_hand - allocated - reserved) >= 0,
        )
        .values(on_hand=Stock.on_hand + on_hand, allocated=Stock.allocated + allocated, reserved=Stock.reserved + reserved)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


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
            _move(stock_id, kind, "manual", cause_id, on_hand=delta, account_id=actor.account_id, note=note[:120])
            session.flush()  # the unique cause decides before the columns change
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
    for stock_id, quantity in sorted(pairs):
        if stock_id not in done:
            _move(stock_id, "receive", "import", cause_id, on_hand=quantity)
            _add(stock_id, on_hand=quantity)


def reserve(lines: Sequence[tuple[int, int, int, int]], expires_at: datetime) -> None:
    """Hold units for order lines, all or nothing.

    lines: (order_id, line_id, sku_id, quantity). Demand is summed per stock row; rows are taken in id order.
    Raises OutOfStock(`stock.short`) naming the first short SKU.
    """
    skus = sorted({line[2] for line in lines})
    rows = session.execute(select(Stock.id, Stock.sku_id).where(Stock.sku_id.in_(skus)).order_by(Stock.id))
    stock_of: dict[int, int] = {}
    for row in rows:
        stock_of.setdefault(row.sku_id, row.id)
    demand: dict[int, int] = defaultdict(int)
    sku_of = {}
    for order_id, line_id, sku_id, quantity in lines:
        stock_id = stock_of.get(sku_id)
        if stock_id is None:
            raise OutOfStock("stock.short", "商品已售完", sku_id=sku_id)
        demand[stock_id] += quantity
        sku_of[stock_id] = sku_id
        session.add(
            Reservation(
                id=new_id(), order_id=order_id, line_id=line_id, stock_id=stock_id, quantity=quantity, state="active",
                expires_at=expires_at,
            )
        )  # fmt: skip
        _move(stock_id, "reserve", "order", order_id, line_id, reserved=quantity)
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(demand):
        if not _add(stock_id, reserved=demand[stock_id]):
            raise OutOfStock("stock.short", "库存不足，请减少数量", sku_id=sku_of[stock_id])


def _leave(
    order_ids: Sequence[int], from_: str, to: str, kind: str, *, on_hand: int = 0, allocated: int = 0, reserved: int = 0
) -> int:
    """Move orders' reservations from one state to another and change the columns by the signs given; returns how many moved.

    Reservations and movements are written first; the hot stock rows come last, summed, in id order.
    """
    totals: dict[int, int] = defaultdict(int)
    moved = 0
    for start in range(0, len(order_ids), IN_LIST):
        rows = session.execute(
            select(Reservation.id, Reservation.order_id, Reservation.line_id, Reservation.stock_id, Reservation.quantity)
            .where(Reservation.order_id.in_(list(order_ids[start : start + IN_LIST])), Reservation.state == from_)
            .order_by(Reservation.id)
        ).all()
        for row in rows:
            if not cas.change(Reservation, row.id, where={"state": from_}, values={"state": to}):
                continue
            n = row.quantity
            _move(
                row.stock_id, kind, "order", row.order_id, row.line_id, on_hand=on_hand * n, allocated=allocated * n,
                reserved=reserved * n,
            )  # fmt: skip
            totals[row.stock_id] += n
            moved += 1
    session.flush()  # everything is written before the hot rows are locked
    for stock_id in sorted(totals):
        n = totals[stock_id]
        if not _add(stock_id, on_hand=on_hand * n, allocated=allocated * n, reserved=reserved * n):
            raise Conflict("stock.columns", "库存列与预留不符，操作已撤销")
    return moved


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
