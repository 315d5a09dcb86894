"""The buyer's cart; every change is a plain form, so it works without scripts."""

from __future__ import annotations

from typing import Any

from flask import make_response, redirect, render_template, request

from app.carts import queries, service
from app.core import runtime
from app.core.actor import Actor
from app.core.errors import Invalid
from app.core.tx import transaction
from app.delivery import destination
from app.identity import queries as identity
from app.promotions import scanning
from app.web import access
from app.web.figures import Figure
from app.web.flash import flash
from app.web.surfaces import public, surface_blueprint
from security.tokens import random_token

bp = surface_blueprint("storefront", "carts")
COOKIE, COUNT_COOKIE = "rm_cart", "rm_cart_n"
PUBLIC_REASON = "guests have a cart; it is found by the visitor's own token"


def _owner() -> tuple[int, str]:
    return access.actor().account_id, request.cookies.get(COOKIE, "")


def _number(name: str, default: int | None = None) -> int:
    text = request.form.get(name, "" if default is None else str(default))
    if not text.isdigit() or len(text) > 19:
        raise Invalid("form.number", "数量或编号不正确", field=name)
    return int(text)


def _count(response: Any, units: int) -> Any:
    """Keep the number of units in a cookie, so that no other page needs a query for it."""
    response.set_cookie(COUNT_COOKIE, str(min(units, 999)), max_age=604_800, samesite="Lax", path="/")
    return response


def _done(response: Any, units: int | None = None, guest_token: str = "") -> Any:
    """Keep the guest's token and the unit count in cookies; the count is read unless given."""
    _count(response, queries.unit_count(*_owner()) if units is None else units)
    if guest_token:
        ttl_s = runtime.current().settings.trade.cart_ttl_s
        response.set_cookie(COOKIE, guest_token, max_age=ttl_s, httponly=True, samesite="Lax", path="/",
                            secure=runtime.current().settings.security.cookie_secure)  # fmt: skip
    return response


def figures_of(actor: Actor) -> list[Figure]:
    """Return what the buyer's centre shows of the cart."""
    return [Figure("购物车", queries.unit_count(actor.account_id, ""), "/cart", "件")]


@bp.get("/cart")
@public(PUBLIC_REASON)
def cart() -> Any:
    """Show the cart; its unit count is brought up to date (signing in merges a guest's cart)."""
    area_code = destination.chosen()
    seen = queries.view(*_owner(), scanning.scanned(request.cookies.get(scanning.COOKIE, "")), area_code)
    page = render_template(
        "carts/storefront/cart.html", cart=seen, tab="cart", cart_count=seen.unit_count, areas=identity.list_areas(), area_code=area_code,
    )  # fmt: skip
    return _count(make_response(page), seen.unit_count)


@bp.post("/cart/items")
@public(PUBLIC_REASON)
def add() -> Any:
    """Add units; `intent=buy` goes straight to checkout without touching the cart."""
    sku_id, quantity = _number("sku_id"), _number("qty", 1)
    if request.form.get("intent") == "buy":
        return redirect(f"/checkout?sku={sku_id}&qty={quantity}", 303)
    account_id, token = _owner()
    fresh = "" if account_id or token else random_token()
    try:
        with transaction():
            added = service.add(account_id, token or fresh, sku_id, quantity)
    except service.CartMerged:  # signed out again: the old token is used up
        fresh = random_token()
        with transaction():
            added = service.add(account_id, fresh, sku_id, quantity)
    flash("已加入购物车")
    return _done(redirect(access.safe_next(request.form.get("next"), "/cart"), 303), added.unit_count, fresh)


@bp.post("/cart/lines/<int:line_id>")
@public(PUBLIC_REASON)
def change(line_id: int) -> Any:
    """Set the quantity, step it, select, or remove one line, by the button pressed."""
    intent, owner = request.form.get("intent", "set"), _owner()
    with transaction():
        if intent == "remove":
            service.set_quantity(*owner, line_id, 0)
        elif intent in {"select", "unselect"}:
            service.select_line(*owner, line_id, intent == "select")
        else:
            step = {"plus": 1, "minus": -1}.get(intent, 0)
            service.set_quantity(*owner, line_id, max(0, _number("qty", 1) + step))
    return _done(redirect("/cart", 303))


@bp.post("/cart/select-all")
@public(PUBLIC_REASON)
def select_all() -> Any:
    """Select or leave out every line."""
    with transaction():
        service.select_all(*_owner(), request.form.get("selected") == "1")
    return _done(redirect("/cart", 303))
