"""Promotions in carts, checkout and orders: one price from preview to placement, frozen, given back (T03, T29; traps 7, 10, 15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.carts import queries as carts
from app.carts import service as cart_service
from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.tx import transaction
from app.orders import queries as orders
from app.orders import service
from app.orders.models import Order, Trade
from app.promotions import queries, scanning
from app.promotions import service as promotion_service
from app.promotions.models import Coupon, PromotionAdjustment
from app.promotions.queries import Buyer
from security.tokens import random_token
from tests.clients import Browser
from tests.factories import market, promotions
from tests.integration.orders.test_checkout import add_address, form_of, sign_in

Picked = list[tuple[int, int]]


def wanted(buyer: Actor, picked: Picked, address_id: int, coupons: frozenset[int] | None = None) -> service.Submission:
    """What the buyer's page would send now."""
    quote, _, _ = carts.price(picked, buyer=Buyer(buyer.account_id), coupons=coupons)
    return service.Submission(
        picked, address_id, quote.quote_hash, quote.total_fen, random_token()[:30], {}, from_cart=False, coupons=coupons
    )


def place(buyer: Actor, picked: Picked, address_id: int, coupons: frozenset[int] | None = None) -> int:
    with transaction():
        return service.place(buyer, wanted(buyer, picked, address_id, coupons))


def coupon_of(buyer: Actor, rule_id: int) -> int:
    with transaction():
        return promotion_service.claim(buyer, rule_id)


def state(db: Any, coupon_id: int) -> str:
    db.rollback()
    db.expire_all()
    return str(db.get_one(Coupon, coupon_id).status)


def pay(db: Any, trade_id: int) -> None:
    with transaction():
        assert service.mark_trade_paid(trade_id, db.get_one(Trade, trade_id).payable_fen)


def two_shops() -> tuple[market.Shop, market.Shop, Picked]:
    a, b = market.make_shop(price_fen=6_000), market.make_shop(price_fen=3_333)
    return a, b, [(a.sku_ids[0], 2), (a.sku_ids[1], 1), (b.sku_ids[0], 3)]


def test_placed_money_is_exact_down_to_the_line(db: Any) -> None:
    """Σ line paid + Σ freight = Σ order = trade; Σ adjustments = what is missing from the list price; funders add up."""
    a, b, picked = two_shops()
    buyer, address_id = market.make_buyer()
    promotions.start(merchant_id=a.merchant_id, tiers=((10_000, 1_001),))
    promotions.start("timed", merchant_id=b.merchant_id, rate_bps=9_500)
    promotions.start("full_cut", owner="programme", programme="补贴", tiers=((5_000, 777),))
    promotions.start("first_order", tiers=((0, 2_000),), merchant_bps=1_500)
    coupon_of(buyer, promotions.start("coupon", tiers=((1_000, 333),)))
    trade_id = place(buyer, picked, address_id)
    db.rollback()
    trade, placed = db.get_one(Trade, trade_id), orders.orders_of_trade(trade_id)
    lines = [line for order in placed for line in orders.lines_of([order.id])[order.id]]
    listed = sum(line.unit_price_fen * line.quantity for line in lines)
    rows = db.query(PromotionAdjustment).filter_by(trade_id=trade_id).all()
    assert sum(o.payable_fen for o in placed) == trade.payable_fen == sum(line.paid_fen for line in lines) + sum(o.freight_fen for o in placed)
    assert listed - sum(line.paid_fen for line in lines) == sum(r.amount_fen for r in rows) > 3_000
    for order in placed:
        own = [line for line in lines if line.order_id == order.id]
        assert order.goods_fen == sum(line.paid_fen for line in own)
        for line in own:
            off = sum(r.amount_fen for r in rows if r.line_id == line.id)
            assert line.paid_fen == line.unit_price_fen * line.quantity - off
    assert {r.programme for r in rows if r.programme_fen} == {"补贴"}
    assert {(r.kind, r.layer) for r in rows} >= {("full_cut", 2), ("timed", 1), ("coupon", 4)}


