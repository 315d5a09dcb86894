"""A reload stops old web processes only when as many new ones serve."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from app import serving
from app.serving import PatientArbiter


def worker(age: int, *, serving_now: bool) -> Any:
    """A worker as the master sees it: its file holds the time of day until its loop stamps it with the monotonic clock."""
    state = SimpleNamespace(age=age, at=time.monotonic() - 1 if serving_now else time.time())
    state.tmp = SimpleNamespace(last_update=lambda: state.at)
    return state


@pytest.fixture
def arbiter(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = object.__new__(PatientArbiter)
    made.WORKERS, made._num_workers, made.log_of = {}, 2, []
    monkeypatch.setattr(serving, "LOOK_S", 0.0)
    monkeypatch.setattr(serving.Arbiter, "manage_workers", lambda self: self.log_of.append("managed"))
    return made


def test_surplus_workers_wait_for_the_young_ones(arbiter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arbiter.WORKERS = {n: worker(n, serving_now=n < 3) for n in (1, 2, 3, 4)}

    def reap(self: Any) -> None:
        self.log_of.append("reaped")
        late = next((w for w in self.WORKERS.values() if w.at > time.monotonic()), None)
        if late is not None:
            late.at = time.monotonic() - 1

    monkeypatch.setattr(PatientArbiter, "reap_workers", reap)
    arbiter.manage_workers()
    assert arbiter.log_of == ["reaped", "reaped", "managed"], "both new ones served before any old one was stopped"


def test_nothing_waits_without_a_surplus(arbiter: Any) -> None:
    arbiter.WORKERS = {n: worker(n, serving_now=False) for n in (1, 2)}
    arbiter.manage_workers()
    assert arbiter.log_of == ["managed"]


def test_a_start_that_hangs_does_not_hold_the_reload_for_ever(arbiter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arbiter.WORKERS = {n: worker(n, serving_now=False) for n in (1, 2, 3)}
    monkeypatch.setattr(serving, "LONGEST_START_S", 0.05)
    monkeypatch.setattr(PatientArbiter, "reap_workers", lambda self: None)
    arbiter.manage_workers()
    assert arbiter.log_of == ["managed"]


def test_the_hook_takes_the_arbiters_place() -> None:
    server = object.__new__(serving.Arbiter)
    serving.when_ready(server)
    assert type(server) is PatientArbiter
