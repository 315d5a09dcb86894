"""Promises on orders: shown and kept, capacity never oversold, judged again at payment, found broken once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.carts import queries as carts
from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import release_session
from app.core.jobs import Job
from app.core.tx import retry_conflicts, transaction
from app.delivery import queries, service
from app.delivery.models import DeliveryLoad
from app.fulfilment import promising
from app.merchants import queries as merchants
from app.orders import queries as order_queries
from app.orders import service as orders
from app.orders.models import Order, OrderEvent, Trade
from app.promotions.queries import Buyer
from security.tokens import random_token
from tests.clients import Browser
from tests.factories import delivery, market
from tests.integration.orders.test_checkout import add_address, form_of, sign_in


def shown(shop: market.Shop) -> dict[int, str]:
    """The promise a buyer sees, as the form sends it."""
    quote, _, shops = carts.price([(shop.sku_ids[0], 1)], buyer=Buyer(area_code="T01"))
    return {m: p.key for m, p in carts.promised(quote, shops, "T01").items()}


def place(shop: market.Shop, buyer: Any, address_id: int, promises: dict[int, str] | None = None) -> Order:
    picked = [(shop.sku_ids[0], 1)]
    quote, _, _ = carts.price(picked, buyer=Buyer(buyer.account_id, area_code="T01"))
    wanted = orders.Submission(
        picked, address_id, quote.quote_hash, quote.total_fen, random_token(), {}, from_cart=False, promises=promises or {}
    )

    def run() -> int:
        with transaction():
            return orders.place(buyer, wanted)

    return order_queries.orders_of_trade(retry_conflicts(run))[0]


def test_the_order_keeps_what_was_promised(db: Any) -> None:
    shop = market.make_shop()
    delivery.promise(shop.merchant_id)
    order = place(shop, *market.make_buyer(), shown(shop))
    assert order.promised_by is not None
    assert order.promised_by.astimezone(clock.REGION_TZ).strftime("%H:%M") == "00:00"
    assert order.promise_label in {"次日达", f"{order.promised_by.month}月{order.promised_by.day}日达"}
    assert order.promise_pay_by is not None
    assert order.promise_pay_by > clock.now()


def test_a_promise_that_moved_meanwhile_is_shown_again(db: Any, client: Browser) -> None:
    shop = market.make_shop()
    promise_id = delivery.promise(shop.merchant_id)
    add_address(sign_in(client, "13820000052"))
    client.post("/cart/items", {"sku_id": shop.sku_ids[0], "qty": 1})
    page = client.get("/checkout")
    assert "前付款" in page.text
    name = f"promise-{shop.merchant_id}"
    form = form_of(page) | {name: page.soup.find("input", {"name": name})["value"]}
    with transaction():
        service.set_promise_active(SYSTEM, promise_id, False)
    refused = client.post("/checkout", form)
    assert refused.status_code == 409
    assert "送达时间有变化" in refused.text
    again = form_of(refused) | {name: refused.soup.find("input", {"name": name})["value"]}
    assert client.post("/checkout", again).status_code == 303
    assert db.scalars(select(Order.promised_by)).one() is None


def test_no_more_orders_than_capacity_are_promised_a_day(db: Any, app: Any) -> None:
    """Four buyers at the same moment, room for two: two are promised the day, two the next one, or asked again."""
    shop = market.make_shop(stock=50)
    promise_id = delivery.promise(shop.merchant_id, capacity=2)
    buyers = [market.make_buyer() for _ in range(4)]
    refused: list[str] = []

    def buy(buyer: Any, address_id: int) -> None:
        try:
            place(shop, buyer, address_id)
        except orders.QuoteChanged as error:
            refused.append(error.code)
        finally:
            release_session()

    threads = [threading.Thread(target=buy, args=who) for who in buyers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.rollback()
    loads = {row.day_on: row.taken for row in db.scalars(select(DeliveryLoad).where(DeliveryLoad.promise_id == promise_id))}
    assert max(loads.values()) <= 2
    assert sum(loads.values()) == len(db.scalars(select(Order.id)).all()) == 4 - len(refused)
    assert set(refused) <= {"promise.changed"}


def test_cancelling_gives_the_place_back_once(db: Any) -> None:
    shop = market.make_shop()
    promise_id = delivery.promise(shop.merchant_id, capacity=1)
    buyer, address_id = market.make_buyer()
    order = place(shop, buyer, address_id)
    with transaction():
        orders.cancel_trade(buyer, order.trade_id, "不要了")
    for _ in range(2):
        with transaction():
            service.release(order.id)
    taken = select(DeliveryLoad.taken).where(DeliveryLoad.promise_id == promise_id)
    assert db.scalars(taken).all() == [0]


def pay(order: Order) -> None:
    with transaction():
        payable = order_queries.trade_of(order).payable_fen
        assert orders.mark_trade_paid(order.trade_id, payable)


def test_paid_after_the_cut_off_gets_a_later_promise(db: Any) -> None:
    shop = market.make_shop()
    delivery.promise(shop.merchant_id)
    order = place(shop, *market.make_buyer())
    order_id, promised_by = order.id, order.promised_by
    assert promised_by is not None
    assert order.promise_pay_by is not None
    with clock.travel(order.promise_pay_by - clock.now() + timedelta(seconds=1)):
        with transaction():
            db.get_one(Trade, order.trade_id).expires_at = clock.now() + timedelta(hours=1)
        pay(order)
        assert order_queries.paid_past_promise([order_id, order_id + 1]) == [order_id]
        with transaction():
            assert promising.judge(order_id)
        db.expire_all()
        assert db.get_one(Order, order_id).promised_by == promised_by + timedelta(days=1)


def test_paid_in_time_keeps_the_promise(db: Any) -> None:
    shop = market.make_shop()
    delivery.promise(shop.merchant_id)
    order = place(shop, *market.make_buyer())
    pay(order)
    assert order_queries.paid_past_promise([order.id]) == [], "the worker has nothing to judge again"
    with transaction():
        assert not promising.judge(order.id)


def test_a_broken_promise_is_noted_once_and_told(db: Any) -> None:
    shop = market.make_shop()
    delivery.promise(shop.merchant_id)
    order = place(shop, *market.make_buyer())
    pay(order)
    order_id = order.id
    with transaction():
        assert promising.find_missed() == 0
    with clock.travel(timedelta(days=3)):
        for expected in (1, 0):
            with transaction():
                assert promising.find_missed() == expected
        assert [o.id for o, _ in order_queries.list_late(clock.now(), shop.merchant_id).items] == [order_id]
        assert order_queries.list_late(clock.now(), market.make_shop().merchant_id).items == []
    kinds = db.scalars(select(OrderEvent.kind).where(OrderEvent.order_id == order_id)).all()
    assert kinds.count("promise_missed") == 1


def test_a_warehouse_promise_needs_all_goods_there(db: Any) -> None:
    from app.inventory import queries as inventory

    shop = market.make_shop()
    own = inventory.warehouses_of(shop.merchant_id)[0]
    delivery.promise(shop.merchant_id, warehouse_id=own.id)
    assert shown(shop)
    quote, _, shops = carts.price([(shop.sku_ids[0], 11)], buyer=Buyer(area_code="T01"))
    assert carts.promised(quote, shops, "T01") == {}, "ten are there"


def test_holidays_move_every_shop(db: Any) -> None:
    shop = market.make_shop()
    delivery.promise(shop.merchant_id)
    before = shown(shop)
    with transaction():
        service.add_holiday(SYSTEM, clock.business_date() + timedelta(days=1), "停运")
    assert shown(shop) != before
    with transaction():
        service.remove_holiday(SYSTEM, queries.list_holidays()[0].id)
    assert shown(shop) == before
    assert merchants.shops([shop.merchant_id])[shop.merchant_id].delivery_revision


def test_the_worker_hears_of_payment_and_cancellation(db: Any) -> None:
    shop = market.make_shop()
    delivery.promise(shop.merchant_id, capacity=5)
    buyer, address_id = market.make_buyer()
    order = place(shop, buyer, address_id)
    pay(order)
    with transaction():
        orders.cancel_paid(buyer, order.id, "不要了")
    names = set(db.scalars(select(Job.name)))
    assert {"fulfilment.on_order_paid", "fulfilment.on_order_cancelled"} <= names


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""}, {"transit_days": 16}, {"cutoff_min": 0}, {"transit_days": 0, "cutoff_min": 1_200, "deliver_by_min": 1_100},
        {"areas": ("NOWHERE",)}, {"weekdays": ()}, {"capacity": -1},
    ],
)  # fmt: skip
def test_wrong_promises_are_refused(db: Any, values: dict[str, Any]) -> None:
    shop = market.make_shop()
    with pytest.raises(Exception, match=r"promise\."):
        delivery.promise(shop.merchant_id, **values)
    assert queries.list_promises(shop.merchant_id) == []
