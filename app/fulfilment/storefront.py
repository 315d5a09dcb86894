"""Buyer's page of a parcel's journey."""

from __future__ import annotations

from flask import render_template

from app.fulfilment import pickup_pages, queries, states
from app.orders import queries as orders
from app.web import access
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("storefront", "fulfilment")


@bp.get("/orders/<int:order_id>/tracking")
@needs("order.own")
def tracking(order_id: int) -> str:
    """Show the parcels and scans of the buyer's order."""
    order = orders.get_for(access.actor(), order_id)
    return render_template("fulfilment/storefront/tracking.html", order=order, parcels=queries.parcels_of(order_id), states=states)


@bp.get("/orders/<int:order_id>/pickup")
@needs("order.own")
def pickup(order_id: int) -> str:
    """Show where to collect the buyer's order, and its code."""
    return pickup_pages.buyer(order_id)
