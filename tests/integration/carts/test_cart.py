"""The cart: capped sums, merge at sign-in once, invalid lines stay visible, buy-now apart (commerce.md §2.3, §3 #20)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.carts import queries, service
from app.carts.models import Cart, CartLine
from app.catalog import service as catalog
from app.core import clock
from app.core import db as core_db
from app.core.actor import SYSTEM
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import retry_conflicts, transaction
from tests.clients import Browser
from tests.factories import market

TOKEN = "guest-token-0123456789-abcdef"


def add(account_id: int, token: str, sku_id: int, quantity: int = 1) -> int:
    with transaction():
        return service.add(account_id, token, sku_id, quantity).quantity


def test_sums_are_capped_by_stock_and_the_limit(db: Any) -> None:
    few, many = market.make_shop(stock=5).sku_ids[0], market.make_shop(stock=500).sku_ids[0]
    assert [add(0, TOKEN, few, 3), add(0, TOKEN, few, 3)] == [3, 5]
    assert [add(0, TOKEN, many, 60), add(0, TOKEN, many, 60)] == [60, 99]
    for wrong in (0, -1, 100):
        with pytest.raises(Invalid):
            add(0, TOKEN, many, wrong)
    with pytest.raises(NotFound):
        add(0, TOKEN, 12345)


def test_token_is_stored_as_a_digest(db: Any) -> None:
    add(0, TOKEN, market.make_shop().sku_ids[0])
    assert TOKEN not in db.query(Cart).one().owner_key


def test_merge_sums_once(db: Any) -> None:
    shop = market.make_shop(stock=6)
    buyer, _ = market.make_buyer()
    add(buyer.account_id, "", shop.sku_ids[0], 2)
    add(0, TOKEN, shop.sku_ids[0], 5)
    add(0, TOKEN, shop.sku_ids[1], 4)
    for _ in range(2):
        with transaction():
            service.merge(buyer.account_id, TOKEN)
    lines = {line.sku_id: line.quantity for line in queries.view(buyer.account_id, "").lines}
    assert lines == {shop.sku_ids[0]: 6, shop.sku_ids[1]: 4}, "summed, capped by stock, consumed once"
    assert queries.view(0, TOKEN).unit_count == 0
    with pytest.raises(service.CartMerged):
        add(0, TOKEN, shop.sku_ids[0])


def test_merge_races_merge(db: Any) -> None:
    """Two sign-ins with the same guest cookie: the guest's units arrive once."""
    shop = market.make_shop(stock=50)
    buyer, _ = market.make_buyer()
    add(buyer.account_id, "", shop.sku_ids[0], 1)
    add(0, TOKEN, shop.sku_ids[0], 5)
    core_db.release_session()
    gate = threading.Barrier(4)

    def merge() -> None:
        with transaction():
            service.merge(buyer.account_id, TOKEN)

    def run(_: int) -> None:
        gate.wait()
        try:
            retry_conflicts(merge, attempts=8)
        finally:
            core_db.release_session()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert queries.view(buyer.account_id, "").unit_count == 6


def test_first_add_races_itself(db: Any) -> None:
    """Two tabs add to a cart that does not exist yet; both units are there."""
    sku = market.make_shop(stock=50).sku_ids[0]
    core_db.release_session()
    gate = threading.Barrier(4)

    def run(_: int) -> int:
        gate.wait()
        try:
            return retry_conflicts(lambda: add(0, TOKEN, sku), attempts=8)
        finally:
            core_db.release_session()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [1, 2, 3, 4]


def test_guest_cart_ends_after_seven_days_an_account_cart_does_not(db: Any) -> None:
    sku = market.make_shop().sku_ids[0]
    buyer, _ = market.make_buyer()
    add(0, TOKEN, sku)
    add(buyer.account_id, "", sku)
    with clock.travel(timedelta(days=7, seconds=1)):
        assert queries.view(0, TOKEN).unit_count == queries.unit_count(0, TOKEN) == 0
        assert queries.view(buyer.account_id, "").unit_count == queries.unit_count(buyer.account_id, "") == 1
        assert add(0, TOKEN, sku) == 1, "an expired cart starts empty"
    with clock.travel(timedelta(days=30)), transaction():
        service.purge_expired()
    assert db.query(CartLine).count() == 1


