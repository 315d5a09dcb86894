"""Freight templates at work: cart, checkout and placing say the same, a region without a rule gets nothing, versions stay."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.carts import queries as carts
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.delivery import queries, service
from app.delivery.models import FreightVersion
from app.delivery.spec import RegionRule, TemplateSpec
from app.identity import service as identity
from app.merchants import queries as merchants
from app.orders import queries as order_queries
from app.orders import service as orders
from app.orders.models import Order
from app.promotions.queries import Buyer
from security.tokens import random_token
from tests.clients import Browser
from tests.factories import delivery, market
from tests.integration.orders.test_checkout import add_address, form_of, sign_in
from tests.integration.orders.test_statement_budget import statements

REST = RegionRule((), 1, 700, 1, 100)


def freight_of(shop: market.Shop, quantity: int = 1, area_code: str = "T01") -> tuple[int, tuple[tuple[int, str], ...]]:
    quote, _, _ = carts.price([(shop.sku_ids[0], quantity)], buyer=Buyer(area_code=area_code))
    return quote.orders[0].freight_fen, quote.refused


def place(shop: market.Shop, quantity: int = 1, **more: Any) -> int:
    """Buy from a shop to T01; returns the order."""
    buyer, address_id = market.make_buyer()
    picked = [(shop.sku_ids[0], quantity)]
    quote, _, _ = carts.price(picked, buyer=Buyer(buyer.account_id, area_code="T01"))
    wanted = orders.Submission(picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, **more)
    with transaction():
        trade_id = orders.place(buyer, wanted)
    return order_queries.orders_of_trade(trade_id)[0].id


def test_a_shop_without_templates_keeps_its_flat_freight(db: Any) -> None:
    shop = market.make_shop()
    assert freight_of(shop) == (500, ())


def test_the_first_template_takes_over_and_is_the_default(db: Any) -> None:
    shop = market.make_shop()
    delivery.template(shop.merchant_id, REST)
    assert freight_of(shop, 3) == (900, ())
    assert [t.is_default for t in queries.list_templates(shop.merchant_id)] == [True]
    assert db.get_one(Order, place(shop, 3)).freight_fen == 900


def test_a_region_without_a_rule_gets_nothing(db: Any) -> None:
    delivery.area("T02", "远县")
    shop = market.make_shop()
    delivery.template(shop.merchant_id, RegionRule(("T02",), 1, 300))
    assert freight_of(shop, area_code="T02") == (300, ())
    assert freight_of(shop) == (0, ((shop.sku_ids[0], "不配送到测试区"),))
    before = db.scalar(select(func.count()).select_from(Order))
    with pytest.raises(Conflict, match="delivery.refused"):
        place(shop)
    assert db.scalar(select(func.count()).select_from(Order)) == before


def test_the_chain_of_areas_is_climbed(db: Any) -> None:
    delivery.area("CITY", "全市")
    delivery.area("T03", "城区", "CITY")
    shop = market.make_shop()
    delivery.template(shop.merchant_id, RegionRule(("CITY",), 1, 300))
    assert freight_of(shop, area_code="T03") == (300, ())


def test_changes_are_seen_at_once_and_cost_no_statement(db: Any) -> None:
    shop = market.make_shop()
    template_id = delivery.template(shop.merchant_id, REST)
    freight_of(shop)
    with statements() as flat_like:
        assert freight_of(shop)[0] == 700
    with transaction():
        service.revise_template(SYSTEM, template_id, TemplateSpec("测试模板", "piece", (RegionRule((), 1, 1_200),)), 1)
    assert freight_of(shop)[0] == 1_200
    other = market.make_shop()
    freight_of(other)
    with statements() as flat:
        freight_of(other)
    assert len(flat_like) == len(flat), "templates come from memory"


def test_a_rolled_back_change_is_not_remembered(db: Any) -> None:
    shop = market.make_shop()
    template_id = delivery.template(shop.merchant_id, REST)
    with pytest.raises(RuntimeError), transaction():
        service.revise_template(SYSTEM, template_id, TemplateSpec("测试模板", "piece", (RegionRule((), 1, 1_200),)), 1)
        assert freight_of(shop)[0] == 1_200
        raise RuntimeError
    assert freight_of(shop)[0] == 700


def test_versions_are_kept_and_a_stale_page_is_refused(db: Any) -> None:
    shop = market.make_shop()
    template_id = delivery.template(shop.merchant_id, REST)
    second = TemplateSpec("测试模板", "piece", (RegionRule((), 2, 800),))
    with transaction():
        assert service.revise_template(SYSTEM, template_id, second, 1) == 2
    with pytest.raises(Conflict, match="freight.changed"), transaction():
        service.revise_template(SYSTEM, template_id, second, 1)
    kept = db.scalars(select(FreightVersion.spec).where(FreightVersion.template_id == template_id).order_by(FreightVersion.version)).all()
    assert [TemplateSpec.from_json(s).rules[0].first_fen for s in kept] == [700, 800]


def test_goods_use_their_own_template_and_the_default_cannot_go(db: Any) -> None:
    shop = market.make_shop()
    first = delivery.template(shop.merchant_id, REST)
    heavy = delivery.template(shop.merchant_id, RegionRule((), 1, 20_000))
    with transaction():
        service.bind(SYSTEM, heavy, shop.product_id, shop.sku_ids[1])
    quote, _, _ = carts.price([(s, 1) for s in shop.sku_ids], buyer=Buyer(area_code="T01"))
    assert quote.orders[0].freight_fen == 20_000 + 100, "the dearest first step once, a further step of the other template"
    with pytest.raises(Conflict, match="freight.is_default"), transaction():
        service.archive_template(SYSTEM, first)
    with transaction():
        service.archive_template(SYSTEM, heavy)
    quote, _, _ = carts.price([(s, 1) for s in shop.sku_ids], buyer=Buyer(area_code="T01"))
    assert quote.orders[0].freight_fen == 800
    with transaction():
        third = service.add_template(SYSTEM, shop.merchant_id, TemplateSpec("新", "piece", (RegionRule((), 1, 50),))).id
        service.make_default(SYSTEM, third)
    assert [(t.id, t.is_default) for t in queries.list_templates(shop.merchant_id)] == [(third, True), (first, False)]
    assert freight_of(shop)[0] == 50


def test_foreign_goods_and_templates_are_not_found(db: Any) -> None:
    mine, theirs = market.make_shop(), market.make_shop()
    template_id = delivery.template(mine.merchant_id, REST)
    owner = market.actor_of(identity_account(theirs))
    with pytest.raises(NotFound):
        service.make_default(owner, template_id)
    with pytest.raises(NotFound), transaction():
        service.bind(SYSTEM, template_id, theirs.product_id)


def identity_account(shop: market.Shop) -> Any:
    from app.identity import queries as identity_queries

    return identity_queries.find_by_login("merchant", shop.login)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (TemplateSpec("", "piece", (REST,)), "name"),
        (TemplateSpec("x", "length", (REST,)), "basis"),
        (TemplateSpec("x", "piece", ()), "rules"),
        (TemplateSpec("x", "piece", (REST, REST)), "rules"),
        (TemplateSpec("x", "piece", (RegionRule(("NOWHERE",), 1, 1),)), "rules"),
        (TemplateSpec("x", "piece", (RegionRule(("T01",), 1, 1), RegionRule(("T01",), 1, 2))), "rules"),
        (TemplateSpec("x", "piece", (RegionRule(("T01",), 1, 1),), ("T01",)), "rules"),
        (TemplateSpec("x", "piece", (RegionRule((), 0, 1),)), "rules"),
        (TemplateSpec("x", "piece", (RegionRule((), 1, -1),)), "rules"),
        (TemplateSpec("x", "piece", (RegionRule((), 1, 1, 0, 100),)), "rules"),
    ],
)
def test_wrong_templates_are_refused(db: Any, spec: TemplateSpec, field: str) -> None:
    shop = market.make_shop()
    with pytest.raises(Invalid) as refused, transaction():
        service.add_template(SYSTEM, shop.merchant_id, spec)
    assert refused.value.field == field
    assert merchants.shops([shop.merchant_id])[shop.merchant_id].delivery_revision == 0


def test_cart_and_checkout_say_why_and_refuse(db: Any, client: Browser) -> None:
    delivery.area("T02", "远县")
    shop = market.make_shop()
    delivery.template(shop.merchant_id, REST, excluded=("T02",), reason="山路暂不通车")
    client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 2})
    assert "请先选择收货地区" in client.get("/cart").text
    assert client.post("/delivery-area", {"area": "T02", "next": "/cart"}).status_code == 303
    page = client.get("/cart")
    assert "不配送到远县：山路暂不通车" in page.text
    assert page.soup.select_one("a.b2") is None, "nothing is left to order"
    client.post("/delivery-area", {"area": "T01", "next": "/cart"})
    assert "含运费 ¥8.00" in client.get("/cart").text


def test_another_address_gives_another_freight(db: Any, client: Browser) -> None:
    delivery.area("T02", "远县")
    delivery.area("T03", "岛上")
    shop = market.make_shop()
    delivery.template(shop.merchant_id, REST, RegionRule(("T02",), 1, 1_500), excluded=("T03",))
    account_id = sign_in(client, "13820000051")
    add_address(account_id)
    account = Actor("consumer", account_id=account_id, name="买家")
    with transaction():
        far = identity.add_address(account, receiver="王五", phone="13812345678", street="远路 1 号", area_code="T02").id
        isle = identity.add_address(account, receiver="赵六", phone="13812345678", street="岛路 1 号", area_code="T03").id
    client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1})
    form = form_of(client.get("/checkout"))
    moved = client.post("/checkout", form | {"address_id": str(far)})
    assert moved.status_code == 409
    assert "价格或运费有变化" in moved.text
    again = form_of(moved)
    assert again["address_id"] == str(far)
    refused = client.post("/checkout", again | {"address_id": str(isle), "intent": "quote"})
    assert "不配送到岛上" in refused.text
    assert refused.soup.select_one("button.b2")["disabled"] is not None
    assert client.post("/checkout", form_of(refused)).status_code == 409
    placed = client.post("/checkout", again)
    assert placed.status_code == 303
    assert session.scalars(select(Order.freight_fen).order_by(Order.id.desc())).first() == 1_500
