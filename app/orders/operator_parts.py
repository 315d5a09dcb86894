"""The operators' pages of splitting and of exports."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template, request, send_file

from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.orders import desk, dividing, exporting, queries, searching
from app.orders.operator import bp
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _split_page(order_id: int, error: str = "", status: int = 200) -> Any:
    order = queries.get_for(access.actor(), order_id)
    lines = queries.lines_of([order_id])[order_id]
    return render_template(
        "orders/split.html", order=order, lines=lines, error=error, form=request.form, base="/operator/orders", **desk.words()
    ), status


@bp.get("/orders/<int:order_id>/split")
@needs("order.case")
def split_form(order_id: int) -> Any:
    """Show how many units of each line could go into an order of their own."""
    return _split_page(order_id)


@bp.post("/orders/<int:order_id>/split")
@needs("order.case")
def split(order_id: int) -> Any:
    """Split an order; a refusal shows the page again with what was entered."""
    try:
        with transaction():
            new_order_id = dividing.divide(access.actor(), order_id, desk.units_of(request.form), desk.reason_of(request.form))
    except (Invalid, Conflict) as error:
        return _split_page(order_id, error.message, error.status)
    flash("订单已拆分")
    return redirect(f"/operator/orders/{new_order_id}", 303)


@bp.get("/order-exports")
@needs("order.view")
def exports() -> str:
    """List the operator's own exports."""
    page = exporting.list_for(access.actor(), request.args.get("cursor", ""))
    return render_template("orders/exports.html", page=page, base="/operator/order-exports", states=exporting.STATES, **desk.words())


@bp.post("/order-exports")
@needs("order.case")
def export() -> Any:
    """Queue an export of what the list shows; receivers stay masked."""
    with transaction():
        exporting.request(access.actor(), searching.criteria(0, request.form))
    flash("正在生成，稍后在这里下载")
    return redirect("/operator/order-exports", 303)


@bp.get("/order-exports/<int:export_id>/file")
@needs("order.view")
def export_file(export_id: int) -> Response:
    """Send the file of one's own export."""
    with transaction():
        path = exporting.take(access.actor(), export_id)
    return send_file(path, mimetype=XLSX, as_attachment=True, download_name=f"orders-{export_id}.xlsx")
