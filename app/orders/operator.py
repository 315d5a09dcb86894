"""The operators' orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.audit import service as audit
from app.core import clock
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import cases, desk, holds, queries, recall_pages, searching, service, states
from app.promotions import queries as promotions
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "orders")
recall_pages.bind(bp, "/operator", "order.view", "warehouse.approve")


@bp.get("/orders")
@needs("order.view")
def index() -> Any:
    """List orders of all shops, those that a search finds; receivers are masked, looking for a person is audited."""
    try:
        wanted, error = searching.criteria(0, request.args), ""
    except Invalid as refused:
        wanted, error = searching.Criteria(), refused.message
    if wanted.is_personal:
        with transaction():
            audit.record(access.actor(), "order.searched", "order", "-", detail={"by": "receiver", "status": wanted.status})
    at, page = clock.now(), searching.search(wanted, request.args.get("cursor", ""))
    html = render_template(
        "orders/operator/index.html", page=page, wanted=wanted, status=wanted.status, error=error, args=request.args, now=at,
        counts=queries.count_by_status(), overdue=queries.count_overdue(at), area_name=identity.area_name, **desk.words(),
    )  # fmt: skip
    return html, 422 if error else 200


def _detail(order_id: int, error: str = "", status: int = 200) -> Any:
    order = queries.get_for(access.actor(), order_id)
    return render_template(
        "orders/operator/detail.html", order=order, lines=queries.lines_of([order_id])[order_id], backs=queries.backs_for(order),
        offs=promotions.summary_of(order_id),
        events=queries.timeline(order_id), area=identity.area_name(order.area_code), hold_rows=holds.of(order_id),
        cases=queries.cases_of(order_id), error=error, form=request.form, **desk.words(),
    ), status  # fmt: skip


@bp.get("/orders/<int:order_id>")
@needs("order.view")
def detail(order_id: int) -> Any:
    """Show one order; the receiver stays masked."""
    return _detail(order_id)


@bp.post("/orders/<int:order_id>/notes")
@needs("order.view")
def note(order_id: int) -> Any:
    """Add a note to the timeline, for the desk or for the buyer too."""
    text = request.form.get("note", "").strip()
    with transaction():
        service.add_note(access.actor(), order_id, text, to_buyer=request.form.get("to") == "buyer")
    flash("备注已保存" if text else "请先填写备注", "ok" if text else "warn")
    return redirect(f"/operator/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/holds")
@needs("order.case")
def place_hold(order_id: int) -> Any:
    """Stop an order by hand; the reasons of cases and risk are placed by those."""
    reason = request.form.get("reason", "")
    try:
        if reason not in states.OFFICER_HOLDS:
            raise Invalid("hold.reason", "请选择暂停原因", field="reason")
        with transaction():
            placed = holds.place(access.actor(), order_id, reason, request.form.get("note", ""))
    except (Invalid, Conflict) as error:
        return _detail(order_id, error.message, error.status)
    flash("订单已暂停" if placed else "订单已因此暂停", "ok" if placed else "warn")
    return redirect(f"/operator/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/holds/lift")
@needs("order.case")
def lift_hold(order_id: int) -> Any:
    """Lift a hold that was placed by hand."""
    reason = request.form.get("reason", "")
    if reason not in states.OFFICER_HOLDS:
        return _detail(order_id, "该暂停由异常单处理时解除", 409)
    with transaction():
        lifted = holds.lift(access.actor(), order_id, reason)
    flash("暂停已解除" if lifted else "该暂停已经解除", "ok" if lifted else "warn")
    return redirect(f"/operator/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/cases")
@needs("order.case")
def raise_case(order_id: int) -> Any:
    """Put an order into the queue of abnormal ones."""
    try:
        with transaction():
            case_id = cases.raise_by_hand(access.actor(), order_id, request.form.get("kind", ""), request.form.get("reason", ""))
    except (Invalid, Conflict) as error:
        return _detail(order_id, error.message, error.status)
    flash("已登记异常")
    return redirect(f"/operator/order-cases/{case_id}", 303)
