"""One process of the soak: acts at random until it is killed. Run: `python -m tests.soak.driver HOME NUMBER SEED`, or `… worker`."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

from app import boot, worker
from app.core import leases
from app.core.db import release_session
from app.core.errors import AppError
from config.sources import load_settings
from dbadapters.errors import DbError
from tests.processes import door
from tests.soak.acting import Nothing, Scene
from tests.soak.actions import WEIGHTS
from tests.soak.world import ChannelBook, SharedClock, World

TELL_EVERY = 20
NODE_LEASE_S = 10 * 365 * 86_400  # the soak's clock leaps over a day while processes live
CATCH_UP_S, SCHEDULER_LEASE_S = 2, 3  # a killed worker's periodic jobs are taken over at once: the soak's days are short


def act(home: Path, number: int, seed: int) -> None:
    """Act until killed; what happened is kept in tally-NUMBER.json, a fault in fault-NUMBER.txt, which ends the soak."""
    rng = random.Random(seed)
    shared = SharedClock(home / "clock")
    scene = Scene(rng, World.load(home / "world.json"), ChannelBook(home / f"channel-{number}.jsonl"), [])
    actions, weights = [action for action, _ in WEIGHTS], [weight for _, weight in WEIGHTS]
    tally: Counter[str] = Counter()
    for turn in range(1, 10**9):
        shared.follow()
        action = rng.choices(actions, weights)[0]
        try:
            action(scene)
            outcome = "done"
        except Nothing:
            continue
        except AppError as refusal:
            outcome = refusal.code
        except DbError as error:
            if not error.retryable:
                raise
            outcome = "busy"
        finally:
            release_session()
        tally[f"{action.__name__} {outcome}"] += 1
        if turn % TELL_EVERY == 0:
            (home / f"tally-{number}.tmp").write_text(json.dumps(tally))
            os.replace(home / f"tally-{number}.tmp", home / f"tally-{number}.json")


def follow_clock(home: Path) -> None:
    """Let a job worker live in the soak's time."""
    shared = SharedClock(home / "clock")

    def follow() -> None:
        while True:
            shared.follow()
            time.sleep(0.05)

    shared.follow()
    threading.Thread(target=follow, daemon=True).start()


def main() -> None:
    """Start as the product's doors do."""
    home, role = Path(sys.argv[1]), sys.argv[2]
    door.use_standin()
    leases.NODE_LEASE_S = NODE_LEASE_S
    settings = load_settings()
    boot.start(settings, self_test=False)
    boot.take_node()
    if role == "worker":
        follow_clock(home)
        worker.CATCH_UP_S, worker.SCHEDULER_LEASE_S = CATCH_UP_S, SCHEDULER_LEASE_S
        worker.main(settings)
        return
    boot.keep_node()
    try:
        act(home, int(role), int(sys.argv[3]))
    except BaseException:
        (home / f"fault-{role}.txt").write_text(traceback.format_exc())
        raise


if __name__ == "__main__":
    main()
