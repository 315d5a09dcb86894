"""Merchant's pages of fulfilment."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.fulfilment import service
from app.fulfilment.forms import ShipForm
from app.identity import queries as identity
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
    return render_template(
        "fulfilment/merchant/ship.html", order=order, lines=orders.lines_of([order.id]), form=form,
        receiver=orders.receiver_of(order), area=identity.area_name(order.area_code),
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/ship")
@needs("merchant_order.ship")
def ship(order_id: int) -> Any:
    """Ship one order; problems come back beside their field."""
    form = ShipForm.from_request()
    order = orders.get_for(access.actor(), order_id)
    if form.validate():
        try:
            with transaction():
                service.ship(access.actor(), order_id, form.carrier.data, form.tracking_no.data)
        except (Invalid, Conflict) as error:
            if error.field is None:
                raise
            form.add_error(error)
        else:
            flash(f"订单 {order.order_no} 已发货")
            return redirect(f"/merchant/orders/{order_id}", 303)
    return _page(orders.get_for(access.actor(), order_id), form), 422
