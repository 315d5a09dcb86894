"""Verbs of fulfilment: ship an order, take tracking events, mark delivered (commerce.md §2.13)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, events, jobs
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.fulfilment import carriers
from app.fulfilment.events import ParcelShipped
from app.fulfilment.models import Parcel, TrackingEvent
from app.orders import queries as order_queries
from app.orders import service as orders
from dbadapters.errors import UniqueViolation

SIMULATE_JOB = "fulfilment.simulate_scan"
DELIVERED = "delivered"
SIMULATED_SCANS = (
    (20, "collected", "快件已揽收", "{place}营业点"), (60, "in_transit", "快件已到达区域中心仓", "澜州区域中心仓"),
    (120, "out_for_delivery", "快件正在派送", "{place}"), (240, DELIVERED, "快件已签收", "{place}"),
)  # fmt: skip


def ship(actor: Actor, order_id: int, carrier: str, tracking_no: str) -> Parcel:
    """Send the whole order as one parcel: order paid→shipped, stock leaves, buyer's timeline shows the number.

    Raises Invalid for carrier or number, Conflict(`parcel.tracking_used`) when the number is already on another parcel,
    Conflict(`order.not_shippable`) from orders, NotFound for another merchant's order.
    """
    carrier, number = carriers.check(carrier, tracking_no)
    order = order_queries.get_for(actor, order_id)
    at = clock.now()
    parcel = Parcel(
        id=new_id(), order_id=order_id, merchant_id=order.merchant_id, carrier=carrier, tracking_no=number,
        status="shipped", shipped_at=at,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(parcel)
            session.flush()  # (carrier, number) is unique: say so before anything moves
    except UniqueViolation:
        raise Conflict("parcel.tracking_used", "此快递单号已用于其他包裹", field="tracking_no") from None
    orders.mark_shipped(actor, order_id)
    name = carriers.CARRIERS[carrier]
    _add_event(parcel.id, "shipped", "shipped", "-", f"商家已发货，{name} {number}", at)
    events.publish(ParcelShipped(order_id, parcel.id, clock.microseconds(at)))
    audit.record(actor, "parcel.shipped", "order", order_id, detail={"carrier": carrier, "tracking_no": number})
    return parcel


def _add_event(parcel_id: int, source_key: str, kind: str, place: str, text: str, at: datetime) -> bool:
    known = select(TrackingEvent.id).where(
        TrackingEvent.parcel_id == parcel_id, TrackingEvent.source_key == source_key
    )
    if session.scalar(known) is not None:
        return False
    session.add(
        TrackingEvent(
            id=new_id(), parcel_id=parcel_id, source_key=source_key, kind=kind, place=place or "-", text=text, at=at
        )
    )
    return True


def track(carrier: str, tracking_no: str, source_key: str, kind: str, place: str, text: str, at: datetime) -> bool:
    """Take one scan of a parcel; False when this scan is already known. A delivered scan marks the order delivered.

    Raises NotFound for an unknown parcel.
    """
    parcel = session.scalar(select(Parcel).where(Parcel.carrier == carrier, Parcel.tracking_no == tracking_no))
    if parcel is None:
        raise NotFound("parcel.missing", "没有这个快递单号")
    if not _add_event(parcel.id, source_key, kind, place, text, at):
        return False
    if kind == DELIVERED and cas.change(
        Parcel, parcel.id, where={"status": "shipped"}, values={"status": DELIVERED, "delivered_at": at}
    ):
        orders.mark_delivered(parcel.order_id)
        audit.record(SYSTEM, "parcel.delivered", "order", parcel.order_id, detail={"tracking_no": tracking_no})
    return True


def plan_simulated_scans(parcel_id: int, place: str) -> None:
    """Queue the scans a carrier would report, minutes apart as seconds (demo only: no carrier is reachable here)."""
    at = clock.now()
    for index, (after_s, kind, text, where) in enumerate(SIMULATED_SCANS):
        payload = {"parcel_id": parcel_id, "kind": kind, "text": text, "place": where.format(place=place)}
        due_at = at + timedelta(seconds=after_s)
        jobs.enqueue_once(SIMULATE_JOB, payload, key=f"{parcel_id}-{index}", due_at=due_at)


def simulate_scan(parcel_id: int, kind: str, text: str, place: str) -> None:
    """Deliver one simulated scan through `track`."""
    parcel = session.get_one(Parcel, parcel_id)
    track(parcel.carrier, parcel.tracking_no, f"sim-{kind}", kind, place, text, clock.now())
