"""Processes killed with SIGKILL at random points: every order is wholly there or absent, stock equals its movements.

The victim is a forked process with its own connections, so a kill is a real loss of the process in the middle of its work.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

from sqlalchemy import func, select

from app.core import db as core_db
from app.core import jobs, leases
from app.core.errors import AppError
from app.core.idempotency import IdempotencyKey
from app.core.tx import retry_conflicts, transaction
from app.inventory import queries as inventory
from app.orders import service as orders
from app.orders.models import Order, OrderLine, Trade
from app.payments import channels, simulator
from app.payments import queries as payment_queries
from app.payments import service as payments
from app.worker import Worker
from tests.factories import market
from tests.integration.test_orders import submission

ROUNDS = 6


def _victim(adapter: Any, settings: Any, shop: Any, buyer: Any, address_id: int, seed: int) -> None:
    """Place, pay, cancel and run jobs until killed."""
    core_db.engine().dispose(close=False)
    core_db.session.registry.clear()
    core_db.bind(adapter)
    leases.lease_node()
    rng, worker = random.Random(seed), Worker(settings, f"victim-{os.getpid()}")
    while True:
        try:
            retry_conflicts(lambda: _one(rng, shop, buyer, address_id))
            worker.drain(5)
        except AppError:
            core_db.release_session()


def _one(rng: random.Random, shop: Any, buyer: Any, address_id: int) -> None:
    wanted = submission([(rng.choice(shop.sku_ids), rng.randint(1, 3))], address_id)
    with transaction():
        trade_id = orders.place(buyer, wanted)
    trade_no = core_db.session.get_one(Trade, trade_id).trade_no
    if rng.random() < 0.3:
        with transaction():
            orders.cancel_trade(buyer, trade_id, "不要了")
        return
    with transaction():
        attempt = payments.start(buyer, trade_no, channels.SIMULATOR)
    for body in simulator.bodies(attempt, rng.choice(("paid", "duplicate", "wrong_amount"))):
        with transaction():
            row = payments.receive_notice(channels.SIMULATOR, body, channels.sign(body))
        with transaction():
            payments.apply_notice(row)


def test_killed_processes_leave_nothing_half_done(db: Any, settings: Any) -> None:
    shop = market.make_shop(stock=500)
    buyer, address_id = market.make_buyer()
    adapter, rng = core_db.adapter(), random.Random(7)
    core_db.release_session()
    for number in range(ROUNDS):
        pid = os.fork()
        if pid == 0:
            try:
                _victim(adapter, settings, shop, buyer, address_id, number)
            finally:
                os._exit(1)
        time.sleep(rng.uniform(1.0, 2.0))
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        assert inventory.audit_columns() == []
        core_db.release_session()
    _recover(settings)
    _check(db)


def _recover(settings: Any) -> None:
    """Let a new worker take over what the dead ones held: their leases are over when the clock has moved on."""
    from datetime import timedelta

    from app.core import clock

    with clock.travel(timedelta(seconds=settings.worker.lease_s + 5)):
        worker = Worker(settings, "survivor")
        while worker.drain():
            pass


def _check(db: Any) -> None:
    assert db.scalar(select(func.count()).select_from(Trade)) > 0, "the victims did real work"
    sums = db.execute(
        select(Trade.id, Trade.payable_fen, func.sum(Order.payable_fen)).join(Order, Order.trade_id == Trade.id).group_by(Trade.id, Trade.payable_fen)
    ).all()
    assert len(sums) == db.scalar(select(func.count()).select_from(Trade)), "every trade has its orders"
    assert all(payable == total for _, payable, total in sums)
    lines = dict(db.execute(select(OrderLine.order_id, func.sum(OrderLine.paid_fen)).group_by(OrderLine.order_id)).tuples().all())
    assert all(lines[o.id] == o.goods_fen for o in db.scalars(select(Order)))
    keys = db.scalar(select(func.count()).select_from(IdempotencyKey).where(IdempotencyKey.scope.like("place:%")))
    assert keys == len(sums), "a key exists exactly when its trade does"
    assert payment_queries.unsettled() == [], "every receipt is applied or refunded"
    assert inventory.audit_columns() == []
    assert db.scalar(select(func.count()).select_from(jobs.Job).where(jobs.Job.status == jobs.PARKED)) == 0
