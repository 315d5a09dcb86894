"""Limits on requests: counted together in Redis, by each process alone while Redis is away."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from app.core import counters
from tests.factories import market
from tests.processes.platform import Platform, until
from tests.processes.shopper import Visitor
from tests.servers import RedisServer

WINDOW_S, BY_ADDRESS, BY_ACCOUNT = 25, 24, 12
PROCESSES = 2
_hosts = count(1)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A private Redis."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def running(launch: Callable[..., Platform], redis: RedisServer) -> Platform:
    """Two web processes that believe one proxy and count in Redis."""
    limits = {
        "window_s": str(WINDOW_S), "address_requests": str(BY_ADDRESS), "account_requests": str(BY_ACCOUNT), "redis_url": redis.url,
    }  # fmt: skip
    platform = launch("sqlite", server={"workers": str(PROCESSES), "proxy_count": "1"}, limits=limits)
    platform.start_web()
    until(lambda: len(platform.web_workers()) == PROCESSES, "both web processes")
    return platform


def address() -> str:
    """Return an address nobody has used."""
    number = next(_hosts)
    return f"198.51.{number // 200}.{number % 200 + 1}"


def early_in_window() -> None:
    """Wait until enough of a window is left, so that a burst falls into one."""
    until(lambda: time.time() % WINDOW_S < WINDOW_S - 10, "a new window", WINDOW_S + 5)


def burst(platform: Platform, source: str, number: int) -> tuple[Counter[int], float]:
    """Ask from one address, each time on a new connection so that both processes serve; returns statuses and the slowest time."""
    statuses: Counter[int] = Counter()
    slowest = 0.0
    for _ in range(number):
        visitor, began = Visitor(platform.port, headers={"X-Forwarded-For": source}), time.monotonic()
        answer = visitor.once("GET", "/healthz")
        visitor.close()
        slowest = max(slowest, time.monotonic() - began)
        statuses[answer.status] += 1
        if answer.status == 429:
            assert 0 < int(answer.headers["Retry-After"]) <= WINDOW_S
            assert "频繁" in answer.text
    return statuses, slowest


def test_all_processes_share_one_count(running: Platform) -> None:
    early_in_window()
    statuses, _ = burst(running, address(), BY_ADDRESS + 10)
    assert statuses == {200: BY_ADDRESS, 429: 10}
    assert burst(running, address(), 3)[0] == {200: 3}, "another address has a count of its own"
    same_network = [burst(running, f"2001:db8:{next(_hosts)}::1", 1), burst(running, "::1", 3)]
    assert all(set(statuses) == {200} for statuses, _ in same_network)


def test_an_ipv6_subscriber_is_one_source(running: Platform) -> None:
    early_in_window()
    network = f"2001:db8:0:{next(_hosts)}"
    total: Counter[int] = Counter()
    for host in range(1, 4):
        total += burst(running, f"{network}::{host}", BY_ADDRESS // 2)[0]
    assert total == {200: BY_ADDRESS, 429: BY_ADDRESS // 2}


def test_loopback_is_not_counted(running: Platform) -> None:
    visitor = Visitor(running.port)
    assert {visitor.once("GET", "/healthz").status for _ in range(3 * BY_ADDRESS)} == {200}
    visitor.close()


def test_an_account_is_one_visitor_from_wherever_it_asks(running: Platform) -> None:
    visitor = Visitor(running.port)
    visitor.sign_in_console("/operator", market.staff("operator", "operations"), market.PASSWORD)
    early_in_window()
    statuses: Counter[int] = Counter()
    for _ in range(BY_ACCOUNT + 5):
        visitor.extra = {"X-Forwarded-For": address()}
        statuses[visitor.once("GET", "/operator/jobs").status] += 1
    assert statuses == {200: BY_ACCOUNT, 429: 5}
    visitor.extra = {"X-Forwarded-For": address()}
    assert visitor.once("GET", "/sign-in").status == 200, "pages that ask for no account go on"
    visitor.close()


def test_a_dead_redis_neither_refuses_nor_lifts_the_limit(running: Platform, redis: RedisServer) -> None:
    early_in_window()
    victim = address()
    assert burst(running, victim, 4)[0] == {200: 4}
    redis.kill()
    try:
        statuses, slowest = burst(running, victim, BY_ADDRESS * PROCESSES + 20)
        assert set(statuses) == {200, 429}, "no error reaches the visitor"
        assert BY_ADDRESS <= statuses[200] <= BY_ADDRESS * PROCESSES, "each process counts for itself"
        assert slowest < 5, "nobody waits for what is dead"
    finally:
        redis.start()
    time.sleep(counters.PAUSE_S + 0.5)
    for _ in range(4 * PROCESSES):
        burst(running, address(), 1)
    early_in_window()
    assert burst(running, address(), BY_ADDRESS + 6)[0] == {200: BY_ADDRESS, 429: 6}, "counting is shared again"
