"""The buyer's pages of an order after it was placed: another address before dispatch, the invoice."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template, request, send_file

from app.core import clock, runtime
from app.core.errors import AppError, Conflict, Invalid, NotFound, TooMany
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import invoices, queries, readdressing
from app.orders.storefront import bp
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs


def _address_page(order_id: int, error: AppError | None = None) -> Any:
    order = queries.get_for(access.actor(), order_id)
    waiting = readdressing.open_proposal(order_id)
    return render_template(
        "orders/storefront/address.html", order=order, receiver=queries.receiver_of(order), area=identity.area_name(order.area_code),
        waiting=waiting, proposed=readdressing.proposed(waiting) if waiting else None, error=error, form=request.form, tab="orders",
    ), error.status if error else 200  # fmt: skip


@bp.get("/orders/<int:order_id>/address")
@needs("order.own")
def address(order_id: int) -> Any:
    """Show the receiver, the merchant's proposal, and the form to change it."""
    return _address_page(order_id)


@bp.post("/orders/<int:order_id>/address")
@needs("order.own")
def change_address(order_id: int) -> Any:
    """Change the address before dispatch."""
    order = queries.get_for(access.actor(), order_id)
    values = [request.form.get(name, "") for name in ("receiver", "phone", "street")]
    try:
        with transaction():
            readdressing.change(access.actor(), order_id, *values, request.form.get("area_code", order.area_code))
    except (Invalid, Conflict) as error:
        return _address_page(order_id, error)
    flash("收货信息已修改")
    return redirect(f"/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/address/decide")
@needs("order.own")
def decide_address(order_id: int) -> Any:
    """Accept or refuse what the merchant proposes."""
    accept = request.form.get("answer") == "accept"
    try:
        with transaction():
            readdressing.decide(access.actor(), order_id, accept=accept)
    except Conflict as error:
        return _address_page(order_id, error)
    flash("已按新地址发货" if accept else "已拒绝，仍按原地址发货")
    return redirect(f"/orders/{order_id}", 303)


def _invoice_page(order_id: int, error: AppError | None = None) -> Any:
    actor = access.actor()
    order = queries.get_for(actor, order_id)
    return render_template(
        "orders/storefront/invoice.html", order=order, row=invoices.of(order_id), titles=invoices.titles(actor.account_id),
        invoice_kinds=invoices.KINDS, invoice_states=invoices.STATES, words=invoices.REGISTRY, until=invoices.open_until(order),
        now=clock.now(), error=error, form=request.form, tab="orders",
    ), error.status if error else 200  # fmt: skip


@bp.get("/orders/<int:order_id>/invoice")
@needs("order.own")
def invoice(order_id: int) -> Any:
    """Show the order's invoice or the form that asks for it."""
    return _invoice_page(order_id)


def _wanted() -> invoices.Wanted:
    """Return the saved title that was chosen, else what was typed. Raises Invalid, NotFound."""
    saved = request.form.get("saved", "")
    if saved.isdigit() and len(saved) < 20 and int(saved):
        return invoices.wanted_of(invoices.get_title(access.actor(), int(saved)))
    registry = {key: request.form.get(f"registry-{key}", "") for key in invoices.REGISTRY}
    return invoices.checked(request.form.get("kind", ""), request.form.get("title", ""), request.form.get("tax_no", ""), registry)


@bp.post("/orders/<int:order_id>/invoice")
@needs("order.own")
def request_invoice(order_id: int) -> Any:
    """Ask for the invoice; the title is kept when the buyer says so."""
    queries.get_for(access.actor(), order_id)
    try:
        wanted = _wanted()
        with transaction():
            invoices.request(access.actor(), order_id, wanted)
            if request.form.get("keep") == "1":
                invoices.save_title(access.actor(), wanted)
    except (Invalid, Conflict, TooMany) as error:
        return _invoice_page(order_id, error)
    flash("已申请发票，商家开具后可在这里下载")
    return redirect(f"/orders/{order_id}/invoice", 303)


@bp.post("/orders/<int:order_id>/invoice/withdraw")
@needs("order.own")
def withdraw_invoice(order_id: int) -> Any:
    """Take the request back before the invoice is issued."""
    try:
        with transaction():
            invoices.withdraw(access.actor(), order_id)
    except Conflict as error:
        return _invoice_page(order_id, error)
    flash("已撤回开票申请")
    return redirect(f"/orders/{order_id}/invoice", 303)


@bp.get("/orders/<int:order_id>/invoice/file")
@needs("order.own")
def invoice_file(order_id: int) -> Response:
    """Send the PDF of the own invoice."""
    queries.get_for(access.actor(), order_id)
    row = invoices.of(order_id)
    if row is None or row.file_key == "-":
        raise NotFound("invoice.file", "这张发票没有上传文件")
    return send_file(runtime.current().storage.path(row.file_key), mimetype="application/pdf", download_name=f"{row.number}.pdf")


@bp.post("/invoice-titles/<int:title_id>/remove")
@needs("order.own")
def remove_title(title_id: int) -> Any:
    """Forget a saved title."""
    with transaction():
        invoices.remove_title(access.actor(), title_id)
    flash("抬头已删除")
    back = request.form.get("order", "")
    return redirect(f"/orders/{back}/invoice" if back.isdigit() else "/orders", 303)
