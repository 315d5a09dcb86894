"""Reload and stop under load: a HUP fails no request, a TERM lets the requests in work finish."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.db import release_session, session
from app.core.leases import MAX_NODES, Lease
from tests.factories import market
from tests.processes.platform import Platform, until
from tests.processes.shopper import LOST, Visitor

CLIENTS = 4


@pytest.fixture
def running(launch: Callable[..., Platform]) -> Platform:
    """A platform with the tests' door on SQLite; the engine makes no difference here."""
    platform = launch("sqlite", with_door=True)
    platform.start_web()
    until(lambda: len(platform.web_workers()) == 2, "both web processes")
    return platform


def loaded(platform: Platform) -> set[int]:
    """Return the web processes that have ever loaded the application."""
    return {int(path.name.removeprefix("loaded-")) for path in platform.home.glob("loaded-*")}


class Clients:
    """Visitors who ask all the time: pages and cart additions, with pauses that leave connections idle."""

    def __init__(self, port: int, sku_id: int) -> None:
        self.ended = threading.Event()
        self.faults: list[str] = []
        self.answers = [0] * CLIENTS
        self.slowest = 0.0
        self._threads = [threading.Thread(target=self._run, args=(n, port, sku_id)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int, port: int, sku_id: int) -> None:
        rng, visitor = random.Random(number), Visitor(port, wait_s=150)  # new processes may start slowly on a busy machine
        form = {"csrf_token": visitor.token(), "sku_id": str(sku_id), "qty": "1"}
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                if number % 2:
                    answer, expected = visitor.once("POST", "/cart/items", form), 303
                else:
                    answer, expected = visitor.once("GET", "/sign-in"), 200
            except LOST as error:
                self.faults.append(f"client {number}: {error!r}")
                continue
            if answer.status != expected:
                self.faults.append(f"client {number}: {answer.status}")
            self.answers[number] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(rng.choice((0.0, 0.0, 0.01, 0.05, 0.3)))
        visitor.close()

    def stop(self) -> None:
        """Let the visitors leave."""
        self.ended.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.timeout(600)
def test_reload_fails_no_request(running: Platform) -> None:
    shop = market.make_shop(stock=100_000)
    clients = Clients(running.port, shop.sku_ids[0])
    try:
        until(lambda: min(clients.answers) > 5, "the clients are at it")
        for _ in range(2):
            before = {process.pid for process in running.web_workers()}
            assert running.master is not None
            running.master.send_signal(signal.SIGHUP)

            def renewed(old: set[int] = before) -> bool:
                now = {process.pid for process in running.web_workers()}
                if old - now:  # the first of the old ones has gone: both new ones have loaded the application before
                    assert len({*loaded(running)} - old) >= 2, "an old process was stopped while the new ones were still starting"
                return len(now) == 2 and not now & old

            until(renewed, "both web processes are new", 150)
            seen = list(clients.answers)
            until(lambda seen=seen: all(a > b + 5 for a, b in zip(clients.answers, seen, strict=True)), "the new ones answer", 150)
    finally:
        clients.stop()
    assert clients.faults == []
    assert running.master is not None
    assert running.master.poll() is None
    print(f"\n{sum(clients.answers)} answers across two reloads, the slowest after {clients.slowest:.1f} s")


@pytest.mark.timeout(300)
def test_stop_lets_requests_in_work_finish(running: Platform) -> None:
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        visitor = Visitor(running.port)
        answer = visitor.once("GET", "/probe/slow/30")
        answers.append((answer.status, answer.text))
        visitor.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    web = {process.pid for process in running.web_workers()}
    assert running.master is not None
    began = time.monotonic()
    running.master.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(LOST):
        Visitor(running.port).once("GET", "/healthz")
    for thread in threads:
        thread.join()
    assert answers == [(200, "slept")] * 4, "what was in work was answered"
    assert running.master.wait(60) == 0
    assert time.monotonic() - began > 1.0, "it waited for them"
    release_session()
    nodes = session.scalars(select(Lease).where(Lease.id <= MAX_NODES)).all()
    ended = [node for node in nodes if node.owner.split(":")[1] in {str(pid) for pid in web}]
    release_session()
    assert len(ended) == 2
    assert all(node.expires_at < clock.now() + timedelta(minutes=1) for node in ended), "their node ids were given back"