def test_a_placed_order_is_never_priced_again(db: Any) -> None:
    """Frozen version and amounts: editing and ending the rule changes nothing (§3 #3, trap 26)."""
    shop = market.make_shop(price_fen=6_000)
    buyer, address_id = market.make_buyer()
    rule_id = promotions.start(merchant_id=shop.merchant_id, tiers=((5_000, 500),))
    trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
    order = orders.orders_of_trade(trade_id)[0]
    before = queries.summary_of(order.id)
    with transaction():
        promotion_service.pause(SYSTEM, rule_id)
        promotion_service.revise(SYSTEM, rule_id, promotions.spec(merchant_id=shop.merchant_id, tiers=((5_000, 1),)))
    pay(db, trade_id)
    assert [(o.fen, o.merchant_fen) for o in queries.summary_of(order.id)] == [(500, 500)] == [(o.fen, o.merchant_fen) for o in before]
    assert db.get_one(Order, order.id).goods_fen == 5_500


@pytest.mark.parametrize("change", ["pause", "new"])
def test_a_price_that_moved_is_refused(db: Any, change: str) -> None:
    shop = market.make_shop(price_fen=6_000)
    buyer, address_id = market.make_buyer()
    rule_id = promotions.start(merchant_id=shop.merchant_id)
    form = wanted(buyer, [(shop.sku_ids[0], 1)], address_id)
    with transaction():
        if change == "pause":
            promotion_service.pause(SYSTEM, rule_id)
    if change == "new":
        promotions.start(merchant_id=shop.merchant_id, priority=5, tiers=((1_000, 900),))
    with pytest.raises(service.QuoteChanged), transaction():
        service.place(buyer, form)
    assert db.query(Order).count() == 0


def test_coupon_is_locked_used_and_given_back(db: Any) -> None:
    shop = market.make_shop(price_fen=6_000)
    buyer, address_id = market.make_buyer()
    coupon_id = coupon_of(buyer, promotions.start("coupon"))
    picked = [(shop.sku_ids[0], 1)]
    first = place(buyer, picked, address_id)
    assert state(db, coupon_id) == "locked"
    with transaction():
        service.cancel_trade(buyer, first, "不要了")
    assert state(db, coupon_id) == "unused", "litemall #163: a cancelled order gives its coupon back"
    second = place(buyer, picked, address_id)
    with clock.travel(timedelta(seconds=1_801)), transaction():
        assert service.expire_unpaid() == 1
    assert state(db, coupon_id) == "unused"
    third = place(buyer, picked, address_id)
    pay(db, third)
    assert state(db, coupon_id) == "used"
    assert len({first, second, third}) == 3
    assert db.query(PromotionAdjustment).filter_by(is_void=False).count() == 1


def test_a_late_payment_does_not_use_the_coupon_again(db: Any) -> None:
    """Trap 7: the trade's compare-and-set decides between cancel and pay; the coupon follows the winner."""
    shop = market.make_shop(price_fen=6_000)
    buyer, address_id = market.make_buyer()
    coupon_id = coupon_of(buyer, promotions.start("coupon"))
    trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
    with transaction():
        service.cancel_trade(buyer, trade_id, "")
    with transaction():
        assert not service.mark_trade_paid(trade_id, db.get_one(Trade, trade_id).payable_fen)
    assert state(db, coupon_id) == "unused"


def test_a_platform_coupon_comes_back_when_the_whole_trade_is_undone(db: Any) -> None:
    a, b, picked = two_shops()
    buyer, address_id = market.make_buyer()
    coupon_id = coupon_of(buyer, promotions.start("coupon"))
    trade_id = place(buyer, picked, address_id)
    pay(db, trade_id)
    first, second = orders.orders_of_trade(trade_id)
    with transaction():
        service.cancel_paid(buyer, first.id, "")
    assert state(db, coupon_id) == "used", "half a trade keeps the coupon: its share is in the refund"
    with transaction():
        service.cancel_paid(buyer, second.id, "")
    assert state(db, coupon_id) == "unused"
    refunded = [o.refunded_fen for o in orders.orders_of_trade(trade_id)]
    assert sum(refunded) == db.get_one(Trade, trade_id).payable_fen
    assert a.merchant_id != b.merchant_id


