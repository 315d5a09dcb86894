"""The first complete journey over HTTP: guest cart to a paid, shipped, received order, seen by every audience."""

from __future__ import annotations

import re
from typing import Any

from app.audit import queries as audit
from app.audit import service as audit_service
from app.core import clock
from app.core.tx import transaction
from app.inventory import queries as inventory
from app.worker import Worker
from tests.clients import Browser
from tests.factories import market


def drain(settings: Any) -> None:
    """Run everything that is due."""
    worker = Worker(settings, "test")
    while worker.drain():
        pass


def register(browser: Browser, phone: str) -> None:
    """Sign in with the code the development sender shows."""
    browser.get("/sign-in")
    page = browser.post("/sign-in", {"phone": phone, "next": "/cart"})
    code = re.search(r"验证码为 (\d{6})", page.get_data(as_text=True))
    assert code, "the development sender shows the code"
    answer = browser.post("/sign-in/code", {"phone": phone, "code": code[1], "agreed": "1", "next": "/cart"})
    assert answer.status_code == 303, answer.soup.get_text()


def field(page: Any, name: str) -> str:
    """Return a hidden field's value."""
    return page.soup.find("input", {"name": name})["value"]


def test_guest_buys_and_everybody_sees_it(app: Any, db: Any, client: Browser, settings: Any) -> None:
    shop = market.make_shop(stock=5)
    sku = shop.sku_ids[0]
    client.get("/sign-in")
    assert client.post("/cart/items", {"sku_id": sku, "qty": 2}).status_code == 303
    assert "测试商品" in client.get("/cart").soup.get_text()

    register(client, "13811112222")
    cart = client.get("/cart")
    assert "测试商品" in cart.soup.get_text(), "the guest's cart is merged at sign-in"
    assert client.get("/checkout").soup.find("input", {"name": "new-receiver"}), "no address yet: the form is on the page"
    saved = client.post(
        "/me/addresses",
        {"receiver": "李四", "phone": "13812341234", "area_code": "T01", "street": "幸福路 88 号", "next": "/checkout"},
    )
    assert saved.headers["Location"].endswith("/checkout")

    checkout = client.get("/checkout")
    form = {n: field(checkout, n) for n in ("quote_hash", "expected_total_fen", "idempotency_key", "address_id")}
    assert int(form["expected_total_fen"]) == 2 * 1_990 + 500
    placed = client.post("/checkout", form)
    assert placed.status_code == 303, placed.soup.get_text()
    again = client.post("/checkout", form)
    assert again.headers["Location"] in {placed.headers["Location"], "/cart"}, "a double click places nothing new"
    assert inventory.available([sku])[sku] == 3

    pay = placed.headers["Location"]
    client.get(pay)
    cashier = client.post(pay, {"channel": "simulator"})
    page = client.get(cashier.headers["Location"])
    result = client.post("/simulator/cashier", {"token": field(page, "token"), "outcome": "duplicate"})
    assert "付款成功" in client.get(result.headers["Location"]).soup.get_text()
    drain(settings)

    order_id = re.search(r"/orders/(\d+)", client.get("/orders").get_data(as_text=True))[1]
    merchant = Browser(app)
    assert merchant.sign_in("/merchant", shop.login, market.PASSWORD).status_code == 303
    assert merchant.get(f"/merchant/orders/{order_id}").status_code == 200
    wrong = merchant.post(f"/merchant/orders/{order_id}/ship", {"carrier": "sf", "tracking_no": "12"})
    assert wrong.status_code == 422
    assert "快递单号有误" in wrong.soup.get_text()
    shipped = merchant.post(f"/merchant/orders/{order_id}/ship", {"carrier": "sf", "tracking_no": "SF123456789012"})
    assert shipped.status_code == 303
    assert "顺丰" in client.get(f"/orders/{order_id}/tracking").soup.get_text()
    assert client.post(f"/orders/{order_id}/confirm").status_code == 303
    assert "已完成" in client.get(f"/orders/{order_id}").soup.get_text()
    drain(settings)

    operator = Browser(app)
    operator.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    assert order_id in operator.get("/operator/orders").get_data(as_text=True)
    assert "李四" not in operator.get(f"/operator/orders/{order_id}").get_data(as_text=True), "operators see a mask"

    with clock.travel(__import__("datetime").timedelta(seconds=5)), transaction():
        audit_service.seal_and_sign()
    with transaction():
        audit_service.seal_and_sign()
    report = audit.verify()
    assert report.ok, report.findings
    auditor = Browser(app)
    auditor.sign_in("/security", market.staff("security", "audit_admin"), market.PASSWORD)
    log = auditor.get(f"/security/audit?object_id={order_id}").soup.get_text()
    assert "parcel.shipped" in log
    assert "order.completed" in log
    assert inventory.audit_columns() == []


def test_another_merchants_and_buyers_order_is_not_found(app: Any, db: Any, client: Browser, settings: Any) -> None:
    from app.orders import service as orders
    from tests.integration.test_orders import submission

    shop, other = market.make_shop(), market.make_shop()
    buyer, address_id = market.make_buyer()
    with transaction():
        trade_id = orders.place(buyer, submission([(shop.sku_ids[0], 1)], address_id))
    from app.orders import queries

    order_id = queries.orders_of_trade(trade_id)[0].id
    stranger = Browser(app)
    stranger.sign_in("/merchant", other.login, market.PASSWORD)
    for path in ("", "/ship"):
        assert stranger.get(f"/merchant/orders/{order_id}{path}").status_code == 404
    register(client, "13811113333")
    for path in ("", "/tracking"):
        assert client.get(f"/orders/{order_id}{path}").status_code == 404
    assert client.post(f"/orders/{order_id}/cancel").status_code == 404
