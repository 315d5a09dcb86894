"""A parcel's way: scans and temperatures. Late, repeated or disordered reports never move it backwards (T14, T26)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, events, jobs
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.fulfilment import states
from app.fulfilment.events import ColdChainBreached, ParcelFailed
from app.fulfilment.models import Parcel, TemperatureReading, TrackingEvent
from app.orders import service as orders
from dbadapters.errors import UniqueViolation

SIMULATE_JOB = "fulfilment.simulate_scan"
DELIVERED = states.DELIVERED
SIMULATED_SCANS = (
    (20, "collected", "快件已揽收", "{place}营业点"), (60, "in_transit", "快件已到达区域中心仓", "澜州区域中心仓"),
    (120, "out_for_delivery", "快件正在派送", "{place}"), (240, DELIVERED, "快件已签收", "{place}"),
)  # fmt: skip


def add_event(parcel_id: int, source_key: str, kind: str, place: str, text: str, at: datetime) -> bool:
    """Write a scan; False when this one is known, also when a twin writes it at the same moment."""
    known = select(TrackingEvent.id).where(TrackingEvent.parcel_id == parcel_id, TrackingEvent.source_key == source_key)
    if session.scalar(known) is not None:
        return False
    row = TrackingEvent(
        id=new_id(), parcel_id=parcel_id, source_key=source_key, kind=kind, place=place[:60] or "-", text=text[:200], at=at
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()  # (parcel, key) is unique
    except UniqueViolation:
        return False
    return True


def track(carrier: str, tracking_no: str, source_key: str, kind: str, place: str, text: str, at: datetime) -> bool:
    """Take one scan of a parcel; False when it is known. A parcel only moves forward: a late scan is kept but moves nothing.

    An order arrives when all its parcels did; a parcel that is lost or comes back is told as ParcelFailed. Raises NotFound for an
    unknown parcel.
    """
    found = session.execute(select(Parcel.id).where(Parcel.carrier == carrier, Parcel.tracking_no == tracking_no)).one_or_none()
    if found is None:
        raise NotFound("parcel.missing", "没有这个快递单号")
    if not add_event(found.id, source_key, kind, place, text, at):
        return False
    if kind in states.RANKS:
        _advance(found.id, kind, at)
    return True


def _advance(parcel_id: int, kind: str, at: datetime) -> None:
    parcel = session.get_one(Parcel, parcel_id)
    order_id, merchant_id, number = parcel.order_id, parcel.merchant_id, parcel.tracking_no
    values = {"status": kind} | ({"delivered_at": at} if kind == DELIVERED else {})
    if not cas.change(Parcel, parcel_id, where={"status": states.behind(kind)}, values=values):
        return
    if kind in states.FAILED:
        events.publish(ParcelFailed(order_id, parcel_id, merchant_id, kind))
        audit.record(SYSTEM, "parcel.failed", "order", order_id, detail={"tracking_no": number, "reason": kind})
    if kind == DELIVERED:
        audit.record(SYSTEM, "parcel.delivered", "order", order_id, detail={"tracking_no": number})
        open_ones = select(Parcel.id).where(Parcel.order_id == order_id, Parcel.status != DELIVERED).limit(1)
        if session.scalar(open_ones) is None:
            orders.mark_delivered(order_id)


def record_temperature(parcel_id: int, source_key: str, celsius_tenths: int, place: str, at: datetime) -> bool:
    """Keep a temperature of a parcel; the first one outside its class is told as ColdChainBreached. False when it is known.

    Raises NotFound, Invalid for what no thermometer on earth shows.
    """
    parcel = session.get(Parcel, parcel_id)
    if parcel is None:
        raise NotFound("parcel.missing", "包裹不存在")
    if not -1_000 <= celsius_tenths <= 1_000:
        raise Invalid("parcel.temperature", "温度应在 −100 到 100 ℃ 之间", field="celsius")
    row = TemperatureReading(
        id=new_id(), parcel_id=parcel_id, source_key=source_key[:64], celsius_tenths=celsius_tenths, place=place[:60] or "-", at=at
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()  # (parcel, key) is unique
    except UniqueViolation:
        return False
    order_id, merchant_id, breach = parcel.order_id, parcel.merchant_id, states.is_breach(parcel.temperature or "ambient", celsius_tenths)
    if breach and cas.change(Parcel, parcel_id, where={"breached_at": None}, values={"breached_at": at}):
        events.publish(ColdChainBreached(order_id, parcel_id, merchant_id, celsius_tenths))
        audit.record(SYSTEM, "parcel.breached", "order", order_id, detail={"celsius_tenths": celsius_tenths})
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
