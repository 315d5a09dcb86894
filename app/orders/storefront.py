"""Checkout and the buyer's orders."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.carts import queries as carts
from app.catalog.queries import RETURN_EXCLUSIONS, Offer, exclusion_of
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.delivery import destination
from app.delivery import queries as delivery
from app.identity import queries as identity
from app.identity.queries import AddressView
from app.merchants.queries import DELIVERY_MODES
from app.orders import closing, grouping, invoices, placing, queries, service, states
from app.promotions import queries as promotions
from app.promotions import scanning
from app.promotions.pricing import Quote, Verdict
from app.promotions.queries import Buyer
from app.web import access
from app.web.figures import Figure
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint
from security.tokens import random_token

bp = surface_blueprint("storefront", "orders")
NEW = "new"
TABS = {"": "全部", "unpaid": "待付款", "paid": "待发货", "shipped": "待收货", "completed": "已完成", "cancelled": "已取消"}


def _scanned() -> int:
    return scanning.scanned(request.cookies.get(scanning.COOKIE, ""))


def _coupons() -> frozenset[int] | None:
    """Return the coupons chosen on the page (`coupon-<shop>`, 0 = none), None when nothing was offered to choose."""
    chosen = [value for name, value in request.values.items() if name.startswith("coupon-")]
    if not all(value.isdigit() and len(value) < 20 for value in chosen):
        raise Invalid("checkout.coupon", "优惠券不正确")
    return frozenset(int(value) for value in chosen) - {0} if chosen else None


def _modes() -> dict[int, str]:
    """Return the delivery modes chosen on the page (`mode-<shop>`). Raises Invalid for a word nobody offers."""
    chosen = {name[5:]: value for name, value in request.values.items() if name.startswith("mode-")}
    if not all(key.isdigit() and len(key) < 20 and value in DELIVERY_MODES for key, value in chosen.items()):
        raise Invalid("order.mode", "配送方式不正确")
    return {int(key): value for key, value in chosen.items()} | dict.fromkeys(_points(), grouping.PICKUP)


def _invoice() -> invoices.Wanted | None:
    """Return the invoice asked for with the order, None for none. Raises Invalid naming the field."""
    kind = request.form.get("invoice-kind", "")
    if not kind:
        return None
    return invoices.checked(kind, request.form.get("invoice-title", ""), request.form.get("invoice-tax_no", ""))


def _bought_now() -> list[tuple[int, int]]:
    """Return the one variant that is bought without the cart, nothing when the cart is bought."""
    sku, qty = request.values.get("sku", ""), request.values.get("qty", "1")
    if not sku:
        return []
    if not (sku.isdigit() and qty.isdigit() and len(sku) < 20 and 1 <= int(qty) <= 99):
        raise Invalid("checkout.item", "商品或数量不正确")
    return [(int(sku), int(qty))]


def _picked() -> tuple[list[tuple[int, int]], dict[int, Offer] | None]:
    """Return what is being bought: one variant (buy now), or the cart's selection and the offers reading it has told."""
    now = _bought_now()
    if now:
        return now, None
    picked, offers, _ = carts.selection(access.actor().account_id)
    return picked, offers


def _page(status: int = 200, message: str = "") -> Any:
    picked, known = _picked()
    if not picked:
        flash("请先选择要购买的商品", "warn")
        return redirect("/cart", 303)
    account = access.actor().account_id
    addresses = identity.list_addresses(account)
    area_code = _area_of(addresses)
    try:
        modes = _modes()
        quote, offers, shops = carts.price(picked, known, Buyer(account, _scanned(), area_code=area_code), _coupons(), modes)
    except KeyError:
        raise Conflict("product.unavailable", "商品已下架") from None
    gone = next((o for o in offers.values() if not o.is_buyable), None)
    if gone is not None:
        raise Conflict("product.unavailable", f"“{gone.title}”{gone.reason}")
    ways, sent = placing.chosen_modes(modes, shops), carts.travelling(shops, offers.values(), modes)
    html = render_template(
        "orders/storefront/checkout.html", quote=quote, offers=offers, shops=shops, addresses=addresses,
        promises=carts.promised(quote, shops, area_code, sent), area_code=area_code, verdicts=_verdicts(quote),
        points=_points(), offered={shop.id: delivery.points_of(shop, area_code) for shop in shops.values()},
        parts=grouping.divide(quote, placing.handling_of(offers), ways), chosen_modes=ways,
        modes=grouping.MODES, temperatures=grouping.TEMPERATURES, key=random_token(18), message=message, exclusions=RETURN_EXCLUSIONS,
        excluded={o.title: why for o in offers.values() if (why := exclusion_of(o.category_id)) != "-"},
        sku=request.values.get("sku", ""), qty=request.values.get("qty", ""), from_cart=known is not None,
        area_options=(("", "请选择"), *((area.code, area.name) for area in identity.list_areas())),
        chosen=request.form.get("address_id", ""), form=request.form,
    )  # fmt: skip
    return html, status


def _points() -> dict[int, int]:
    """Return the pickup points chosen on the page (`point-<shop>`), by shop; nothing for shops that send."""
    chosen = {name[6:]: value for name, value in request.values.items() if name.startswith("point-") and value}
    if not all(name.isdigit() and value.isdigit() and len(value) < 20 for name, value in chosen.items()):
        raise Invalid("checkout.point", "自提点不正确")
    return {int(name): int(value) for name, value in chosen.items()}


