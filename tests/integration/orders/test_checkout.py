"""Checkout over HTTP: changed quotes, double clicks, new addresses, foreign rows (commerce.md §2.5; traps 3 and 24)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.carts import service as carts
from app.catalog import service as catalog
from app.catalog.models import Sku
from app.core.actor import SYSTEM, Actor
from app.core.tx import transaction
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.orders.models import Order, Trade
from tests.clients import Browser
from tests.factories import market

HIDDEN = ("quote_hash", "expected_total_fen", "idempotency_key")


def sign_in(browser: Browser, phone: str) -> int:
    """Sign a new consumer in over HTTP; returns the account id."""
    from app.identity import service

    browser.get("/sign-in")
    page = browser.post("/sign-in", {"phone": phone, "next": "/cart"})
    code = re.search(r"验证码为 (\d{6})", page.get_data(as_text=True))
    assert code
    browser.post("/sign-in/code", {"phone": phone, "code": code[1], "agreed": "1", "next": "/cart"})
    account = identity.find_by_login("consumer", service.phone_index(phone))
    assert account is not None
    return account.id


def add_address(account_id: int) -> int:
    from app.identity import service

    with transaction():
        return service.add_address(
            Actor("consumer", account_id=account_id, name="买家"), receiver="李四", phone="13812341234", street="幸福路 88 号",
            area_code="T01",
        ).id  # fmt: skip


def form_of(page: Any) -> dict[str, str]:
    fields = {name: page.soup.find("input", {"name": name})["value"] for name in HIDDEN}
    chosen = page.soup.find("input", {"name": "address_id", "checked": True})
    return {**fields, "address_id": chosen["value"]}


def test_changed_price_shows_the_new_quote(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop(price_fen=1_990)
    add_address(sign_in(client, "13820000001"))
    url = f"/checkout?sku={shop.sku_ids[0]}&qty=2"
    form = {**form_of(client.get(url)), "sku": shop.sku_ids[0], "qty": 2}
    with transaction():
        db.get_one(Sku, shop.sku_ids[0]).price_fen = 2_500
    refused = client.post("/checkout", form)
    assert refused.status_code == 409
    assert "价格或运费有变化" in refused.soup.get_text()
    assert db.query(Trade).count() == 0
    again = {**form_of(refused), "sku": shop.sku_ids[0], "qty": 2}
    assert again["expected_total_fen"] == str(2 * 2_500 + 500)
    placed = client.post("/checkout", again)
    assert placed.status_code == 303
    trade = db.query(Trade).one()
    assert placed.headers["Location"].endswith(f"/pay/{trade.trade_no}")
    assert trade.payable_fen == 5_500


def test_double_click_from_the_cart_leads_to_the_same_trade(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop()
    account_id = sign_in(client, "13820000002")
    add_address(account_id)
    with transaction():
        carts.add(account_id, "", shop.sku_ids[0], 2)
    form = form_of(client.get("/checkout"))
    first, second = client.post("/checkout", form), client.post("/checkout", form)
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert db.query(Trade).count() == 1
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 8


def test_new_address_is_kept_with_the_trade(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop()
    account_id = sign_in(client, "13820000003")
    page = client.get(f"/checkout?sku={shop.sku_ids[0]}&qty=1")
    form = {**form_of(page), "sku": shop.sku_ids[0], "qty": 1}
    assert form["address_id"] == "new"
    typed = {"new-receiver": "王五", "new-phone": "138", "new-street": "朝阳路 9 号", "new-area": "T01"}
    refused = client.post("/checkout", {**form, **typed})
    assert refused.status_code == 422
    assert "请输入 11 位手机号" in refused.soup.get_text()
    assert refused.soup.find("input", {"name": "new-receiver"})["value"] == "王五", "what was typed stays"
    assert identity.list_addresses(account_id) == [], "nothing is kept of a refused submission"
    right = {**form, **typed, "new-phone": "13812345678"}
    assert client.post("/checkout", right).status_code == 303
    assert client.post("/checkout", right).status_code == 303, "the same click again"
    assert [a.street for a in identity.list_addresses(account_id)] == ["朝阳路 9 号"]
    order = db.query(Order).one()
    assert "王五" not in order.receiver_enc + order.receiver_mask
    assert "王五" in client.get(f"/orders/{order.id}").soup.get_text()


def test_only_the_selection_is_bought_and_leaves_the_cart(app: Any, db: Any, client: Browser) -> None:
    shop, other = market.make_shop(), market.make_shop()
    account_id = sign_in(client, "13820000004")
    add_address(account_id)
    with transaction():
        for sku in (shop.sku_ids[0], other.sku_ids[0], other.sku_ids[1]):
            carts.add(account_id, "", sku, 1)
    from app.carts import queries

    left = next(line for line in queries.view(account_id, "").lines if line.sku_id == other.sku_ids[1])
    with transaction():
        carts.select_line(account_id, "", left.id, False)
    page = client.get("/checkout")
    notes = {f"note-{other.merchant_id}": "请放门卫"}
    assert client.post("/checkout", {**form_of(page), **notes}).status_code == 303
    orders = db.query(Order).order_by(Order.id).all()
    assert {o.merchant_id: o.buyer_note for o in orders} == {shop.merchant_id: None, other.merchant_id: "请放门卫"}
    assert sum(o.payable_fen for o in orders) == db.query(Trade).one().payable_fen
    assert [line.sku_id for line in queries.view(account_id, "").lines] == [other.sku_ids[1]]


def test_sold_out_and_unlisted_are_refused_in_words(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop(stock=1)
    add_address(sign_in(client, "13820000005"))
    form = {**form_of(client.get(f"/checkout?sku={shop.sku_ids[0]}&qty=2")), "sku": shop.sku_ids[0], "qty": 2}
    short = client.post("/checkout", form)
    assert (short.status_code, "库存不足" in short.soup.get_text()) == (409, True)
    with transaction():
        catalog.ban(SYSTEM, shop.product_id, "检查不合格")
    gone = client.get(f"/checkout?sku={shop.sku_ids[0]}&qty=1")
    assert (gone.status_code, "已被平台下架" in gone.soup.get_text()) == (409, True)
    assert client.get("/checkout?sku=999&qty=1").status_code == 409
    assert client.get("/checkout?sku=x&qty=1").status_code == 422
    assert db.query(Trade).count() == 0


def test_another_buyers_address_is_not_found(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop()
    _, foreign = market.make_buyer()
    add_address(sign_in(client, "13820000006"))
    form = {**form_of(client.get(f"/checkout?sku={shop.sku_ids[0]}&qty=1")), "sku": shop.sku_ids[0], "qty": 1}
    assert client.post("/checkout", {**form, "address_id": foreign}).status_code == 404
    assert client.post("/checkout", {**form, "address_id": ""}).status_code == 422
    assert db.query(Trade).count() == 0


def test_open_unpaid_trades_are_capped(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop(stock=50)
    add_address(sign_in(client, "13820000007"))
    answers = []
    for _ in range(6):
        form = {**form_of(client.get(f"/checkout?sku={shop.sku_ids[0]}&qty=1")), "sku": shop.sku_ids[0], "qty": 1}
        answers.append(client.post("/checkout", form).status_code)
    assert answers == [303] * 5 + [429]
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 45


@pytest.mark.parametrize("path", ["/checkout", "/orders", "/orders/1"])
def test_guests_are_asked_to_sign_in(app: Any, db: Any, client: Browser, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 303
    assert "/sign-in" in answer.headers["Location"]
