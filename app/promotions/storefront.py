"""The coupon centre, one's own coupons, the goods of a promotion, and the shop's code that opens its offline price."""

from __future__ import annotations

from typing import Any

from flask import make_response, redirect, render_template, request

from app.catalog import queries as catalog
from app.catalog.queries import ProductCard
from app.core import runtime
from app.core.errors import AppError, NotFound
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.promotions import queries, scanning, service, states
from app.promotions.pricing import Line
from app.promotions.spec import KINDS
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, public, surface_blueprint
from security.tokens import TokenInvalid

bp = surface_blueprint("storefront", "promotions")
TABS = {"unused": "未使用", "used": "已使用", "expired": "已失效"}
SHOWN_GOODS = 24


@bp.get("/coupons")
@public("coupons and promotions are offers to everybody")
def center() -> str:
    """Show the coupons that can be claimed, the platform's first."""
    found = queries.claimable(access.actor().account_id)
    found.sort(key=lambda c: (c.merchant_id != 0, c.state != ""))
    shops = merchants.shops(sorted({c.merchant_id for c in found if c.merchant_id}))
    shown = [c for c in found if not c.merchant_id or (c.merchant_id in shops and shops[c.merchant_id].status == "active")]
    return render_template("promotions/storefront/center.html", coupons=shown, shops=shops, tab="me")


@bp.post("/coupons/<int:rule_id>/claim")
@needs("coupon.own")
def claim(rule_id: int) -> Any:
    """Claim one coupon and go back to where the button was."""
    try:
        with transaction():
            service.claim(access.actor(), rule_id)
    except AppError as error:
        if error.status == 404:
            raise
        flash(error.message, "warn")
    else:
        flash("已领取，可在“我的优惠券”查看")
    return redirect(access.safe_next(request.form.get("next"), "/coupons"), 303)


@bp.get("/me/coupons")
@needs("coupon.own")
def mine() -> str:
    """List the buyer's coupons by state."""
    status = request.args.get("status", "unused")
    status = status if status in TABS else "unused"
    page = queries.list_own(access.actor().account_id, status, request.args.get("cursor", ""))
    shops = merchants.shops(sorted({c.merchant_id for c in page.items if c.merchant_id}))
    return render_template(
        "promotions/storefront/mine.html", page=page, shops=shops, status=status, tabs_of=TABS, names=states.COUPON_NAMES, tab="me",
    )  # fmt: skip


@bp.get("/promotions/<int:rule_id>")
@public("coupons and promotions are offers to everybody")
def goods(rule_id: int) -> str:
    """Show the goods a running promotion or one's coupon applies to, cheapest first: where a cart is filled up to its threshold."""
    spec, rule = queries.get_shown(rule_id, access.actor().account_id)
    scope, cursor = rule.scope, request.args.get("cursor", "")
    top = next(iter(sorted(scope.categories)), None)
    if scope.products:
        cards, following = catalog.cards(sorted(scope.products)[:SHOWN_GOODS]), ""
    else:
        page = catalog.list_listed(top if not scope.merchant_id else None, scope.merchant_id or None, "price", cursor, SHOWN_GOODS)
        cards, following = list(page.items), page.next_cursor
    cards = [card for card in cards if scope.covers(_line(card))]
    shop = merchants.shops([scope.merchant_id]).get(scope.merchant_id) if scope.merchant_id else None
    return render_template(
        "promotions/storefront/goods.html", spec=spec, cards=cards, following=following, shop=shop, kinds=KINDS,
        benefit=queries.benefit_text(spec), need=request.args.get("need", ""),
    )  # fmt: skip


def _line(card: ProductCard) -> Line:
    return queries.line(
        0, 1, merchant_id=card.merchant_id, product_id=card.id, category_id=card.category_id, price_fen=card.price_fen,
        area_code=card.area_code, tags=card.tag_names,
    )  # fmt: skip


@bp.get("/scan/<token>")
@public("a signed code names the shop; it opens the shop's offline price, nothing else")
def scan(token: str) -> Any:
    """Note that the visitor scanned a shop's own code (T29) and show the shop."""
    try:
        merchant_id = scanning.read(token)
    except TokenInvalid:
        raise NotFound("scan.code", "二维码无效或已更换，请重新扫码") from None
    merchants.get_public(merchant_id)
    response = make_response(redirect(f"/shops/{merchant_id}", 303))
    pass_ = scanning.visitor_pass(merchant_id)
    secure = runtime.current().settings.security.cookie_secure
    response.set_cookie(scanning.COOKIE, pass_, max_age=scanning.VISIT_TTL_S, httponly=True, samesite="Lax", path="/", secure=secure)
    flash("已通过扫码进店，购物车按扫码价结算")
    return response
