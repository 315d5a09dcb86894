"""What happens to an order after it is placed, who may see it, and what its pages cost (commerce.md §2.5; traps 3, 7, 24, 27)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.carts import queries as carts
from app.core import clock, jobs
from app.core import db as core_db
from app.core.actor import SYSTEM, Actor
from app.core.errors import Conflict, NotFound
from app.core.tx import retry_conflicts, transaction
from app.inventory import queries as inventory
from app.orders import queries, service
from app.orders.models import Order, OrderEvent, Trade
from security.tokens import random_token
from tests.clients import Browser
from tests.factories import market


def place(buyer: Actor, picked: list[tuple[int, int]], address_id: int, key: str = "") -> int:
    """Place at present prices with the door's retry; returns the trade."""

    def once() -> int:
        quote, _, _ = carts.price(picked)
        wanted = service.Submission(
            picked, address_id, quote.quote_hash, quote.total_fen, key or random_token(), {}, from_cart=False
        )
        with transaction():
            return service.place(buyer, wanted)

    return retry_conflicts(once, attempts=8)


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(core_db.engine(), "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(core_db.engine(), "before_cursor_execute", note)


def paid_order(stock: int = 10, quantity: int = 1) -> tuple[market.Shop, Actor, int]:
    """A paid order; returns (shop, buyer, order id)."""
    shop = market.make_shop(stock=stock)
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, [(shop.sku_ids[0], quantity)], address_id)
    with transaction():
        assert service.mark_trade_paid(trade_id, core_db.session.get_one(Trade, trade_id).payable_fen)
    return shop, buyer, queries.orders_of_trade(trade_id)[0].id


def fresh(order_id: int) -> Order:
    core_db.session.expire_all()
    return core_db.session.get_one(Order, order_id)


def test_placing_costs_few_statements(db: Any) -> None:
    """One INSERT per table (rows go in batches) and one guarded UPDATE per stock row, which comes last."""
    shops = [market.make_shop() for _ in range(3)]
    buyer, address_id = market.make_buyer()
    picked = [(sku, 1) for shop in shops for sku in shop.sku_ids]
    quote, _, _ = carts.price(picked)
    wanted = service.Submission(picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False)
    with statements() as seen, transaction():
        service.place(buyer, wanted)
    kinds = [s.split(None, 1)[0].upper() for s in seen]
    assert kinds.count("SELECT") <= 8, seen
    assert kinds[-6:] == ["UPDATE"] * 6, "stock rows are locked last"
    assert kinds.count("INSERT") <= 9, seen


def test_same_key_at_the_same_moment_places_once(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    core_db.release_session()
    gate = threading.Barrier(6)

    def run(_: int) -> int:
        gate.wait()
        try:
            return place(buyer, [(shop.sku_ids[0], 2)], address_id, "double-click-01")
        finally:
            core_db.release_session()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(run, range(6)))) == 1
    assert db.query(Trade).count() == 1
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 8
    assert inventory.audit_columns() == []


def test_paying_is_done_once_and_only_in_full(db: Any) -> None:
    _, buyer, order_id = paid_order(quantity=3)
    order = fresh(order_id)
    assert order.status == "paid"
    assert order.ship_due_at - order.paid_at == timedelta(hours=48)
    with transaction():
        assert service.mark_trade_paid(order.trade_id, order.payable_fen) is False
    with pytest.raises(Conflict, match="trade.state"), transaction():
        service.cancel_trade(buyer, fresh(order_id).trade_id, "后悔")
    with pytest.raises(ValueError, match="differs"), transaction():
        service.mark_trade_paid(fresh(order_id).trade_id, 1)
    assert inventory.audit_columns() == []


def test_cancelling_gives_back_every_shops_units(db: Any) -> None:
    shops = [market.make_shop(stock=4), market.make_shop(stock=4)]
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, [(s.sku_ids[0], 3) for s in shops], address_id)
    with pytest.raises(NotFound), transaction():
        service.cancel_trade(Actor("consumer", account_id=1), trade_id, "-")
    with transaction():
        service.cancel_trade(buyer, trade_id, "不想要了")
    assert [o.status for o in queries.orders_of_trade(trade_id)] == ["cancelled"] * 2
    assert list(inventory.available([s.sku_ids[0] for s in shops]).values()) == [4, 4]
    with transaction():
        assert service.mark_trade_paid(trade_id, core_db.session.get_one(Trade, trade_id).payable_fen) is False, "caller refunds"
    assert inventory.audit_columns() == []


def test_expiry_runs_twice_at_once(db: Any) -> None:
    """Two workers close the same overdue trades: each trade is closed by one of them."""
    shop = market.make_shop(stock=9)
    for _ in range(3):
        buyer, address_id = market.make_buyer()
        place(buyer, [(shop.sku_ids[0], 3)], address_id)
    core_db.release_session()
    gate = threading.Barrier(2)

    def run(_: int) -> int:
        gate.wait()

        def once() -> int:
            with transaction():
                return service.expire_unpaid()

        try:
            return retry_conflicts(once, attempts=8)
        finally:
            core_db.release_session()

    with clock.travel(timedelta(hours=1)), ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(run, range(2))) == 3
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 9
    assert db.query(OrderEvent).filter_by(kind="cancelled").count() == 3
    assert inventory.audit_columns() == []


