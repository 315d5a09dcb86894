"""Counting in windows, in memory that stays bounded, and without a server that is gone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.core import counters
from tests.servers import free_port


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the time the counters see."""

    def move(seconds: float) -> None:
        monkeypatch.setattr(counters, "seconds", lambda: int(seconds))

    return move


def test_a_window_counts_and_ends(at: Any) -> None:
    store = counters.open_counters("")
    at(1_000)
    assert [store.hit("a", 10) for _ in range(3)] == [1, 2, 3]
    assert store.hit("b", 10) == 1
    assert store.hit("a", 60) == 1, "another window is another count"
    at(1_009.9)
    assert store.hit("a", 10) == 4
    at(1_010)
    assert store.hit("a", 10) == 1


def test_memory_is_bounded(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MOST_KEYS", 100)
    store = counters.ProcessCounters()
    at(1_000)
    for n in range(60):
        store.hit(f"old{n}", 10)
    at(1_010)
    for n in range(60):
        store.hit(f"new{n}", 10)
    assert len(store._counts) <= 100
    assert store.hit("new1", 10) == 2, "what is current is kept while there is room"
    for n in range(500):
        store.hit(f"flood{n}", 10)
    assert len(store._counts) <= 100


def test_a_server_that_is_away_costs_one_try_and_the_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    store = counters.RedisCounters(f"redis://127.0.0.1:{free_port()}/0")
    tries: list[float] = []
    real = store._client.eval

    def count_tries(*arguments: Any) -> Any:
        tries.append(time.monotonic())
        return real(*arguments)

    monkeypatch.setattr(store._client, "eval", count_tries)
    assert [store.hit("a", 3_600) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert len(tries) == 1, "not asked again before the pause is over"
    monkeypatch.setattr(store, "_away_until", 0.0)
    assert store.hit("a", 3_600) == 6
    assert len(tries) == 2


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError):
        counters.open_counters("memcached://127.0.0.1")
