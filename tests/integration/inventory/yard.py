"""A warehouse in a few lines: SKUs kept by lots, orders that hold, ship and return, and the proof that all adds up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory import queries, service
from app.inventory.models import Lot, LotStock, Stock
from app.inventory.service import lots, verify
from app.inventory.service.lot_rows import Cause
from tests.factories import market

DELIVERY = 2


def day(ahead: int) -> date:
    """The business day so many days ahead."""
    return clock.business_date() + timedelta(days=ahead)


def owner(shop: market.Shop, account_id: int = 1) -> Actor:
    """An actor of the shop."""
    return Actor("merchant", account_id=account_id, name="店主", merchant_id=shop.merchant_id)


def stock_of(sku_id: int) -> Stock:
    """The first stock row of a SKU, as it is now."""
    session.rollback()
    session.expire_all()
    return session.scalars(select(Stock).where(Stock.sku_id == sku_id).order_by(Stock.id)).first()  # type: ignore[return-value]


def free(sku_id: int) -> int:
    """Available units."""
    session.rollback()
    return queries.available([sku_id])[sku_id]


def tracked_shop(stock: int = 0, *, shelf_days: int = 0, min_days: int = 0) -> tuple[market.Shop, int, int]:
    """A shop whose first SKU is kept by lots; returns it with the SKU and its stock row."""
    shop = market.make_shop(stock=stock)
    sku_id = shop.sku_ids[0]
    with transaction():
        lots.keep_by_lots(owner(shop), sku_id, shelf_days=shelf_days, min_remaining_days=min_days)
    return shop, sku_id, stock_of(sku_id).id


def receive(shop: market.Shop, stock_id: int, lot_no: str, units: int, expires: int | None = None, cause_id: int = 0) -> int:
    """Receive units of a lot that expires so many days ahead; returns the lot's id."""
    with transaction():
        sku_id = session.get_one(Stock, stock_id).sku_id
        lot = lots.open_lot(owner(shop), sku_id, lot_no, expires_on=None if expires is None else day(expires))
        lot_id = lot.id
        lots.receive_into(owner(shop), stock_id, lot, units, cause=Cause("receive", "test", cause_id or new_id()))
    return lot_id


def order(*lines: tuple[int, int], paid: bool = True) -> tuple[int, list[int]]:
    """Reserve (SKU, units) lines for an order of their own, and pay it; returns the order and its line ids."""
    order_id, line_ids = new_id(), [new_id() for _ in lines]
    with transaction():
        rows = [(order_id, line_id, sku_id, units) for line_id, (sku_id, units) in zip(line_ids, lines, strict=True)]
        service.reserve(rows, clock.now() + timedelta(minutes=30))
    if paid:
        with transaction():
            service.consume(order_id)
    return order_id, line_ids


def lot_units(stock_id: int) -> dict[str, tuple[int, int]]:
    """(on hand, quarantined) of a stock row by lot number; '-' is the quarantine of a SKU without lots."""
    session.rollback()  # other threads have written
    session.expire_all()
    rows = session.execute(
        select(Lot.lot_no, LotStock.on_hand, LotStock.quarantined)
        .select_from(LotStock)
        .outerjoin(Lot, Lot.id == LotStock.lot_id)
        .where(LotStock.stock_id == stock_id)
    )
    return {number or "-": (on_hand, quarantined) for number, on_hand, quarantined in rows if on_hand or quarantined}


def proven() -> None:
    """Nothing differs: columns, movements, lots, holds and reservations add up."""
    session.rollback()
    session.expire_all()
    assert verify.verify() == []


def on_hand_now(sku_id: int) -> int:
    """What the book says inside the present transaction."""
    return int(session.scalar(select(Stock.on_hand).where(Stock.sku_id == sku_id).order_by(Stock.id).limit(1)) or 0)


def row_id(stock_id: int, lot_id: int) -> int:
    """The LotStock row of a lot."""
    return session.scalars(select(LotStock.id).where(LotStock.stock_id == stock_id, LotStock.lot_id == lot_id)).one()


def columns(sku_id: int) -> dict[str, Any]:
    """The columns of a SKU's first stock row."""
    stock = stock_of(sku_id)
    return {name: getattr(stock, name) for name in ("on_hand", "allocated", "reserved", "quota_held")}


__all__ = ["SYSTEM", "Actor", "columns", "day", "free", "lot_units", "order", "owner", "proven", "receive", "row_id", "stock_of", "tracked_shop"]