def test_first_order_discount_is_for_the_first_order(db: Any) -> None:
    shop = market.make_shop(price_fen=6_000)
    buyer, address_id = market.make_buyer()
    promotions.start("first_order", tiers=((0, 2_000),))
    picked = [(shop.sku_ids[0], 1)]
    assert carts.price(picked)[0].discount_fen == 0, "a guest has no first order yet"
    first = place(buyer, picked, address_id)
    assert orders.orders_of_trade(first)[0].goods_fen == 4_000
    assert orders.orders_of_trade(place(buyer, picked, address_id))[0].goods_fen == 6_000
    other, other_address = market.make_buyer()
    once = place(other, picked, other_address)
    with transaction():
        service.cancel_trade(other, once, "")
    assert orders.orders_of_trade(place(other, picked, other_address))[0].goods_fen == 4_000, "a cancelled order was none"


def test_freight_relief_of_two_orders_is_one_use_of_the_whole_amount(db: Any) -> None:
    a, b, picked = two_shops()
    buyer, address_id = market.make_buyer()
    rule_id = promotions.start("freight", tiers=(), budget_fen=1_500)
    trade_id = place(buyer, picked, address_id)
    placed = orders.orders_of_trade(trade_id)
    assert [(o.freight_fen, o.payable_fen - o.goods_fen) for o in placed] == [(0, 0), (0, 0)]
    rows = db.query(PromotionAdjustment).all()
    assert sorted((r.order_id, r.line_id, r.amount_fen) for r in rows) == sorted((o.id, 0, 500) for o in placed)
    row = promotions.row(db, rule_id)
    assert (row.used_count, row.used_fen) == (1, 1_000)
    with transaction():
        service.cancel_trade(buyer, trade_id, "")
    assert promotions.row(db, rule_id).used_fen == 0
    assert a.merchant_id != b.merchant_id


def test_no_order_costs_nothing(db: Any) -> None:
    """A discount above the price leaves one fen for each unit."""
    shop = market.make_shop(price_fen=300)
    buyer, address_id = market.make_buyer()
    promotions.start("full_cut", tiers=((0, 99_999),))
    trade_id = place(buyer, [(shop.sku_ids[0], 2)], address_id)
    line = orders.lines_of([orders.orders_of_trade(trade_id)[0].id])
    assert [x.paid_fen for found in line.values() for x in found] == [2]


def test_the_cart_says_how_far_the_next_tier_is(db: Any) -> None:
    shop = market.make_shop(price_fen=6_000)
    other = market.make_shop(price_fen=8_000)
    buyer, _ = market.make_buyer()
    promotions.start(merchant_id=shop.merchant_id, tiers=((10_000, 1_000), (20_000, 3_000)))
    with transaction():
        cart_service.add(buyer.account_id, "", shop.sku_ids[0], 1)
        cart_service.add(buyer.account_id, "", other.sku_ids[0], 1)
    step = carts.view(buyer.account_id, "").progress[shop.merchant_id]
    assert (step.gap_fen, step.off_fen, step.reached_off_fen, step.percent) == (4_000, 1_000, 0, 30)
    with transaction():
        cart_service.add(buyer.account_id, "", shop.sku_ids[0], 1)
    step = carts.view(buyer.account_id, "").progress[shop.merchant_id]
    assert (step.gap_fen, step.off_fen, step.reached_off_fen) == (8_000, 3_000, 1_000)
    with transaction():
        cart_service.add(buyer.account_id, "", shop.sku_ids[0], 2)
    view = carts.view(buyer.account_id, "")
    assert (view.progress[shop.merchant_id].gap_fen, view.filler) == (0, None)
    assert list(view.progress) == [shop.merchant_id]


