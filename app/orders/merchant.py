"""The merchant's orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.delivery import queries as delivery
from app.identity import queries as identity
from app.orders import bundling, cases, desk, queries, recall_pages, searching, service
from app.promotions import queries as promotions
from app.web import access
from app.web.figures import Figure
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "orders")
recall_pages.bind(bp, "/merchant", "merchant_order.view", "stock.approve")


def figures_of(actor: Actor) -> list[Figure]:
    """Return the shop's open orders for the merchants' workbench; nothing for who may not see orders."""
    if not actor.can("merchant_order.view"):
        return []
    counts = queries.count_by_status(actor.merchant_id)
    late = queries.count_overdue(clock.now(), actor.merchant_id)
    return [
        Figure("待发货", counts["paid"], "/merchant/orders?status=paid", "单", "须在时限内发货", "warn" if counts["paid"] else ""),
        Figure("超时未发", late, "/merchant/orders?status=paid", "单", "已过发货时限", "bad" if late else ""),
        Figure("运输中", counts["shipped"], "/merchant/orders?status=shipped", "单", "等待买家收货"),
        Figure("待付款", counts["unpaid"], "/merchant/orders?status=unpaid", "单", "逾期自动关闭"),
    ]


@bp.get("/orders")
@needs("merchant_order.view")
def index() -> Any:
    """List the shop's orders, those that a search finds."""
    merchant_id = access.actor().merchant_id
    try:
        wanted, error = searching.criteria(merchant_id, request.args), ""
    except Invalid as refused:
        wanted, error = searching.Criteria(merchant_id), refused.message
    page = searching.search(wanted, request.args.get("cursor", ""))
    html = render_template(
        "orders/merchant/index.html", page=page, wanted=wanted, status=wanted.status, error=error, args=request.args, now=clock.now(),
        counts=queries.count_by_status(merchant_id), area_name=identity.area_name, **desk.words(),
    )  # fmt: skip
    return html, 422 if error else 200


def _detail(order_id: int, error: str = "", status: int = 200) -> Any:
    order = queries.get_for(access.actor(), order_id)
    return render_template(
        "orders/merchant/detail.html", order=order, lines=queries.lines_of([order_id])[order_id], backs=queries.backs_for(order),
        offs=promotions.summary_of(order_id),
        events=queries.timeline(order_id), receiver=queries.receiver_of(order), area=identity.area_name(order.area_code),
        cases=queries.cases_of(order_id), error=error, form=request.form, bundled=bundling.members(order),
        pickup=delivery.pickup_of(order_id), **desk.words(),
    ), status  # fmt: skip


@bp.get("/orders/<int:order_id>")
@needs("merchant_order.view")
def detail(order_id: int) -> Any:
    """Show one order with the receiver, who is needed for shipping."""
    return _detail(order_id)


@bp.post("/orders/<int:order_id>/notes")
@needs("merchant_order.view")
def note(order_id: int) -> Any:
    """Add a note to the timeline, for the desk or for the buyer too."""
    text = request.form.get("note", "").strip()
    with transaction():
        service.add_note(access.actor(), order_id, text, to_buyer=request.form.get("to") == "buyer")
    flash("备注已保存" if text else "请先填写备注", "ok" if text else "warn")
    return redirect(f"/merchant/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/cases")
@needs("merchant_order.manage")
def raise_case(order_id: int) -> Any:
    """Put an order into the queue of abnormal ones."""
    try:
        with transaction():
            cases.raise_by_hand(access.actor(), order_id, request.form.get("kind", ""), request.form.get("reason", ""))
    except (Invalid, Conflict) as error:
        return _detail(order_id, error.message, error.status)
    flash("已登记异常，订单暂停发货，等待平台处理")
    return redirect(f"/merchant/orders/{order_id}", 303)
