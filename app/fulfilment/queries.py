"""Reads of fulfilment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from app.catalog.models import Sku
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.delivery.models import DeliveryGoods, Pickup, PickupPoint
from app.fulfilment import states
from app.fulfilment.carriers import CARRIERS
from app.fulfilment.models import (
    Parcel,
    ParcelLine,
    PrintLog,
    Shelf,
    TemperatureReading,
    TrackingEvent,
    Waybill,
)
from app.fulfilment.papers import Row
from app.orders import queries as order_queries
from app.orders.models import Order, OrderLine


@dataclass(frozen=True)
class ParcelView:
    """A parcel with its scans, newest first."""

    parcel: Parcel
    carrier_name: str
    events: Sequence[TrackingEvent]


def waiting_units(order: Order) -> dict[int, int]:
    """Return the units of each line of a paid order that no parcel holds yet and nobody gave back, by line id."""
    lines = order_queries.lines_of([order.id])[order.id]
    p = ParcelLine
    sent = dict(
        session.execute(select(p.line_id, func.sum(p.quantity)).where(p.order_id == order.id).group_by(p.line_id)).tuples().all()
    )
    if order.status != "paid":
        return {line.id: 0 for line in lines}
    back = order_queries.units_back(order.id)
    return {line.id: max(0, line.quantity - int(sent.get(line.id, 0)) - back.get(line.id, 0)) for line in lines}


def get_parcel(actor: Actor, parcel_id: int) -> Parcel:
    """Return a parcel of the actor's shop, any for operators. Raises NotFound."""
    row = session.get(Parcel, parcel_id)
    if row is None or (actor.realm not in {"system", "operator"} and row.merchant_id != actor.merchant_id):
        raise NotFound("parcel.missing", "包裹不存在")
    return row


def readings_of(parcel_id: int) -> list[TemperatureReading]:
    """Return a parcel's temperatures, newest first, up to 200."""
    t = TemperatureReading
    return list(session.scalars(select(t).where(t.parcel_id == parcel_id).order_by(t.at.desc(), t.id.desc()).limit(200)))


