"""Statements of the purchase: fixed, whatever the catalogue holds, and one more stock UPDATE for each further line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.core import db as core_db
from tests.clients import Browser
from tests.factories import market
from tests.integration.orders.test_checkout import add_address, form_of, sign_in


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements sent, an executemany once."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(core_db.engine(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(core_db.engine(), "before_cursor_execute", note)


def _buy(client: Browser, sku_ids: list[int]) -> dict[str, int]:
    """Buy the variants from the cart over HTTP; returns the statements each step sent."""
    counts: dict[str, int] = {}
    for sku_id in sku_ids:
        with statements() as sent:
            assert client.post("/cart/items", {"sku_id": sku_id, "qty": 1}).status_code == 303
        counts["add"] = len(sent)
    with statements() as sent:
        page = client.get("/checkout")
    counts["checkout"] = len(sent)
    form = form_of(page)
    with statements() as sent:
        placed = client.post("/checkout", form)
    assert placed.status_code == 303
    counts["place"] = len(sent)
    trade_no = placed.headers["Location"].rsplit("/", 1)[1]
    started = client.post(f"/pay/{trade_no}", {"channel": "simulator"})
    token = re.search(r"token=([^&]+)", started.headers["Location"])
    assert token
    with statements() as sent:
        assert client.post("/simulator/cashier", {"token": token[1], "outcome": "paid"}).status_code == 303
    counts["paid"] = len(sent)
    return counts


def test_the_purchase_keeps_its_budget(db: Any, client: Browser) -> None:
    shop = market.make_shop(stock=100)
    add_address(sign_in(client, "13820000031"))
    _buy(client, shop.sku_ids[:2])  # fills the caches of roles, areas and categories
    two = _buy(client, shop.sku_ids[:2])
    budget = {"add": 5, "checkout": 7, "place": 22, "paid": 24}
    assert {step: count for step, count in two.items() if count > budget[step]} == {}, two
    one = _buy(client, shop.sku_ids[:1])
    assert two["place"] - one["place"] == 1, "a further line costs one stock UPDATE, everything else is written together"
    assert two["add"] == one["add"]
