"""Checkout and the buyer's orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.carts import queries as carts
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import queries, service, states
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint
from security.tokens import random_token

bp = surface_blueprint("storefront", "orders")
NEW = "new"
TABS = {"": "全部", "unpaid": "待付款", "paid": "待发货", "shipped": "待收货", "completed": "已完成", "cancelled": "已取消"}


def _picked() -> tuple[list[tuple[int, int]], bool]:
    """Return what is being bought: one variant (buy now) or the cart's selection; and whether it is the cart."""
    sku, qty = request.values.get("sku", ""), request.values.get("qty", "1")
    if sku:
        if not (sku.isdigit() and qty.isdigit() and len(sku) < 20 and 1 <= int(qty) <= 99):
            raise Invalid("checkout.item", "商品或数量不正确")
        return [(int(sku), int(qty))], False
    view = carts.view(access.actor().account_id, "")
    return [(line.sku_id, line.quantity) for line in view.lines if line.is_selected and not line.reason], True


def _page(status: int = 200, message: str = "") -> Any:
    picked, from_cart = _picked()
    if not picked:
        flash("请先选择要购买的商品", "warn")
        return redirect("/cart", 303)
    try:
        quote, offers, shops = carts.price(picked)
    except KeyError:
        raise Conflict("product.unavailable", "商品已下架") from None
    gone = next((o for o in offers.values() if not o.is_buyable), None)
    if gone is not None:
        raise Conflict("product.unavailable", f"“{gone.title}”{gone.reason}")
    account = access.actor().account_id
    html = render_template(
        "orders/storefront/checkout.html", quote=quote, offers=offers, shops=shops, addresses=identity.list_addresses(account),
        key=random_token(18), message=message, sku=request.values.get("sku", ""), qty=request.values.get("qty", ""),
        from_cart=from_cart, areas=identity.list_areas(), chosen=request.form.get("address_id", ""), form=request.form,
    )  # fmt: skip
    return html, status


@bp.get("/checkout")
@needs("cart.checkout")
def checkout() -> Any:
    """Show what is bought, where it goes and what it costs."""
    return _page()


def _new_address() -> service.NewAddress:
    values = [request.form.get(name, "") for name in ("new-receiver", "new-phone", "new-street", "new-area")]
    return service.NewAddress(*values)


@bp.post("/checkout")
@needs("cart.checkout")
def place() -> Any:
    """Place the trade; a changed price or short stock shows the page again with the new facts."""
    picked, from_cart = _picked()
    address = request.form.get("address_id", "")
    if address != NEW and not address.isdigit():
        return _page(422, "请选择收货地址")
    total = request.form.get("expected_total_fen", "")
    notes = {int(k[5:]): v for k, v in request.form.items() if k.startswith("note-") and k[5:].isdigit()}
    wanted = service.Submission(
        picked, int(address) if address != NEW else 0, request.form.get("quote_hash", ""), int(total) if total.isdigit() else -1,
        request.form.get("idempotency_key", ""), notes, from_cart, _new_address() if address == NEW else None,
    )  # fmt: skip
    try:
        with transaction():
            trade_id = service.place(access.actor(), wanted)
    except Conflict as error:
        return _page(409, error.message)
    except Invalid as error:
        return _page(422, error.message)
    order = queries.orders_of_trade(trade_id)[0]
    response = redirect(f"/pay/{queries.trade_of(order).trade_no}", 303)
    if from_cart:
        units = carts.unit_count(access.actor().account_id, "")
        response.set_cookie("rm_cart_n", str(min(units, 999)), max_age=604_800, samesite="Lax", path="/")
    return response


@bp.get("/orders")
@needs("order.own")
def index() -> str:
    """List the buyer's orders by status."""
    status = request.args.get("status", "")
    status = status if status in TABS else ""
    page = queries.list_for_account(access.actor().account_id, status, request.args.get("cursor", ""))
    return render_template("orders/storefront/index.html", page=page, status=status, tabs_of=TABS, names=states.NAMES,
                           tones=states.TONES, tab="orders")  # fmt: skip


@bp.get("/orders/<int:order_id>")
@needs("order.own")
def detail(order_id: int) -> str:
    """Show one order."""
    order = queries.get_for(access.actor(), order_id)
    return render_template(
        "orders/storefront/detail.html", order=order, lines=queries.lines_of([order_id])[order_id], trade=queries.trade_of(order),
        events=queries.timeline(order_id), receiver=queries.receiver_of(order), area=identity.area_name(order.area_code),
        names=states.NAMES, tones=states.TONES, kinds=states.EVENT_NAMES,
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/cancel")
@needs("order.own")
def cancel(order_id: int) -> Any:
    """Cancel the unpaid trade this order belongs to."""
    order = queries.get_for(access.actor(), order_id)
    with transaction():
        service.cancel_trade(access.actor(), order.trade_id, request.form.get("reason", ""))
    flash("订单已取消")
    return redirect(f"/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/confirm")
@needs("order.own")
def confirm(order_id: int) -> Any:
    """Confirm receipt."""
    with transaction():
        service.complete(access.actor(), order_id)
    flash("已确认收货，欢迎评价")
    return redirect(f"/orders/{order_id}", 303)