def contents_of(parcel_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return units by line id for each parcel; one query."""
    found: dict[int, dict[int, int]] = {parcel_id: {} for parcel_id in parcel_ids}
    if found:
        for row in session.scalars(select(ParcelLine).where(ParcelLine.parcel_id.in_(list(found)))):
            found[row.parcel_id][row.line_id] = row.quantity
    return found


def prints_of(object_ids: Sequence[int]) -> dict[tuple[str, int], int]:
    """Return how often each (kind, object) was printed; one query."""
    if not object_ids:
        return {}
    p = PrintLog
    counted = select(p.kind, p.object_id, func.max(p.seq)).where(p.object_id.in_(list(object_ids)))
    rows = session.execute(counted.group_by(p.kind, p.object_id))
    return {(row[0], row[1]): int(row[2]) for row in rows}


def parcels_of(order_id: int) -> list[ParcelView]:
    """Return an order's parcels with their scans; two queries. The caller has checked who may see the order."""
    parcels = list(session.scalars(select(Parcel).where(Parcel.order_id == order_id).order_by(Parcel.id)))
    if not parcels:
        return []
    scans = list(
        session.scalars(
            select(TrackingEvent)
            .where(TrackingEvent.parcel_id.in_([p.id for p in parcels]))
            .order_by(TrackingEvent.at.desc(), TrackingEvent.id.desc())
        )
    )
    return [
        ParcelView(p, CARRIERS.get(p.carrier, p.carrier), [e for e in scans if e.parcel_id == p.id]) for p in parcels
    ]


def list_pickups(merchant_id: int, state: str = "", cursor: str = "", size: int = 30) -> Page[Any]:
    """Return (pickup, order) of a shop's own orders that are collected, newest first."""
    statement = select(Pickup, Order).join(Order, Order.id == Pickup.order_id).where(Pickup.merchant_id == merchant_id)
    if state:
        statement = statement.where(Pickup.state == state)
    else:
        statement = statement.where(Order.status.in_(("paid", "shipped", "completed")))
    return paginate(statement, [Pickup.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def handed_over(actor: Actor, limit: int = 10) -> list[Any]:
    """Return (pickup, order) of the clerk's last handings-over."""
    mine = (Pickup.collected_by == actor.account_id, Pickup.state == "collected")
    point_ids = select(PickupPoint.id).where(PickupPoint.merchant_id == actor.merchant_id)
    return list(
        session.execute(
            select(Pickup, Order).join(Order, Order.id == Pickup.order_id)
            .where(*mine, Pickup.point_id.in_(point_ids)).order_by(Pickup.collected_at.desc()).limit(limit)
        )
    )  # fmt: skip


def order_to_hand_over(order_id: int) -> tuple[Order, Sequence[OrderLine]]:
    """Return an order and its lines for the clerk who holds its code; the caller has checked the code."""
    return order_queries.get_for(SYSTEM, order_id), order_queries.lines_of([order_id])[order_id]


def pick_rows(orders: Sequence[Order]) -> list[Row]:
    """Return what waits of orders, one row for each variant, by its shelf and then its name; a few queries and one for each order."""
    lines = order_queries.lines_of([order.id for order in orders])
    wanted: dict[int, int] = {}
    named: dict[int, OrderLine] = {}
    for order in orders:
        waiting = waiting_units(order)
        for line in lines[order.id]:
            wanted[line.sku_id] = wanted.get(line.sku_id, 0) + waiting[line.id]
            named[line.sku_id] = line
    found = select(Sku.id, Sku.code, Shelf.place).outerjoin(Shelf, Shelf.sku_id == Sku.id).where(Sku.id.in_(list(named)))
    known = {row.id: row for row in session.execute(found)} if named else {}
    codes, places = {i: row.code for i, row in known.items()}, {i: row.place or "" for i, row in known.items()}
    rows = [
        Row(
            places.get(sku_id, "").removeprefix("-"), named[sku_id].title, named[sku_id].option_key.removeprefix("-"), units,
            codes.get(sku_id, ""),
        )
        for sku_id, units in wanted.items() if units
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.place, row.title, row.option))


def list_parcels(merchant_id: int = 0, view: str = "", cursor: str = "", size: int = 30) -> Page[Any]:
    """Return (parcel, order) of a shop or of all, newest first. view: open | failed | breached, anything else is all."""
    statement = select(Parcel, Order).join(Order, Order.id == Parcel.order_id)
    if merchant_id:
        statement = statement.where(Parcel.merchant_id == merchant_id)
    if view == "open":
        statement = statement.where(Parcel.status.not_in(list(states.FINAL)))
    elif view == "failed":
        statement = statement.where(Parcel.status.in_(list(states.FAILED)))
    elif view == "breached":
        statement = statement.where(Parcel.breached_at.is_not(None))
    return paginate(statement, [Parcel.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def has_parcel(order_id: int) -> bool:
    """Tell whether a parcel of an order exists: then its lines and its address stay."""
    return session.scalar(select(Parcel.id).where(Parcel.order_id == order_id).limit(1)) is not None


def weight_of(units: Mapping[int, int]) -> int:
    """Return the grams of some units by SKU; one query."""
    rows = session.execute(select(Sku.id, Sku.weight_g).where(Sku.id.in_(sorted(units)))) if units else ()
    return sum(weight * units[sku_id] for sku_id, weight in rows)


def load_of(order_id: int) -> tuple[int, int]:
    """Return (grams, cm³) of an order; volumes are those of its freight template."""
    lines = order_queries.lines_of([order_id])[order_id]
    g = DeliveryGoods
    own = g.product_id.in_(sorted({line.product_id for line in lines}))
    rows = session.execute(select(g.product_id, g.sku_id, g.volume_cm3).where(own))
    volumes = {(row.product_id, row.sku_id): row.volume_cm3 for row in rows}
    bulk = sum(n.quantity * (volumes.get((n.product_id, n.sku_id)) or volumes.get((n.product_id, 0), 0)) for n in lines)
    return weight_of(_summed(lines)), bulk


def _summed(lines: Sequence[OrderLine]) -> dict[int, int]:
    units: dict[int, int] = {}
    for line in lines:
        units[line.sku_id] = units.get(line.sku_id, 0) + line.quantity
    return units


def get_waybill(actor: Actor, waybill_id: int) -> Waybill:
    """Return an e-waybill of the actor's shop. Raises NotFound."""
    row = session.get(Waybill, waybill_id)
    if row is None or (actor.realm not in {"system", "operator"} and row.merchant_id != actor.merchant_id):
        raise NotFound("waybill.missing", "电子面单不存在")
    return row


def open_waybills(order_id: int) -> list[Waybill]:
    """Return the e-waybills of an order that no parcel was sent with."""
    used = select(Parcel.tracking_no).where(Parcel.order_id == order_id)
    mine = (Waybill.order_id == order_id, Waybill.state != "cancelled", Waybill.tracking_no.not_in(used))
    return list(session.scalars(select(Waybill).where(*mine).order_by(Waybill.id.desc())))