def test_payment_races_expiry(db: Any) -> None:
    """One of the two wins; the loser sees it, and the units are allocated or free accordingly."""
    for _ in range(5):
        shop = market.make_shop(stock=2)
        buyer, address_id = market.make_buyer()
        trade_id = place(buyer, [(shop.sku_ids[0], 2)], address_id)
        amount = core_db.session.get_one(Trade, trade_id).payable_fen
        core_db.release_session()
        gate = threading.Barrier(2)

        def pay(trade_id: int = trade_id, amount: int = amount) -> bool:
            with transaction():
                return service.mark_trade_paid(trade_id, amount)

        def expire() -> bool:
            with transaction():
                return service.expire_unpaid() == 1

        def run(verb: Any, gate: threading.Barrier = gate) -> bool:
            gate.wait()
            try:
                return retry_conflicts(verb, attempts=8)
            finally:
                core_db.release_session()

        with clock.travel(timedelta(hours=1)), ThreadPoolExecutor(2) as pool:
            paid, expired = pool.map(run, (pay, expire))
        assert paid != expired
        status = queries.orders_of_trade(trade_id)[0].status
        free = inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]]
        assert (status, free) == (("paid", 0) if paid else ("cancelled", 2))
        core_db.release_session()
    assert inventory.audit_columns() == []


def test_shipping_delivery_and_receipt(db: Any) -> None:
    shop, buyer, order_id = paid_order()
    owner = Actor("merchant", account_id=5, name="店主", merchant_id=shop.merchant_id)
    with pytest.raises(Conflict, match="order.state"), transaction():
        service.complete(buyer, order_id)
    with transaction():
        service.mark_shipped(owner, order_id)
    with pytest.raises(Conflict, match="order.not_shippable"), transaction():
        service.mark_shipped(owner, order_id)
    for _ in range(2):
        with transaction():
            service.mark_delivered(order_id)
    with transaction():
        service.complete(buyer, order_id)
    assert [e.kind for e in queries.timeline(order_id)] == ["completed", "delivered", "shipped", "paid", "placed"]
    assert inventory.audit_columns() == []


def test_held_order_is_not_shipped(db: Any) -> None:
    shop, _, order_id = paid_order()
    with transaction():
        fresh(order_id).hold = "risk"
    owner = Actor("merchant", account_id=5, name="店主", merchant_id=shop.merchant_id)
    with pytest.raises(Conflict, match="order.not_shippable"), transaction():
        service.mark_shipped(owner, order_id)


@pytest.mark.parametrize(("delivered", "early", "late"), [(True, 6, 7), (False, 9, 10)])
def test_receipt_is_confirmed_by_time(db: Any, delivered: bool, early: int, late: int) -> None:
    shop, _, order_id = paid_order()
    with transaction():
        service.mark_shipped(Actor("merchant", account_id=5, name="店主", merchant_id=shop.merchant_id), order_id)
    if delivered:
        with transaction():
            service.mark_delivered(order_id)
    for days, count in ((early, 0), (late, 1), (late, 0)):
        with clock.travel(timedelta(days=days, minutes=1)), transaction():
            assert service.confirm_due() == count
    assert fresh(order_id).status == "completed"


def test_nobody_reads_a_foreign_order(db: Any) -> None:
    shop, buyer, order_id = paid_order()
    for stranger in (
        Actor("consumer", account_id=buyer.account_id + 1), Actor("merchant", merchant_id=shop.merchant_id + 1),
        Actor("merchant"), Actor("government"), Actor("operator"), Actor("guest"),
    ):  # fmt: skip
        for verb in (queries.get_for, service.complete, service.mark_shipped):
            with pytest.raises(NotFound), transaction():
                verb(stranger, order_id)
    assert queries.get_for(SYSTEM, order_id).id == order_id


def test_events_are_published_with_the_fact(db: Any) -> None:
    _, _, order_id = paid_order()
    names = [j.name for j in db.query(jobs.Job) if j.payload.get("order_id") == order_id]
    assert "orders.on_order_paid" in names


def test_console_pages_and_what_they_cost(app: Any, db: Any, settings: Any) -> None:
    """A list costs at most four queries and a detail seven, besides session and role look-ups, whatever the number of orders."""
    shop, _, order_id = paid_order()
    for _ in range(3):
        buyer, address_id = market.make_buyer()
        place(buyer, [(shop.sku_ids[1], 1)], address_id)
    merchant, operator = Browser(app), Browser(app)
    merchant.sign_in("/merchant", shop.login, market.PASSWORD)
    operator.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    for browser, path, limit in (
        (merchant, "/merchant/orders", 4), (operator, "/operator/orders", 4), (operator, "/operator/orders?status=paid", 4),
        (merchant, f"/merchant/orders/{order_id}", 6), (operator, f"/operator/orders/{order_id}", 7),
    ):  # fmt: skip
        browser.get(path)  # fills the caches of roles and areas
        with statements() as seen:
            assert browser.get(path).status_code == 200
        assert sum(s.startswith("SELECT") for s in seen) <= limit + 1, (path, seen)
    page = operator.get("/operator/orders").soup.get_text()
    assert "李四" not in page
    assert "13812341234" not in page
    assert "李四" in merchant.get(f"/merchant/orders/{order_id}").soup.get_text(), "needed for shipping"
    assert operator.post(f"/operator/orders/{order_id}/notes", {"note": "已电话核实地址"}).status_code == 303
    assert "已电话核实地址" in operator.get(f"/operator/orders/{order_id}").soup.get_text()
    order_no = fresh(order_id).order_no
    found = operator.get(f"/operator/orders?q={order_no}").soup
    assert len(found.select("tbody tr")) == 1
