"""The soak's command: `python -m tests.soak --ops 50000 --engine mariadb`. Exit code 1 when anything does not add up."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.aftersales import states
from app.aftersales.models import Case
from app.audit.models import AuditEvent
from app.core import clock
from app.core.db import release_session, session
from app.core.errors import AppError
from app.inventory.models import Movement
from app.orders.models import Order, OrderCase
from app.payments import abnormal, channels, delivery
from app.payments.models import AbnormalReceipt, Refund
from app.settlement.models import Entry, Payout, ReconCase, Voucher
from tests import engines
from tests.processes.books import waiting
from tests.processes.platform import Platform, until
from tests.soak import actions, complaints, desk, oracles, purses
from tests.soak.acting import Scene
from tests.soak.driver import CATCH_UP_S
from tests.soak.world import ChannelBook, SharedClock, World, build

BUYERS = 60
KILL_EVERY_S = (4.0, 12.0)
WORKERS = 2
LEAPS = ((0.5, 2 * 3_600), (0.35, 8 * 3_600), (0.15, 40 * 3_600))  # chance and length of a step of the clock in seconds
OPS_A_DAY, DAYS = 100, (12, 150)  # how far the clock goes: past an 8th and a month's end at least
BANK = {"holder": "澜州市区域电商运营有限公司", "bank_name": "澜州农商银行", "number": "6228480000000000001"}
SETTLEMENT = {"release_after_days": "2", "min_payout_fen": "200"}
SWEEP_DAYS = (1, 8, 8, 20)  # past the time to pay, to confirm, to release, to close a month


class Soak:
    """The processes of one run and what was done to them."""

    def __init__(self, arguments: Any, home: Path) -> None:
        self.wanted, self.rng = arguments.ops, random.Random(arguments.seed)
        self.home, self.seed = home, arguments.seed
        self.platform = Platform(home, arguments.engine, worker={"lease_s": "20", "poll_interval_s": "0.05"}, settlement=SETTLEMENT,
                                 payment__bank=BANK)  # fmt: skip
        self.days = min(max(self.wanted / OPS_A_DAY, DAYS[0]), DAYS[1])
        self.drivers: dict[int, subprocess.Popen[bytes]] = {}
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self.count, self.places = arguments.drivers, 0
        self.kills: Counter[str] = Counter()

    def prepare(self) -> None:
        """Make the database and the world."""
        self.platform.prepare()
        build(BUYERS).save(self.home / "world.json")
        self.clock = SharedClock(self.home / "clock")
        self.began_at = clock.now()
        self.scene = Scene(self.rng, World.load(self.home / "world.json"), ChannelBook(self.home / "channel-0.jsonl"), [])

    def spawn(self, kind: str) -> None:
        """Start one more driver or job worker."""
        self.places += 1
        role = "worker" if kind == "worker" else str(self.places)
        argv = ["-m", "tests.soak.driver", str(self.home), role, str(self.seed * 10_000 + self.places)]
        (self.workers if kind == "worker" else self.drivers)[self.places] = self.platform.spawn(f"{kind}-{self.places}", argv)

    def kill_one(self) -> None:
        """SIGKILL a driver or the job worker; another takes its place."""
        kind = self.rng.choices(("driver", "worker"), (3, 1))[0]
        group = self.drivers if kind == "driver" else self.workers
        place = self.rng.choice(sorted(group))
        process = group.pop(place)
        process.kill()
        process.wait()
        self.kills[kind] += 1
        self.spawn(kind)

    def tally(self) -> Counter[str]:
        """Return how often each action had each outcome."""
        total: Counter[str] = Counter()
        for file in self.home.glob("tally-*.json"):
            total.update(json.loads(file.read_text()))
        return total

    def fault(self) -> str:
        """Return what a process died of by itself, empty when nothing did."""
        return "\n".join(file.read_text() for file in sorted(self.home.glob("fault-*.txt")))

    def leap(self) -> datetime:
        """Move the clock: mostly some hours, at times over a day, so that the 8th, month ends and all time limits come by."""
        length = self.rng.choices([seconds for _, seconds in LEAPS], [chance for chance, _ in LEAPS])[0]
        return self.clock.jump(timedelta(seconds=length * self.rng.uniform(0.5, 1.5)))

    def run(self) -> None:
        """Let them act until enough was done, killing one now and then, moving the clock."""
        for _ in range(self.count):
            self.spawn("driver")
        for _ in range(WORKERS):
            self.spawn("worker")
        due_kill, told = time.monotonic() + self.rng.uniform(*KILL_EVERY_S), 0
        while (done := sum(self.tally().values())) < self.wanted and not self.fault():
            time.sleep(0.5)
            if time.monotonic() >= due_kill:
                self.kill_one()
                due_kill = time.monotonic() + self.rng.uniform(*KILL_EVERY_S)
            behind = clock.now() - self.began_at < timedelta(days=self.days * done / self.wanted)
            at = self.leap() if behind else clock.now()
            if done >= told + self.wanted // 20:
                told = done
                print(f"  {done} operations, {sum(self.kills.values())} kills, {at:%Y-%m-%d %H:%M}", flush=True)
            dead = [place for place, process in self.drivers.items() if process.poll() is not None]
            assert not dead or self.fault(), f"driver {dead} ended by itself: {self.platform.log(f'driver-{dead[0]}')}"

    def end(self) -> None:
        """Stop the actors; the channel repeats everything it knows, time runs out for what is open, officers work the cases off."""
        for process in self.drivers.values():
            process.kill()
            process.wait()
        for body in ChannelBook.read(self.home):
            delivery.deliver("simulator", body, channels.sign(body))
        for days in SWEEP_DAYS:
            began = time.monotonic()
            self.clock.jump(timedelta(days=days))
            time.sleep(3 * CATCH_UP_S)  # the worker puts its periodic jobs
            until(lambda: not waiting(due=True), "every job is done", 300, every=0.3, tell=waiting)
            self._work_queues()
            print(f"  {days} days on: settled after {time.monotonic() - began:.0f} s", flush=True)
        until(lambda: not self._work_cases(), "all cases are resolved", 120)
        until(lambda: not waiting(due=True), "every job is done", 300, every=0.3, tell=waiting)

    def stop(self) -> None:
        """Stop every process that is left, by pid."""
        for process in (*self.drivers.values(), *self.workers.values()):
            process.terminate()
        for process in (*self.drivers.values(), *self.workers.values()):
            process.wait()
        self.platform.stop()

    def _work_queues(self) -> None:
        statement = select(OrderCase.id, OrderCase.status, OrderCase.officer_id).where(OrderCase.status != "resolved")
        for _ in ("claim", "resolve"):
            rows = session.execute(statement).all()
            release_session()
            for row in rows:
                with contextlib.suppress(AppError):
                    desk.end_order_case(self.scene, row)
            wanted = select(AbnormalReceipt.id, AbnormalReceipt.status, AbnormalReceipt.owner_id)
            waiting_here = session.execute(wanted.where(AbnormalReceipt.status.in_(abnormal.WAITING))).all()
            release_session()
            for row in waiting_here:
                with contextlib.suppress(AppError):
                    purses.end_abnormal(self.scene, row)
        statement = select(Case.id, Case.status, Case.kind, Case.quantity, Case.account_id, Case.merchant_id, Case.want_fen)
        disputes = session.execute(statement.where(Case.status == states.DISPUTED)).all()
        release_session()
        for case in disputes:
            with contextlib.suppress(AppError):
                complaints.decide(self.scene, case)

    def _work_cases(self) -> int:
        release_session()
        statement = select(ReconCase.id, ReconCase.status, ReconCase.owner_id).where(ReconCase.status != "resolved")
        rows = session.execute(statement).all()
        release_session()
        for case in rows:
            actions.end_case(case, self.rng)
        return len(rows)


def figures() -> dict[str, int]:
    """Return how much there is of what."""
    tables = {"orders": Order, "refunds": Refund, "vouchers": Voucher, "entries": Entry, "stock movements": Movement, "payouts": Payout,
              "cases": ReconCase, "audit records": AuditEvent,
              "after-sale cases": Case}  # fmt: skip
    found = {name: int(session.scalar(select(func.count()).select_from(model)) or 0) for name, model in tables.items()}
    found["order lines"] = actions.line_count()
    release_session()
    return found


def main() -> int:
    """Run the soak and print what was done and found."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--ops", type=int, default=50_000, help="operations to do")
    parser.add_argument("--engine", default="sqlite", choices=engines.ENGINE_KEYS)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--drivers", type=int, default=3, help="processes that act at once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="regionmart-soak-") as folder:
        soak = Soak(arguments, Path(folder))
        print(f"soak: {arguments.ops} operations on {arguments.engine}, seed {arguments.seed}", flush=True)
        began = time.monotonic()
        try:
            soak.prepare()
            soak.run()
            took = time.monotonic() - began
            fault = soak.fault()
            if not fault:
                soak.end()
            found = {} if fault else oracles.check()
            tally, days = soak.tally(), (clock.now() - soak.began_at).days
            counted = {} if fault else figures()
        finally:
            soak.stop()
            engines.stop_all()
    total = sum(tally.values())
    print(f"{total} operations in {took:.0f} s ({total / took:.0f}/s), {days} days of the platform's time, killed: {dict(soak.kills)}")
    for name, times in sorted(tally.items()):
        print(f"  {name:<44}{times:>8}")
    print("  " + ", ".join(f"{number} {name}" for name, number in counted.items()))
    for name, problems in found.items():
        print(f"{'ok  ' if not problems else 'BAD '} {name}: {len(problems)}")
        for problem in problems[:20]:
            print(f"       {problem}")
    if fault:
        print(f"FAULT\n{fault}")
    return 1 if fault or any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
