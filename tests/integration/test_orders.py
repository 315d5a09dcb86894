"""Exactness of orders, stock and money under races (commerce.md §2.25 e, f; traps 5–7)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.carts import queries as carts
from app.core import clock
from app.core import db as core_db
from app.core.errors import AppError, Conflict
from app.core.tx import retry_conflicts, transaction
from app.inventory import queries as inventory
from app.orders import queries, service
from app.orders.models import Trade
from app.payments import channels, delivery, simulator
from app.payments import service as payments
from app.payments.models import ChannelNotice, Refund
from tests.factories import market


def submission(picked: list[tuple[int, int]], address_id: int, key: str = "") -> service.Submission:
    """Build a submission at present prices."""
    from security.tokens import random_token

    quote, _, _ = carts.price(picked)
    return service.Submission(picked, address_id, quote.quote_hash, quote.total_fen, key or random_token()[:30], {}, False)


def place(buyer: Any, picked: list[tuple[int, int]], address_id: int, key: str = "") -> int:
    """Place in an own transaction with the door's retry."""

    def once() -> int:
        wanted = submission(picked, address_id, key)
        with transaction():
            return service.place(buyer, wanted)

    return retry_conflicts(once, attempts=8)


def test_parallel_buyers_of_the_last_unit(db: Any, engine_key: str) -> None:
    """200 buyers (40 at a time) for one unit: exactly one wins, the others hear that it is sold out."""
    shop = market.make_shop(stock=1)
    buyers = [market.make_buyer() for _ in range(20)]
    start = threading.Barrier(20)
    outcomes: list[str] = []

    def run(index: int) -> None:
        from app.core.db import release_session

        buyer, address_id = buyers[index]
        start.wait()
        for _ in range(10):
            try:
                place(buyer, [(shop.sku_ids[0], 1)], address_id)
                outcomes.append("won")
            except AppError as error:
                outcomes.append(error.code)
            finally:
                release_session()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(run, range(20)))
    assert len(outcomes) == 200
    assert outcomes.count("won") == 1
    assert set(outcomes) == {"won", "stock.short"}
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 0
    assert inventory.audit_columns() == []


