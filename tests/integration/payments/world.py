"""The real clients against the simulated channels over HTTP: simulators and our web application listen on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from werkzeug.serving import make_server

from app.core import cache_reset, clock, jobs, runtime
from app.core.actor import Actor
from app.core.db import release_session, session
from app.core.tx import retry_conflicts, transaction
from app.demo.simulators import launch
from app.demo.simulators.server import Channels, start
from app.orders.models import Trade
from app.payments import gateway, service
from app.payments.models import PaymentAttempt, Refund
from config.settings import Egress, Settings
from tests import servers
from tests.factories import market
from tests.integration.settlement import money


@dataclass
class World:
    """Running simulators, our own address, and the settings that join them."""

    channels: Channels
    url: str
    own_url: str
    demo: launch.Demo

    def sim(self, key: str) -> Any:
        """One simulated channel."""
        return self.channels.channels[key]


@contextmanager
def joined(app: Any, folder: Path, *, algorithm: launch.Algorithm = "rsa") -> Iterator[World]:
    """Start both sides and point this process's settings at the simulators; everything is put back at the end."""
    web = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    own_url, port = f"http://127.0.0.1:{web.server_port}", servers.free_port()
    demo = launch.build(folder, f"http://127.0.0.1:{port}", algorithm=algorithm, late_s=0.2)
    _, stop = start(demo.channels, port=port)
    before = runtime.current()
    tree = before.settings.model_dump()
    tree["payment"] |= {"public_url": own_url, **demo.settings}
    tree["payment"]["simulator_secret"] = before.settings.payment.simulator_secret
    tree["security"]["keyring_passphrase"] = before.settings.security.keyring_passphrase
    settings = Settings.model_validate(tree).model_copy(update={"egress": Egress(internal=(f"127.0.0.1:{port}",), timeout_s=5)})
    runtime.install(replace(before, settings=settings))
    cache_reset.reset_all()
    try:
        yield World(demo.channels, f"http://127.0.0.1:{port}", own_url, demo)
    finally:
        runtime.install(before)
        cache_reset.reset_all()
        stop()
        web.shutdown()
        thread.join(5)
        release_session()


@dataclass
class Bought:
    """A placed trade and its buyer."""

    buyer: Actor
    trade_id: int
    trade_no: str


def buy(quantity: int = 1, price_fen: int = 1_990) -> Bought:
    """Place a trade in a shop of its own."""
    shop = market.make_shop(price_fen=price_fen)
    buyer, address_id = market.make_buyer()
    trade_id = money.place(buyer, address_id, [(shop.sku_ids[0], quantity)])
    return Bought(buyer, trade_id, session.get_one(Trade, trade_id).trade_no)


@dataclass(frozen=True)
class Attempt:
    """An attempt as values, which no other thread's session can expire."""

    id: int
    payment_no: str
    status: str
    pay_kind: str
    pay_value: str
    channel_txn: str
    amount_fen: int


def begin(bought: Bought, channel: str, scene: str = "qr") -> Attempt:
    """Start an attempt and announce it at the channel, as the page does."""
    with transaction():
        payment_no = service.start(bought.buyer, bought.trade_no, channel).payment_no
    gateway.begin(payment_no, scene, "203.0.113.9", "https://shop.example.cn/done")
    return attempt(payment_no)


def attempt(payment_no: str) -> Attempt:
    """Read an attempt afresh."""
    row = rows(select(PaymentAttempt).where(PaymentAttempt.payment_no == payment_no))[0]
    return Attempt(row.id, row.payment_no, row.status, row.pay_kind, row.pay_value or "", row.channel_txn, row.amount_fen)


def rows(statement: Any) -> list[Any]:
    """Read afresh: other threads have written meanwhile."""
    session.rollback()
    session.expire_all()
    return list(session.scalars(statement))


def trade(bought: Bought) -> Trade:
    """Read a trade afresh."""
    session.rollback()
    session.expire_all()
    return session.get_one(Trade, bought.trade_id)


def refunds() -> list[Refund]:
    """Read all refunds afresh."""
    session.rollback()
    session.expire_all()
    return list(session.scalars(select(Refund).order_by(Refund.id)))


def work() -> int:
    """Run every job, also those due later, as a worker does."""

    def bring_forward() -> None:
        with transaction():
            for job in session.scalars(select(jobs.Job).where(jobs.Job.status == jobs.QUEUED, jobs.Job.due_at > clock.now())):
                job.due_at = clock.now()

    done = money.deliver()
    retry_conflicts(bring_forward)
    return done + money.deliver()


