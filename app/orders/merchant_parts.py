"""The merchant's pages of splitting, merged shipping, another address and exports."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template, request, send_file

from app.core.errors import AppError, Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import bundling, desk, dividing, exporting, queries, readdressing, searching
from app.orders.merchant import bp
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _split_page(order_id: int, error: str = "", status: int = 200) -> Any:
    order = queries.get_for(access.actor(), order_id)
    lines = queries.lines_of([order_id])[order_id]
    return render_template(
        "orders/split.html", order=order, lines=lines, error=error, form=request.form, base="/merchant/orders", **desk.words()
    ), status


@bp.get("/orders/<int:order_id>/split")
@needs("merchant_order.manage")
def split_form(order_id: int) -> Any:
    """Show how many units of each line could go into an order of their own."""
    return _split_page(order_id)


@bp.post("/orders/<int:order_id>/split")
@needs("merchant_order.manage")
def split(order_id: int) -> Any:
    """Split an order; a refusal shows the page again with what was entered."""
    try:
        with transaction():
            new_order_id = dividing.divide(access.actor(), order_id, desk.units_of(request.form), desk.reason_of(request.form))
    except (Invalid, Conflict) as error:
        return _split_page(order_id, error.message, error.status)
    flash("订单已拆分")
    return redirect(f"/merchant/orders/{new_order_id}", 303)


@bp.get("/order-bundles")
@needs("merchant_order.view")
def bundles() -> str:
    """Show which waiting orders go to the same address and could ship together."""
    found = bundling.suggestions(access.actor().merchant_id)
    return render_template("orders/merchant/bundles.html", groups=found, area_name=identity.area_name, **desk.words())


@bp.post("/order-bundles")
@needs("merchant_order.manage")
def bundle() -> Any:
    """Let the chosen orders ship together."""
    ids = [int(value) for value in request.form.getlist("order") if value.isdigit() and len(value) < 20]
    try:
        with transaction():
            bundling.bundle(access.actor(), ids)
    except (Invalid, Conflict) as error:
        flash(error.message, "warn")
        return redirect("/merchant/order-bundles", 303)
    flash(f"{len(set(ids))} 个订单将合并发货")
    return redirect(f"/merchant/orders/{min(ids)}", 303)


@bp.post("/orders/<int:order_id>/unbundle")
@needs("merchant_order.manage")
def unbundle(order_id: int) -> Any:
    """Let the orders of a bundle ship alone again."""
    try:
        with transaction():
            bundling.unbundle(access.actor(), order_id)
    except Conflict as error:
        flash(error.message, "warn")
    else:
        flash("已取消合并发货")
    return redirect(f"/merchant/orders/{order_id}", 303)


def _address_page(order_id: int, error: AppError | None = None) -> Any:
    order = queries.get_for(access.actor(), order_id)
    waiting = readdressing.open_proposal(order_id)
    return render_template(
        "orders/merchant/address.html", order=order, receiver=queries.receiver_of(order), area=identity.area_name(order.area_code),
        waiting=waiting, proposed=readdressing.proposed(waiting) if waiting else None, error=error, form=request.form, **desk.words(),
    ), error.status if error else 200  # fmt: skip


@bp.get("/orders/<int:order_id>/address")
@needs("merchant_order.manage")
def address(order_id: int) -> Any:
    """Show the receiver and the form that asks the buyer for another address."""
    return _address_page(order_id)


@bp.post("/orders/<int:order_id>/address")
@needs("merchant_order.manage")
def propose_address(order_id: int) -> Any:
    """Ask the buyer to agree to another address."""
    values = [request.form.get(name, "") for name in ("receiver", "phone", "street", "reason")]
    try:
        with transaction():
            readdressing.propose(access.actor(), order_id, *values)
    except (Invalid, Conflict) as error:
        return _address_page(order_id, error)
    flash("已请买家确认新地址")
    return redirect(f"/merchant/orders/{order_id}/address", 303)


@bp.post("/orders/<int:order_id>/address/withdraw")
@needs("merchant_order.manage")
def withdraw_address(order_id: int) -> Any:
    """Take the open proposal back."""
    queries.get_for(access.actor(), order_id)
    try:
        with transaction():
            readdressing.withdraw(access.actor(), order_id)
    except NotFound:
        flash("这条修改已处理或已撤回", "warn")
    else:
        flash("已撤回")
    return redirect(f"/merchant/orders/{order_id}/address", 303)


@bp.get("/order-exports")
@needs("merchant_order.view")
def exports() -> str:
    """List the shop's exports."""
    page = exporting.list_for(access.actor(), request.args.get("cursor", ""))
    return render_template("orders/exports.html", page=page, base="/merchant/order-exports", states=exporting.STATES, **desk.words())


@bp.post("/order-exports")
@needs("merchant_order.manage")
def export() -> Any:
    """Queue an export of what the list shows."""
    with transaction():
        exporting.request(access.actor(), searching.criteria(access.actor().merchant_id, request.form))
    flash("正在生成，稍后在这里下载")
    return redirect("/merchant/order-exports", 303)


@bp.get("/order-exports/<int:export_id>/file")
@needs("merchant_order.view")
def export_file(export_id: int) -> Response:
    """Send the file of an export."""
    with transaction():
        path = exporting.take(access.actor(), export_id)
    return send_file(path, mimetype=XLSX, as_attachment=True, download_name=f"orders-{export_id}.xlsx")
