"""Operators' pages of fulfilment."""

from __future__ import annotations

from flask import render_template, request

from app.core import clock
from app.fulfilment import parcel_pages
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