def test_same_key_places_once(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    first = place(buyer, [(shop.sku_ids[0], 1)], address_id, "same-key-0001")
    assert place(buyer, [(shop.sku_ids[0], 1)], address_id, "same-key-0001") == first
    with pytest.raises(Conflict, match="idempotency"):
        place(buyer, [(shop.sku_ids[0], 2)], address_id, "same-key-0001")
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 9


def test_changed_price_is_refused_with_the_new_quote(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    wanted = submission([(shop.sku_ids[0], 1)], address_id)
    from app.catalog.models import Sku

    with transaction():
        db.get_one(Sku, shop.sku_ids[0]).price_fen += 1
    with pytest.raises(service.QuoteChanged), transaction():
        service.place(buyer, wanted)


def test_expiry_gives_stock_back_once(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, [(shop.sku_ids[0], 3)], address_id)
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 7
    with clock.travel(timedelta(seconds=1_801)):
        with transaction():
            assert service.expire_unpaid() == 1
        with transaction():
            assert service.expire_unpaid() == 0
    assert queries.orders_of_trade(trade_id)[0].status == "cancelled"
    assert inventory.available([shop.sku_ids[0]])[shop.sku_ids[0]] == 10
    assert inventory.audit_columns() == []


def _pay(trade_no: str, buyer: Any, outcome: str = "paid") -> list[str]:
    with transaction():
        attempt = payments.start(buyer, trade_no, channels.SIMULATOR)
    results = []
    for body in simulator.bodies(attempt, outcome):
        with transaction():
            row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
        with transaction():
            results.append(payments.apply_notice(row))
    return results


@pytest.mark.parametrize(
    ("outcome", "results", "status", "refunds"),
    [
        ("paid", ["paid"], "paid", 0),
        ("duplicate", ["paid", "duplicate", "duplicate"], "paid", 0),
        ("wrong_amount", ["refunded"], "unpaid", 1),
        ("failed", ["failed"], "unpaid", 0),
    ],
)
def test_every_channel_outcome(db: Any, outcome: str, results: list[str], status: str, refunds: int) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
    trade_no = db.get_one(Trade, trade_id).trade_no
    assert _pay(trade_no, buyer, outcome) == results
    db.expire_all()
    assert db.get_one(Trade, trade_id).status == status
    assert db.query(Refund).count() == refunds
    assert inventory.audit_columns() == []


def test_paying_after_the_order_closed_is_refunded(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
    trade = db.get_one(Trade, trade_id)
    with transaction():
        attempt = payments.start(buyer, trade.trade_no, channels.SIMULATOR)
    with transaction():
        service.cancel_trade(buyer, trade_id, "不想要了")
    body = simulator.bodies(attempt, "paid")[0]
    with transaction():
        row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
    with transaction():
        assert payments.apply_notice(row) == "refunded"
    refund = db.query(Refund).one()
    assert refund.amount_fen == attempt.amount_fen
    with transaction():
        assert payments.apply_notice(row) == "refunded"
    assert db.query(Refund).count() == 1


def test_request_and_worker_apply_one_notice_at_the_same_moment(db: Any) -> None:
    """Both answer the one outcome, the trade is paid once and nothing is given back."""
    shop = market.make_shop(stock=50)
    for _ in range(6):
        buyer, address_id = market.make_buyer()
        trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
        with transaction():
            attempt = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        body = simulator.bodies(attempt, "paid")[0]
        with transaction():
            row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
        core_db.release_session()
        gate = threading.Barrier(2)

        def at_once(work: Callable[[], str], gate: threading.Barrier = gate) -> str:
            gate.wait()
            try:
                return work()
            finally:
                core_db.release_session()

        def request(body: bytes = body) -> str:
            return delivery.deliver(channels.SIMULATOR, body, channels.sign(body))

        def worker(row: int = row) -> str:
            return retry_conflicts(lambda: _apply(row))

        with ThreadPoolExecutor(2) as pool:
            outcomes = [future.result() for future in (pool.submit(at_once, request), pool.submit(at_once, worker))]
        assert outcomes == ["paid", "paid"]
        assert queries.orders_of_trade(trade_id)[0].status == "paid"
    assert db.query(Refund).count() == 0
    assert inventory.audit_columns() == []


def test_repeated_notices_at_the_same_moment_pay_once_and_give_nothing_back(db: Any) -> None:
    """Three notices of one payment, each applied by another process at once: one pays, the others say duplicate."""
    shop = market.make_shop(stock=50)
    for _ in range(6):
        buyer, address_id = market.make_buyer()
        trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
        with transaction():
            attempt = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        bodies = simulator.bodies(attempt, "duplicate")
        core_db.release_session()
        gate = threading.Barrier(len(bodies))

        def apply(body: bytes, gate: threading.Barrier = gate) -> str:
            gate.wait()
            try:
                return delivery.deliver(channels.SIMULATOR, body, channels.sign(body))
            finally:
                core_db.release_session()

        with ThreadPoolExecutor(len(bodies)) as pool:
            assert sorted(pool.map(apply, bodies)) == ["duplicate", "duplicate", "paid"]
        assert queries.orders_of_trade(trade_id)[0].status == "paid"
    assert db.query(Refund).count() == 0


def test_a_second_payment_notified_at_the_same_moment_goes_back_once(db: Any) -> None:
    """The buyer paid twice at the channel and each payment is notified three times: one is kept, one goes back, once."""
    shop = market.make_shop(stock=50)
    for _ in range(4):
        buyer, address_id = market.make_buyer()
        trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
        with transaction():
            attempt = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
        first = simulator.bodies(attempt, "paid")[0]
        assert delivery.deliver(channels.SIMULATOR, first, channels.sign(first)) == "paid"
        bodies = simulator.bodies(attempt, "duplicate")
        core_db.release_session()
        gate = threading.Barrier(len(bodies))

        def apply(body: bytes, gate: threading.Barrier = gate) -> str:
            gate.wait()
            try:
                return delivery.deliver(channels.SIMULATOR, body, channels.sign(body))
            finally:
                core_db.release_session()

        with ThreadPoolExecutor(len(bodies)) as pool:
            assert sorted(pool.map(apply, bodies)) == ["duplicate", "duplicate", "refunded"]
        refund = db.scalars(select(Refund).where(Refund.attempt_id == attempt.id)).one()
        assert refund.amount_fen == attempt.amount_fen
        assert queries.orders_of_trade(trade_id)[0].status == "paid"


def test_forged_notice_is_refused_and_not_stored(db: Any) -> None:
    shop = market.make_shop()
    buyer, address_id = market.make_buyer()
    trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
    with transaction():
        attempt = payments.start(buyer, db.get_one(Trade, trade_id).trade_no, channels.SIMULATOR)
    body = simulator.bodies(attempt, "paid")[0]
    with pytest.raises(AppError, match="payment.signature"), transaction():
        payments.receive_notice(channels.SIMULATOR, body.replace(b"paid", b"paid "), channels.sign(body))
    assert db.query(ChannelNotice).count() == 0


def test_payment_races_expiry(db: Any) -> None:
    """Payment and expiry at the same moment: one wins; either paid with stock allocated, or closed and refunded."""
    for _ in range(4):
        shop = market.make_shop()
        buyer, address_id = market.make_buyer()
        trade_id = place(buyer, [(shop.sku_ids[0], 1)], address_id)
        trade_no = db.get_one(Trade, trade_id).trade_no
        with transaction():
            attempt = payments.start(buyer, trade_no, channels.SIMULATOR)
        body = simulator.bodies(attempt, "paid")[0]
        with transaction():
            row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
        from app.core.db import release_session

        release_session()
        gate = threading.Barrier(2)

        def apply(row: int = row, gate: threading.Barrier = gate) -> str:
            gate.wait()
            try:
                return retry_conflicts(lambda: _apply(row), attempts=8)
            finally:
                release_session()

        def close(trade_id: int = trade_id, gate: threading.Barrier = gate, buyer: Any = buyer) -> str:
            gate.wait()
            try:
                return retry_conflicts(lambda: _cancel(buyer, trade_id), attempts=8)
            except Conflict:
                return "lost"
            finally:
                release_session()

        with ThreadPoolExecutor(2) as pool:
            paid, closed = pool.submit(apply).result, pool.submit(close).result
            outcome = (paid(), closed())
        assert outcome in {("paid", "lost"), ("refunded", "cancelled")}
        assert inventory.audit_columns() == []


def _apply(row: int) -> str:
    with transaction():
        return payments.apply_notice(row)


def _cancel(buyer: Any, trade_id: int) -> str:
    with transaction():
        service.cancel_trade(buyer, trade_id, "取消")
    return "cancelled"
