"""The merchant's orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import queries, service, states
from app.web import access
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "orders")


@bp.get("/orders")
@needs("merchant_order.view")
def index() -> str:
    """List the shop's orders."""
    status, merchant_id = request.args.get("status", ""), access.actor().merchant_id
    status = status if status in states.NAMES else ""
    page = queries.list_for_merchant(merchant_id, status, request.args.get("cursor", ""))
    return render_template(
        "orders/merchant/index.html", page=page, status=status, names=states.NAMES, tones=states.TONES, now=clock.now(),
        counts=queries.count_by_status(merchant_id), area_name=identity.area_name,
    )  # fmt: skip


@bp.get("/orders/<int:order_id>")
@needs("merchant_order.view")
def detail(order_id: int) -> str:
    """Show one order with the receiver, who is needed for shipping."""
    order = queries.get_for(access.actor(), order_id)
    return render_template(
        "orders/merchant/detail.html", order=order, lines=queries.lines_of([order_id])[order_id],
        events=queries.timeline(order_id), receiver=queries.receiver_of(order), area=identity.area_name(order.area_code),
        names=states.NAMES, tones=states.TONES, kinds=states.EVENT_NAMES,
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/notes")
@needs("merchant_order.view")
def note(order_id: int) -> Any:
    """Add a note to the timeline."""
    with transaction():
        service.add_note(access.actor(), order_id, request.form.get("note", ""))
    return redirect(f"/merchant/orders/{order_id}", 303)
