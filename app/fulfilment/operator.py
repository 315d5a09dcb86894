"""Operators' pages of fulfilment."""

from __future__ import annotations

from typing import Any

from flask import render_template, request

from app.core import clock
from app.fulfilment import dispatch_pages, parcel_pages
from app.identity import queries as identity
from app.orders import queries as orders
from app.orders import states
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "fulfilment")


@bp.get("/late")
@needs("order.view")
def late() -> str:
    """List orders of all shops that did not arrive as promised."""
    page = orders.list_late(clock.now(), cursor=request.args.get("cursor", ""))
    return render_template(
        "fulfilment/late.html", page=page, prefix="/operator", names=states.NAMES, tones=states.TONES, area_name=identity.area_name,
    )  # fmt: skip


@bp.get("/parcels")
@needs("order.view")
def parcels() -> str:
    """List the parcels of all shops, those that went wrong among them."""
    return parcel_pages.index("/operator", 0)


@bp.get("/trips")
@needs("delivery.manage")
def trips() -> Any:
    """List trips and the orders that wait for one."""
    return dispatch_pages.trips()


@bp.post("/trips")
@needs("delivery.manage")
def make_trip() -> Any:
    """Join orders to one trip."""
    return dispatch_pages.make_trip()


@bp.get("/trips/<int:trip_id>")
@needs("delivery.manage")
def trip(trip_id: int) -> str:
    """Show one trip's sheet."""
    return dispatch_pages.trip(trip_id)


@bp.post("/trips/<int:trip_id>/move")
@needs("delivery.manage")
def move_trip(trip_id: int) -> Any:
    """Send a trip out or note that it is done."""
    return dispatch_pages.move_trip(trip_id)
