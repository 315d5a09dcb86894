"""Rollups count every order once and exactly; the board costs a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from app.catalog.models import Product
from app.core import clock
from app.core import db as core_db
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.orders.events import OrderPaid, OrderShipped
from app.orders.models import Order, OrderLine
from app.supervision import handlers, queries
from app.supervision.models import DailyRollup
from tests.factories import market


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


def make_order(merchant_id: int, lines: list[tuple[int, int]], area_code: str = "T01") -> tuple[int, int]:
    """A paid order of (product id, paid fen) lines and 500 freight; returns (order id, paid fen)."""
    goods, at, order_id = sum(fen for _, fen in lines), clock.now(), new_id()
    with transaction():
        session.add(
            Order(
                id=order_id, order_no=f"O{order_id}", trade_id=new_id(), account_id=1, merchant_id=merchant_id,
                status="paid", goods_fen=goods, freight_fen=500, payable_fen=goods + 500, item_count=len(lines),
                receiver_enc="-", phone_enc="-", street_enc="-", receiver_mask="-", area_code=area_code,
                first_title="-", created_at=at, paid_at=at,
            )
        )  # fmt: skip
        for product_id, fen in lines:
            session.add(
                OrderLine(
                    id=new_id(), order_id=order_id, sku_id=1, product_id=product_id, product_version=1, title="-",
                    unit_price_fen=fen, quantity=1, paid_fen=fen,
                )
            )  # fmt: skip
    return order_id, goods + 500


def pay(order_id: int, merchant_id: int, paid_fen: int) -> None:
    with transaction():
        handlers.on_order_paid([OrderPaid(order_id, 1, merchant_id, paid_fen, clock.microseconds(clock.now()))])


def ship(order_id: int, merchant_id: int, hours: int) -> None:
    at = clock.microseconds(clock.now() + timedelta(hours=hours))
    with transaction():
        handlers.on_order_shipped([OrderShipped(order_id, merchant_id, at)])


def totals() -> tuple[int, ...]:
    r = DailyRollup
    columns = (r.paid_fen, r.order_count, r.local_count, r.shipped_count, r.on_time_count)
    return tuple(int(v or 0) for v in session.execute(select(*(func.sum(c) for c in columns))).one())


def test_order_is_counted_once_and_sums_exactly(db: Any) -> None:
    one, two = market.make_shop(), market.make_shop()
    order_id, paid = make_order(one.merchant_id, [(one.product_id, 333), (two.product_id, 667), (two.product_id, 1)])
    for _ in range(2):
        pay(order_id, one.merchant_id, paid)
        ship(order_id, one.merchant_id, 1)
    assert totals() == (paid, 1, 1, 1, 1)
    categories = set(session.scalars(select(Product.category_id)))
    assert set(session.scalars(select(DailyRollup.category_id))) == categories


def test_second_order_adds_to_the_same_row(db: Any) -> None:
    shop = market.make_shop()
    for area_code, hours in (("T01", 1), ("far", 49)):
        order_id, paid = make_order(shop.merchant_id, [(shop.product_id, 1_000)], area_code)
        pay(order_id, shop.merchant_id, paid)
        ship(order_id, shop.merchant_id, hours)
    assert totals() == (3_000, 2, 1, 2, 1)


def test_gifts_only_order_keeps_its_freight(db: Any) -> None:
    shop = market.make_shop()
    order_id, paid = make_order(shop.merchant_id, [(shop.product_id, 0)])
    pay(order_id, shop.merchant_id, paid)
    assert totals()[:2] == (500, 1)


def test_board_costs_five_queries_at_any_size(db: Any) -> None:
    costs = []
    for count in (1, 6):
        shop = market.make_shop()
        for _ in range(count):
            order_id, paid = make_order(shop.merchant_id, [(shop.product_id, 1_000)])
            pay(order_id, shop.merchant_id, paid)
        session.remove()
        from app.core import cache_reset

        cache_reset.reset_all()
        with statements() as seen:
            board = queries.board()
        costs.append(len([s for s in seen if s.lstrip().upper().startswith("SELECT")]))
    assert costs[0] == costs[1] <= 6
    assert board.today.paid_fen == board.month.paid_fen == sum(fen for _, fen in board.categories) == 7 * 1_500
    assert board.counties[0].orders_text == "7"
    assert board.counties[0].grade == 5
    assert board.active_merchants == board.selling_merchants == 2


@pytest.mark.parametrize(
    ("counts", "texts"),
    [
        ({"a": 3, "b": 2, "c": 9}, {"a": "<5", "b": "<5", "c": "9"}),
        ({"a": 3, "b": 20, "c": 9}, {"a": "<5", "b": "20", "c": "—"}),
        ({"a": 0, "b": 5}, {"a": "0", "b": "5"}),
    ],
)
def test_small_cells_are_hidden(counts: dict[str, int], texts: dict[str, str]) -> None:
    assert queries.hide_small(counts) == texts


def test_wall_needs_a_supervisor_and_obeys_the_policy(client: Any, db: Any) -> None:
    from app.core.actor import SYSTEM
    from app.identity import service as identity

    shop = market.make_shop()
    order_id, paid = make_order(shop.merchant_id, [(shop.product_id, 1_000)])
    pay(order_id, shop.merchant_id, paid)
    assert client.get("/gov/").status_code in {302, 303, 401}
    with transaction():
        identity.create_account(
            SYSTEM, "government", "jian", "监管员", password=market.PASSWORD, roles=("supervisor",)
        )
    assert client.sign_in("/gov", "jian", market.PASSWORD).status_code == 303
    for url in ("/gov/", "/gov/board-panels", "/gov/board-panels?part=kpis"):
        page = client.get(url)
        assert page.status_code == 200
        assert not page.soup.select("[style], style, [onclick], script:not([src])")
    table = client.get("/gov/board-counties.csv").get_data(as_text=True)
    assert "测试区,15.00,<5" in table
