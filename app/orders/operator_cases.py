"""The operators' queue of abnormal orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import cases, desk, queries, states
from app.orders.operator import bp
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

AGED_HOURS = 24
VIEWS = {"waiting": "未处理", "mine": "我认领的", "resolved": "已处理"}


@bp.get("/order-cases")
@needs("order.case")
def case_list() -> str:
    """List abnormal orders, those that wait longest first; `mine`: claimed by who asks."""
    view, kind = request.args.get("view", "waiting"), request.args.get("kind", "")
    view, kind = view if view in VIEWS else "waiting", kind if kind in states.CASE_KINDS else ""
    page = queries.list_cases(view, kind, access.actor().account_id, request.args.get("cursor", ""))
    return render_template(
        "orders/operator/cases.html", page=page, view=view, kind=kind, views=VIEWS, counts=queries.count_cases(), now=clock.now(),
        aged=AGED_HOURS, **desk.words(),
    )  # fmt: skip


def _page(case_id: int, error: str = "", status: int = 200) -> Any:
    case = cases.get(case_id)
    order = queries.get_for(access.actor(), case.order_id) if case.order_id else None
    return render_template(
        "orders/operator/case.html", case=case, order=order, choices=cases.choices(case), error=error, form=request.form,
        lines=queries.lines_of([case.order_id])[case.order_id] if order else [], events=queries.timeline(case.order_id) if order else [],
        area=identity.area_name(order.area_code) if order else "", now=clock.now(), **desk.words(),
    ), status  # fmt: skip


@bp.get("/order-cases/<int:case_id>")
@needs("order.case")
def case(case_id: int) -> Any:
    """Show a case with its order and the forms of its handling."""
    return _page(case_id)


@bp.post("/order-cases/<int:case_id>/claim")
@needs("order.case")
def claim_case(case_id: int) -> Any:
    """Become the officer of a case; who comes second is told."""
    try:
        with transaction():
            cases.claim(access.actor(), case_id)
    except Conflict as error:
        return _page(case_id, error.message, 409)
    flash("已认领")
    return redirect(f"/operator/order-cases/{case_id}", 303)


@bp.post("/order-cases/<int:case_id>/give-back")
@needs("order.case")
def give_back_case(case_id: int) -> Any:
    """Put a claimed case back into the queue."""
    try:
        with transaction():
            cases.give_back(access.actor(), case_id)
    except Conflict as error:
        return _page(case_id, error.message, 409)
    flash("已退回队列")
    return redirect("/operator/order-cases", 303)


@bp.post("/order-cases/<int:case_id>/resolve")
@needs("order.case")
def resolve_case(case_id: int) -> Any:
    """Resolve a case; a refusal shows the page again with what was entered."""
    try:
        with transaction():
            resolution, units = request.form.get("resolution", ""), desk.units_of(request.form)
            cases.resolve(access.actor(), case_id, resolution, request.form.get("note", ""), units)
    except (Invalid, Conflict) as error:
        return _page(case_id, error.message, error.status)
    flash("异常单已处理")
    return redirect(f"/operator/order-cases/{case_id}", 303)