def test_the_filler_is_the_cheapest_that_reaches_the_tier(db: Any) -> None:
    from tests.factories import search as make

    shop = market.make_shop(price_fen=6_000)
    buyer, _ = market.make_buyer()
    promotions.start(merchant_id=shop.merchant_id, tiers=((10_000, 1_000),))
    with transaction():
        from app.catalog.models import Product
        from app.merchants.models import Merchant

        merchant = db.get_one(Merchant, shop.merchant_id)
        category = db.get_one(Product, shop.product_id).category_id
        made = {
            fen: make.make_listed(merchant, type("C", (), {"id": category})(), f"商品{fen}", (({"规格": "一"}, fen, 9),)).id
            for fen in (3_999, 4_500, 4_000, 9_000)
        }
        cart_service.add(buyer.account_id, "", shop.sku_ids[0], 1)
    filler = carts.view(buyer.account_id, "").filler
    assert filler is not None
    assert (filler.product_id, filler.price_fen) == (made[4_000], 4_000)


def test_scanned_price_runs_from_the_poster_to_the_order(app: Any, db: Any) -> None:
    """T29: order by scan at 线下价9折."""
    shop = market.make_shop(price_fen=6_000)
    promotions.start("scan", merchant_id=shop.merchant_id, rate_bps=9_000)
    browser = Browser(app)
    add_address(sign_in(browser, "13820000041"))
    browser.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1})
    assert "60.00" in browser.get("/cart").soup.select_one(".ci__b").text
    browser.get(f"/scan/{scanning.poster_token(shop.merchant_id)}")
    assert "54.00" in browser.get("/cart").soup.select_one(".ci__b").text
    assert browser.post("/checkout", form_of(browser.get("/checkout"))).status_code == 303
    assert db.query(Order).one().goods_fen == 5_400


def test_coupons_are_chosen_at_checkout(app: Any, db: Any) -> None:
    shop = market.make_shop(price_fen=6_000)
    big, small = promotions.start("coupon", title="大券", tiers=((0, 900),)), promotions.start("coupon", title="小券", tiers=((0, 100),))
    far = promotions.start("coupon", merchant_id=shop.merchant_id, title="店铺券", tiers=((50_000, 500),))
    browser = Browser(app)
    add_address(sign_in(browser, "13820000042"))
    for rule_id in (big, small, far):
        assert browser.post(f"/coupons/{rule_id}/claim").headers["Location"] == "/coupons"
    browser.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1})
    page = browser.get("/checkout")
    options = {o.find_parent("label").text.strip().split()[0]: o for o in page.soup.select("input[name=coupon-0]")}
    assert options["大券"].has_attr("checked"), "the best one is preselected"
    shop_coupon = page.soup.select_one(f"input[name=coupon-{shop.merchant_id}]")
    assert shop_coupon.has_attr("disabled")
    assert "还差 ¥440.00 可用" in shop_coupon.find_parent("label").text
    form = form_of(page)
    chosen = {**form, "coupon-0": options["小券"]["value"]}
    again = browser.post("/checkout", {**chosen, "intent": "quote"})
    assert again.status_code == 200
    assert db.query(Order).count() == 0, "asking for the price places nothing"
    stale = browser.post("/checkout", chosen)
    assert stale.status_code == 409, "another coupon is another price"
    final = form_of(again) | {"coupon-0": options["小券"]["value"]}
    assert browser.post("/checkout", final).status_code == 303
    order = db.query(Order).one()
    assert order.goods_fen == 5_900
    used = db.query(Coupon).filter_by(status="locked").one()
    assert used.rule_id == small
    text = browser.get(f"/orders/{order.id}").soup.text
    assert "小券" in text
    assert "−¥1.00" in text


def test_every_surface_shows_the_adjustments_of_an_order(app: Any, db: Any) -> None:
    shop = market.make_shop(price_fen=6_000)
    buyer, address_id = market.make_buyer()
    promotions.start("full_cut", title="平台满减", tiers=((5_000, 1_000),), merchant_bps=3_000)
    order_id = orders.orders_of_trade(place(buyer, [(shop.sku_ids[0], 1)], address_id))[0].id
    for surface, login in (("/merchant", shop.login), ("/operator", market.staff("operator", "operations"))):
        browser = Browser(app)
        browser.sign_in(surface, login, market.PASSWORD)
        text = browser.get(f"{surface}/orders/{order_id}").soup.text
        assert "平台满减" in text
        assert "商家 ¥3.00" in text
        assert "平台 ¥7.00" in text