def _area_of(addresses: list[AddressView]) -> str:
    """Return the district freight is priced for: the chosen address's, the new one's, the first one's, the visitor's."""
    wanted = request.form.get("address_id", "")
    if wanted == NEW:
        return request.form.get("new-area", "") or destination.chosen()
    found = next((a for a in addresses if str(a.id) == wanted), addresses[0] if addresses else None)
    return found.area_code if found is not None else destination.chosen()


def _verdicts(quote: Quote) -> dict[int, list[Verdict]]:
    """Return the coupons of the wallet by shop (0: the platform's), usable ones first; of shops that are not bought from, none."""
    found: dict[int, list[Verdict]] = {0: [], **{order.merchant_id: [] for order in quote.orders}}
    for verdict in sorted(quote.verdicts, key=lambda v: (v.reason != "", -v.saving_fen)):
        found.get(verdict.coupon.rule.scope.merchant_id, []).append(verdict)
    return found


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
    picked = _bought_now()
    from_cart = not picked
    if request.form.get("intent") == "quote":  # other coupons were chosen: the page with their price
        return _page()
    address = request.form.get("address_id", "")
    if address != NEW and not address.isdigit():
        return _page(422, "请选择收货地址")
    total = request.form.get("expected_total_fen", "")
    notes = {int(k[5:]): v for k, v in request.form.items() if k.startswith("note-") and k[5:].isdigit()}
    wanted = service.Submission(
        picked, int(address) if address != NEW else 0, request.form.get("quote_hash", ""), int(total) if total.isdigit() else -1,
        request.form.get("idempotency_key", ""), notes, from_cart, _new_address() if address == NEW else None,
        _coupons(), _scanned(), {int(k[8:]): v for k, v in request.form.items() if k.startswith("promise-") and k[8:].isdigit()},
        _modes(),
        _points(),
        request.form.get("exclusions") == "1",
    )  # fmt: skip
    try:
        invoice = _invoice()
        with transaction():
            trade_id = service.place(access.actor(), wanted)
            if invoice is not None:
                invoices.request_for_trade(access.actor(), trade_id, invoice)
    except Conflict as error:
        return _page(409, error.message)
    except Invalid as error:
        return _page(422, error.message)
    response = redirect(f"/pay/{queries.trade_no_of(trade_id)}", 303)
    if from_cart:
        units = carts.unit_count(access.actor().account_id, "")
        response.set_cookie("rm_cart_n", str(min(units, 999)), max_age=604_800, samesite="Lax", path="/")
    return response


def order_figures(actor: Actor) -> list[Figure]:
    """Return the buyer's open orders by state, for the buyer's centre."""
    counts = queries.count_by_status(account_id=actor.account_id)
    icons = {"unpaid": "wallet", "paid": "package", "shipped": "truck"}
    return [Figure(TABS[key], counts[key], f"/orders?status={key}", "单", icon=icon) for key, icon in icons.items()]


def review_figures(actor: Actor) -> list[Figure]:
    """Return how many bought lines wait for a review, for the buyer's centre."""
    return [Figure("待评价", queries.count_to_review(actor.account_id), "/orders?status=completed", "件")]


@bp.get("/orders")
@needs("order.own")
def index() -> str:
    """List the buyer's orders by status."""
    status = request.args.get("status", "")
    status = status if status in TABS else ""
    page = queries.list_for_account(access.actor().account_id, status, request.args.get("cursor", ""))
    done = [order.id for order, _ in page.items if order.status == states.COMPLETED]
    return render_template(
        "orders/storefront/index.html", page=page, status=status, tabs_of=TABS, names=states.NAMES, tones=states.TONES,
        tab="orders", to_review=queries.to_review(done), counts=queries.count_by_status(account_id=access.actor().account_id),
    )  # fmt: skip


@bp.get("/orders/<int:order_id>")
@needs("order.own")
def detail(order_id: int) -> str:
    """Show one order."""
    order = queries.get_for(access.actor(), order_id)
    return render_template(
        "orders/storefront/detail.html", order=order, lines=queries.lines_of([order_id])[order_id], backs=queries.backs_for(order),
        trade=queries.trade_of(order), offs=promotions.summary_of(order_id), events=queries.timeline(order_id, internal=False),
        receiver=queries.receiver_of(order), modes=grouping.MODES, temperatures=grouping.TEMPERATURES,
        area=identity.area_name(order.area_code),
        names=states.NAMES, tones=states.TONES, kinds=states.EVENT_NAMES, tab="orders", to_review=queries.to_review([order_id]),
        pickup=delivery.pickup_of(order_id),
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/cancel")
@needs("order.own")
def cancel(order_id: int) -> Any:
    """Cancel the unpaid trade this order belongs to, or this paid order alone before it is shipped."""
    order = queries.get_for(access.actor(), order_id)
    paid, reason, trade_id = order.status == states.PAID, request.form.get("reason", ""), order.trade_id
    if not paid:
        closing.close_channels(trade_id)
    with transaction():
        if paid:
            service.cancel_paid(access.actor(), order_id, reason)
        else:
            service.cancel_trade(access.actor(), trade_id, reason)
    flash("订单已取消，款项将原路退回" if paid else "订单已取消")
    return redirect(f"/orders/{order_id}", 303)


@bp.post("/orders/<int:order_id>/confirm")
@needs("order.own")
def confirm(order_id: int) -> Any:
    """Confirm receipt."""
    with transaction():
        service.complete(access.actor(), order_id)
    flash("已确认收货，欢迎评价")
    return redirect(f"/orders/{order_id}", 303)
