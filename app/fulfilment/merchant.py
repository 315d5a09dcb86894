"""Merchant's pages of fulfilment."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.tx import transaction
from app.fulfilment import adapters, parcel_pages, pickup_pages, printing, queries, service
from app.fulfilment import states as states_of
from app.fulfilment.carriers import CARRIERS
from app.fulfilment.forms import ShipForm, tenths_of, units_of
from app.fulfilment.service import waybills
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.orders import queries as orders
from app.orders import states
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "fulfilment")


@bp.get("/late")
@needs("merchant_order.view")
def late() -> str:
    """List the shop's orders that did not arrive as promised."""
    page = orders.list_late(clock.now(), access.actor().merchant_id, request.args.get("cursor", ""))
    return render_template(
        "fulfilment/late.html", page=page, prefix="/merchant", names=states.NAMES, tones=states.TONES, area_name=identity.area_name,
    )  # fmt: skip


@bp.get("/orders/<int:order_id>/ship")
@needs("merchant_order.ship")
def ship_form(order_id: int) -> str:
    """Show the shipping form of one order."""
    order = orders.get_for(access.actor(), order_id)
    return _page(order, ShipForm())


def _page(order: Any, form: ShipForm) -> str:
    lines = orders.lines_of([order.id])[order.id]
    return render_template(
        "fulfilment/merchant/ship.html", order=order, lines=lines, waiting=queries.waiting_units(order), form=form,
        receiver=orders.receiver_of(order), area=identity.area_name(order.area_code), posted=request.form,
        warehouses=inventory.warehouses_of(order.merchant_id), connected=[(key, CARRIERS[key]) for key in adapters.connected()],
        open_waybills=queries.open_waybills(order.id), carriers=CARRIERS, waybill_states=waybills.STATES,
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/ship")
@needs("merchant_order.ship")
def ship(order_id: int) -> Any:
    """Send all or some of an order; problems come back beside their field."""
    form = ShipForm.from_request()
    order = orders.get_for(access.actor(), order_id)
    if form.validate():
        try:
            units = units_of(request.form, queries.waiting_units(order))
            with transaction():
                parcel = service.ship(access.actor(), order_id, form.carrier.data, form.tracking_no.data, units, _warehouse(order))
                parcel_id = parcel.id
        except (Invalid, Conflict) as error:
            if error.field is None:
                raise
            form.add_error(error)
        else:
            left = sum(queries.waiting_units(orders.get_for(access.actor(), order_id)).values())
            flash(f"订单 {order.order_no} 已发货" + (f"，还有 {left} 件待发" if left else ""))
            return redirect(f"/merchant/parcels/{parcel_id}", 303)
    return _page(orders.get_for(access.actor(), order_id), form), 422


def _warehouse(order: Any) -> int:
    text = request.form.get("warehouse_id", "")
    known = {w.id for w in inventory.warehouses_of(order.merchant_id)}
    return int(text) if text.isdigit() and len(text) < 20 and int(text) in known else 0


@bp.get("/parcels")
@needs("merchant_order.view")
def parcel_list() -> str:
    """List the shop's parcels."""
    return parcel_pages.index("/merchant", access.actor().merchant_id)


@bp.get("/parcels/<int:parcel_id>")
@needs("merchant_order.view")
def parcel_detail(parcel_id: int) -> Any:
    """Show one parcel: what is in it, its way, its temperatures, its papers."""
    return _parcel(parcel_id)


def _parcel(parcel_id: int, error: str = "", status: int = 200) -> tuple[str, int]:
    actor = access.actor()
    row = queries.get_parcel(actor, parcel_id)
    view = next(v for v in queries.parcels_of(row.order_id) if v.parcel.id == parcel_id)
    html = render_template(
        "fulfilment/merchant/parcel.html", view=view, order=orders.get_for(actor, row.order_id), states=states_of,
        lines=orders.lines_of([row.order_id])[row.order_id], contents=queries.contents_of([parcel_id])[parcel_id],
        is_connected=row.carrier in adapters.connected(),
        readings=queries.readings_of(parcel_id), prints=queries.prints_of([parcel_id]), error=error, posted=request.form,
    )  # fmt: skip
    return html, status


@bp.post("/parcels/<int:parcel_id>/temperatures")
@needs("merchant_order.ship")
def add_temperature(parcel_id: int) -> Any:
    """Keep a temperature read by hand."""
    queries.get_parcel(access.actor(), parcel_id)
    try:
        tenths = tenths_of(request.form.get("celsius", ""))
        with transaction():
            service.record_temperature(
                parcel_id, f"m{request.form.get('key', '')[:40] or new_id()}", tenths, request.form.get("place", ""), clock.now()
            )
    except Invalid as error:
        return _parcel(parcel_id, error.message, 422)
    flash("温度已记录")
    return redirect(f"/merchant/parcels/{parcel_id}", 303)


@bp.post("/parcels/<int:parcel_id>/label")
@needs("merchant_order.ship")
def print_label(parcel_id: int) -> Any:
    """Print a parcel's label."""
    return printing.label(parcel_id)


@bp.post("/parcels/<int:parcel_id>/slip")
@needs("merchant_order.ship")
def print_slip(parcel_id: int) -> Any:
    """Print a parcel's packing slip."""
    return printing.slip(parcel_id)


@bp.post("/orders/<int:order_id>/pick")
@needs("merchant_order.ship")
def print_pick(order_id: int) -> Any:
    """Print the pick list of an order."""
    return printing.pick(order_id)


@bp.get("/pickups")
@needs("merchant_order.view")
def pickup_list() -> str:
    """List the shop's orders that are collected."""
    return pickup_pages.index()


@bp.post("/orders/<int:order_id>/prepare")
@needs("merchant_order.ship")
def prepare(order_id: int) -> Any:
    """Put an order on its point's shelf."""
    return pickup_pages.prepare(order_id)


@bp.post("/orders/<int:order_id>/give-back")
@needs("merchant_order.ship")
def give_back(order_id: int) -> Any:
    """Take an order nobody fetched off the shelf."""
    return pickup_pages.give_back(order_id)


@bp.get("/verify")
@needs("pickup.verify")
def verify() -> Any:
    """Show the clerk's page."""
    return pickup_pages.verify_page()


@bp.post("/verify")
@needs("pickup.verify")
def look() -> Any:
    """Show what a code stands for."""
    return pickup_pages.look()


@bp.post("/verify/confirm")
@needs("pickup.verify")
def hand_over() -> Any:
    """Hand the order of a code over."""
    return pickup_pages.hand_over()


@bp.post("/verify/<int:pickup_id>/undo")
@needs("pickup.verify")
def undo(pickup_id: int) -> Any:
    """Take one's own handing-over back."""
    return pickup_pages.undo(pickup_id)
