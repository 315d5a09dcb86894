"""A thousand orders over HTTP while web processes, gunicorn's master and job workers are killed: nothing is lost, halved or doubled."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from app.core import db as core_db
from tests.factories import market
from tests.processes import books
from tests.processes.crowd import Crowd, Tally
from tests.processes.platform import Platform

ORDERS, THREADS = int(os.environ.get("REGIONMART_TEST_ORDERS", "1000")), 6
SCARCE_UNITS = 25
EVERY = (ORDERS // 11, ORDERS // 7)  # orders between two kills
VICTIMS = ("web", "web", "job", "web", "job", "master")


class Killer(threading.Thread):
    """Kills processes at random moments, every kind in turn, until told to stop.

    Moments are counted in orders, so that a slow machine sees as many kills as a fast one, between as much work.
    """

    def __init__(self, platform: Platform, tally: Tally, seed: int) -> None:
        super().__init__(name="killer")
        self.platform, self.tally, self.rng = platform, tally, random.Random(seed)
        self.ended = threading.Event()
        self.killed: list[str] = []
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Kill."""
        try:
            due = self.rng.randint(*EVERY)
            while not self.ended.wait(self.rng.uniform(0.01, 0.2)):
                if self.tally.orders < due:
                    continue
                due += self.rng.randint(*EVERY)
                victim = VICTIMS[len(self.killed) % len(VICTIMS)]
                if victim == "web":
                    self.platform.kill_web_worker(self.rng)
                elif victim == "job":
                    self.platform.kill_job_worker(self.rng)
                else:
                    self.platform.kill_master()
                self.killed.append(victim)
        except BaseException as error:
            self.fault = error


@pytest.mark.timeout(900)
def test_a_thousand_orders_survive_killed_processes(launch: Callable[..., Platform], engine_key: str) -> None:
    seed = int(os.environ.get("REGIONMART_TEST_SEED", "20260"))
    platform = launch(engine_key)
    shops = [market.make_shop(stock=100_000, free_over_fen=6_000 * n).sku_ids for n in range(4)]
    scarce = market.make_shop(stock=SCARCE_UNITS, variants=("唯一",)).sku_ids[0]
    core_db.release_session()
    platform.start_web(wait=False)
    platform.start_worker()
    platform.wait_ready()
    crowd = Crowd(platform.port, shops, scarce, orders=ORDERS, threads=THREADS, seed=seed)
    killer = Killer(platform, crowd.tally, seed)
    began = time.monotonic()
    crowd.start()
    killer.start()
    try:
        crowd.join(600)
    finally:
        killer.ended.set()
        killer.join()
    assert killer.fault is None
    took = time.monotonic() - began
    books.settle()
    while_open = books.check(crowd.tally.told)
    books.expire_all()
    at_the_end = books.check(crowd.tally.told)
    verified = platform.command("audit", "verify")
    tally = crowd.tally
    print(f"\n{engine_key}: {tally.orders} orders in {took:.0f} s; killed {killer.killed}; {tally.losses} answers lost; "
          f"{tally.sold_out} sold out; {tally.done}; {dict(while_open)} then {dict(at_the_end)}")  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert set(killer.killed) == set(VICTIMS), "every kind of process was killed"
    assert tally.sold_out > 0, "the scarce article ran out"
    assert while_open["unpaid"] > 0
    assert set(at_the_end) == {"paid", "cancelled"}
    for outcome in ("paid", "late", "duplicate", "wrong_amount", "failed", "cancelled", "clicked twice"):
        assert tally.done[outcome] > 0, outcome
