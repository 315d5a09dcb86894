"""Sending parcels: all that waits, or some of it; the rest stays open and the order follows (trap 19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.audit import service as audit
from app.catalog import queries as catalog
from app.core import clock, events, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.delivery import queries as delivery
from app.fulfilment import carriers, queries, states
from app.fulfilment.events import ParcelShipped
from app.fulfilment.models import Parcel, ParcelLine
from app.fulfilment.service.tracking import add_event
from app.orders import queries as order_queries
from app.orders import service as orders
from dbadapters.errors import UniqueViolation


def ship(
    actor: Actor, order_id: int, carrier: str, tracking_no: str, units: Mapping[int, int] | None = None, warehouse_id: int = 0, *,
    issued: bool = False,
) -> Parcel:  # fmt: skip
    """Send units of an order's lines as one parcel (None: all that waits); the order is shipped when nothing waits any more.

    issued: the number comes from the carrier itself.
    The order's row is moved by compare-and-set from the units seen, so two clerks never send the same ones. Raises Invalid for
    carrier, number or units, Conflict(`parcel.tracking_used`) when the number is already on another parcel,
    Conflict(`order.not_shippable`) from orders, Conflict(`order.collected`) for one that is collected, NotFound for a foreign order.
    """
    number = tracking_no
    if not issued:
        carrier, number = carriers.check(carrier, tracking_no)
    order = order_queries.get_for(actor, order_id)
    if delivery.pickup_of(order_id) is not None:
        raise Conflict("order.collected", "这是自提订单，请在“自提备货”中备货")
    waiting, seen = queries.waiting_units(order), order.units_out
    wanted = _wanted(waiting, units)
    at = clock.now()
    parcel = Parcel(
        id=new_id(), order_id=order_id, merchant_id=order.merchant_id, carrier=carrier, tracking_no=number, status=states.SHIPPED,
        warehouse_id=warehouse_id or None, temperature=_temperature(order_id), shipped_at=at,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(parcel)
            session.flush()  # (carrier, number) is unique: say so before anything moves
    except UniqueViolation:
        raise Conflict("parcel.tracking_used", "此快递单号已用于其他包裹", field="tracking_no") from None
    rows = [
        {"id": new_id(), "parcel_id": parcel.id, "order_id": order_id, "line_id": line_id, "quantity": quantity}
        for line_id, quantity in wanted.items()
    ]
    sql.add_all(ParcelLine, rows)
    name = carriers.CARRIERS[carrier]
    add_event(parcel.id, "shipped", "shipped", "-", f"商家已发货，{name} {number}", at)
    events.publish(ParcelShipped(order_id, parcel.id, clock.microseconds(at)))
    detail: dict[str, Any] = {"carrier": carrier, "tracking_no": number, "units": sum(wanted.values())}
    audit.record(actor, "parcel.shipped", "order", order_id, detail=detail)
    orders.send_units(actor, order_id, seen, sum(wanted.values()))
    return parcel


def _wanted(waiting: Mapping[int, int], units: Mapping[int, int] | None) -> dict[int, int]:
    """Return what goes into the parcel. Raises Invalid(`parcel.units`)."""
    wanted = {line_id: n for line_id, n in (waiting if units is None else units).items() if n}
    if not wanted or any(n < 0 or n > waiting.get(line_id, 0) for line_id, n in wanted.items()):
        raise Invalid("parcel.units", "请填写发货数量，每件商品不超过待发数量", field="units")
    return wanted


def _temperature(order_id: int) -> str:
    return states.coldest(catalog.cold_classes({line.product_id for line in order_queries.lines_of([order_id])[order_id]}))
