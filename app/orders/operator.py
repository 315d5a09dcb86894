"""The operators' orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import queries, service, states
from app.promotions import queries as promotions
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "orders")


@bp.get("/orders")
@needs("order.view")
def index() -> str:
    """List all orders; receivers are masked."""
    status = request.args.get("status", "")
    status = status if status in states.NAMES else ""
    order_no, at = request.args.get("q", "").strip()[:40], clock.now()
    page = queries.list_all(status, order_no, request.args.get("cursor", ""))
    return render_template(
        "orders/operator/index.html", page=page, status=status, names=states.NAMES, tones=states.TONES, order_no=order_no, now=at,
        counts=queries.count_by_status(), overdue=queries.count_overdue(at), area_name=identity.area_name,
    )  # fmt: skip


@bp.get("/orders/<int:order_id>")
@needs("order.view")
def detail(order_id: int) -> str:
    """Show one order; the receiver stays masked."""
    order = queries.get_for(access.actor(), order_id)
    return render_template(
        "orders/operator/detail.html", order=order, lines=queries.lines_of([order_id])[order_id], backs=queries.backs_for(order),
        offs=promotions.summary_of(order_id),
        events=queries.timeline(order_id), area=identity.area_name(order.area_code), names=states.NAMES, tones=states.TONES,
        kinds=states.EVENT_NAMES,
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/notes")
@needs("order.view")
def note(order_id: int) -> Any:
    """Add a note to the timeline."""
    text = request.form.get("note", "").strip()
    with transaction():
        service.add_note(access.actor(), order_id, text)
    flash("备注已保存" if text else "请先填写备注", "ok" if text else "warn")
    return redirect(f"/operator/orders/{order_id}", 303)