def test_invalid_lines_stay_visible_with_their_reason(db: Any) -> None:
    good, gone = market.make_shop(), market.make_shop()
    add(0, TOKEN, good.sku_ids[0])
    add(0, TOKEN, gone.sku_ids[0])
    with transaction():
        catalog.ban(SYSTEM, gone.product_id, "检查不合格")
    view = queries.view(0, TOKEN)
    assert [line.sku_id for line in view.lines] == [good.sku_ids[0]]
    assert [(line.sku_id, line.reason) for line in view.invalid] == [(gone.sku_ids[0], "商品已被平台下架")]
    assert view.quote is not None
    assert [line.sku_id for line in view.quote.lines] == [good.sku_ids[0]], "what cannot be bought is not priced"
    with pytest.raises(NotFound):
        add(0, TOKEN, gone.sku_ids[0])


def test_another_visitors_line_is_not_found(db: Any) -> None:
    add(0, TOKEN, market.make_shop().sku_ids[0])
    line_id = db.query(CartLine).one().id
    for change in (lambda: service.set_quantity(0, "x" * 30, line_id, 2), lambda: service.select_line(0, "", line_id, False)):
        with pytest.raises(NotFound), transaction():
            change()


def test_sold_out_cannot_be_added(db: Any) -> None:
    with pytest.raises(Conflict, match="stock.short"):
        add(0, TOKEN, market.make_shop(stock=0).sku_ids[0])


def test_adding_is_cheap(app: Any, db: Any, client: Browser) -> None:
    """Once the cart exists, adding costs at most four reads and one write per row changed."""
    sku = market.make_shop().sku_ids[0]
    client.get("/sign-in")
    client.post("/cart/items", {"sku_id": sku, "qty": 1})
    seen: list[str] = []

    def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement.lstrip().split(None, 1)[0].upper())

    event.listen(core_db.engine(), "before_cursor_execute", note)
    try:
        assert client.post("/cart/items", {"sku_id": sku, "qty": 1}).status_code == 303
    finally:
        event.remove(core_db.engine(), "before_cursor_execute", note)
    assert seen.count("SELECT") <= 5, seen
    assert seen.count("UPDATE") + seen.count("INSERT") <= 2, seen


def cookies(response: Any) -> dict[str, str]:
    pairs = [c.split(";", 1)[0].split("=", 1) for c in response.headers.getlist("Set-Cookie")]
    return dict(pairs)


def test_page_works_without_scripts(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop(stock=3)
    client.get("/sign-in")
    assert client.get("/cart").soup.find("form", {"action": "/checkout"}) is None
    first = client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 2})
    assert cookies(first)["rm_cart_n"] == "2"
    assert "HttpOnly" in next(c for c in first.headers.getlist("Set-Cookie") if c.startswith("rm_cart="))
    line = f"/cart/lines/{db.query(CartLine).one().id}"
    assert cookies(client.post(line, {"intent": "plus", "qty": 2}))["rm_cart_n"] == "3"
    page = client.get("/cart")
    assert page.soup.find("button", {"value": "plus"}).has_attr("disabled"), "no more than there are"
    assert page.soup.find("a", {"href": "/checkout"})
    client.post(line, {"intent": "unselect"})
    assert client.get("/cart").soup.find("a", {"href": "/checkout"}) is None, "nothing chosen, nothing to pay"
    client.post("/cart/select-all", {"selected": "1"})
    assert client.get("/cart").soup.find("a", {"href": "/checkout"})
    assert cookies(client.post(line, {"intent": "remove"}))["rm_cart_n"] == "0"
    assert "购物车还是空的" in client.get("/cart").soup.get_text()


def test_buy_now_leaves_the_cart_alone(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop()
    client.get("/sign-in")
    answer = client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 2, "intent": "buy"})
    assert answer.headers["Location"].endswith(f"/checkout?sku={shop.sku_ids[0]}&qty=2")
    assert db.query(Cart).count() == 0


def test_a_guest_who_signed_out_gets_a_new_cart(app: Any, db: Any, client: Browser) -> None:
    shop = market.make_shop()
    buyer, _ = market.make_buyer()
    client.get("/sign-in")
    client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1})
    token = client.http.get_cookie("rm_cart").value
    with transaction():
        service.merge(buyer.account_id, token)
    answer = client.post("/cart/items", {"sku_id": shop.sku_ids[1], "qty": 1})
    assert answer.status_code == 303
    assert cookies(answer)["rm_cart"] != token
    assert queries.unit_count(0, cookies(answer)["rm_cart"]) == 1
