"""Reads of waves, shelves and trips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from app.catalog.models import Product, Sku
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.fulfilment.models import Shelf, Trip, TripStop, Wave, WaveOrder
from app.orders.models import Order

SHOWN = 100


def get_wave(actor: Actor, wave_id: int) -> Wave:
    """Return a wave of the actor's shop. Raises NotFound."""
    row = session.get(Wave, wave_id)
    if row is None or (actor.realm != "system" and row.merchant_id != actor.merchant_id):
        raise NotFound("wave.missing", "波次不存在")
    return row


def list_waves(merchant_id: int, cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (wave, number of its orders) of a shop, newest first."""
    count = select(func.count()).select_from(WaveOrder).where(WaveOrder.wave_id == Wave.id).scalar_subquery()
    statement = select(Wave, count).where(Wave.merchant_id == merchant_id)
    return paginate(statement, [Wave.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def orders_of_wave(wave_id: int) -> list[Order]:
    """Return a wave's orders by area, so that what goes one way lies together."""
    rows = select(Order).join(WaveOrder, WaveOrder.order_id == Order.id).where(WaveOrder.wave_id == wave_id)
    return list(session.scalars(rows.order_by(Order.area_code, Order.id)))


def waiting_for_wave(merchant_id: int) -> list[Order]:
    """Return a shop's paid orders that are in no wave, by area."""
    free = ~select(WaveOrder.id).where(WaveOrder.order_id == Order.id).exists()
    rows = select(Order).where(Order.merchant_id == merchant_id, Order.status == "paid", Order.hold == "-", free)
    return list(session.scalars(rows.order_by(Order.area_code, Order.id).limit(SHOWN)))


def skus_of_shop(merchant_id: int, sku_ids: Sequence[int] = ()) -> list[Any]:
    """Return (id, code, option key, title, place) of a shop's variants; place is None where none is set."""
    rows = (
        select(Sku.id, Sku.code, Sku.option_key, Product.title, Shelf.place)
        .join(Product, Product.id == Sku.product_id)
        .outerjoin(Shelf, Shelf.sku_id == Sku.id)
        .where(Sku.merchant_id == merchant_id, Sku.is_active == True)  # noqa: E712
    )
    if sku_ids:
        rows = rows.where(Sku.id.in_(list(sku_ids)))
    return list(session.execute(rows.order_by(Product.title, Sku.sort, Sku.id).limit(300)))


def get_trip(trip_id: int) -> Trip:
    """Return a trip; operators see all. Raises NotFound."""
    row = session.get(Trip, trip_id)
    if row is None:
        raise NotFound("trip.missing", "车次不存在")
    return row


def list_trips(cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (trip, number of its orders), newest first."""
    count = select(func.count()).select_from(TripStop).where(TripStop.trip_id == Trip.id).scalar_subquery()
    return paginate(select(Trip, count), [Trip.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def stops_of(trip_id: int) -> list[Any]:
    """Return (stop, order) of a trip in the order of the way."""
    rows = select(TripStop, Order).join(Order, Order.id == TripStop.order_id).where(TripStop.trip_id == trip_id)
    return list(session.execute(rows.order_by(TripStop.seq)))


def waiting_for_trip(area_code: str) -> list[Order]:
    """Return the orders to an area that are on no trip and have not arrived, of all shops."""
    free = ~select(TripStop.id).where(TripStop.order_id == Order.id).exists()
    rows = select(Order).where(Order.status.in_(("paid", "shipped")), Order.hold == "-", Order.delivered_at.is_(None), free)
    rows = rows.where(Order.area_code == area_code) if area_code else rows
    return list(session.scalars(rows.order_by(Order.area_code, Order.id).limit(SHOWN)))
