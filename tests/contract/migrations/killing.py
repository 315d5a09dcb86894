"""Upgrades in forked processes that die of SIGKILL right after a chosen write, or with a commit still to be made."""

from __future__ import annotations

import os
import random
import re
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from app.core import db
from app.migrations import run

WRITES = re.compile(r"\s*(CREATE|ALTER|DROP|COMMENT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
CHANGES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
COMMIT = "COMMIT"


@dataclass(frozen=True)
class Death:
    """What one process did: its writes and commits in order; killed is False when it reached the end first."""

    killed: bool
    steps: tuple[str, ...]


def upgrade_and_die(adapter: Any, step: int, target: str = "head", before: Callable[[], None] | None = None) -> Death:
    """Fork a process that upgrades an adapter's database and is killed after its `step`-th step; returns how it went.

    A step is a write that succeeded, or a commit about to be made. before: called in the process, for mutations.
    Raises AssertionError when the process fails instead of dying or finishing.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        code = 1
        try:
            if before is not None:
                before()
            _upgrade(adapter, step, target, writer)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        steps = tuple(line.rstrip("\n") for line in pipe)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL), f"the upgrade failed after {steps[-1:]}"
    return Death(status == signal.SIGKILL, steps)


def _upgrade(adapter: Any, step: int, target: str, writer: int) -> None:
    """Migrate, telling each step into the pipe; the process ends itself at the given one."""
    seen = 0

    def passed(what: str) -> None:
        nonlocal seen
        seen += 1
        os.write(writer, (" ".join(what.split())[:300] + "\n").encode())
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = db.bind(adapter)

    @event.listens_for(engine, "after_cursor_execute")
    def executed(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if WRITES.match(sql):
            passed(sql)

    @event.listens_for(engine, "commit")
    def committing(_connection: Any) -> None:
        passed(COMMIT)

    run.upgrade(target)


def lasting(steps: tuple[str, ...], known: set[str], *, transactional: bool) -> int:
    """Return the number of the last step that survives its process and is news; adds surviving statements to `known`.

    A commit counts when something followed it; a DDL statement commits by itself where DDL is not transactional, and is
    no news when an earlier process got through it (triggers are replaced each time).
    """
    last = 0
    for number, step in enumerate(steps, 1):
        committed = step == COMMIT and number < len(steps)
        by_itself = not transactional and step != COMMIT and not CHANGES.match(step)
        if committed or (by_itself and step not in known):
            last = number
        if by_itself:
            known.add(step)
    return last


def kill_until_done(adapter: Any, *, seed: int | None, most: int = 1_000) -> list[Death]:
    """Upgrade with one death after the other until a process reaches the end; returns the deaths.

    Each process goes on from what survived. seed None: a death after every single step; else steps are skipped at
    random, so that fewer processes cover the same revisions.
    """
    chance, deaths, ahead = random.Random(seed), [], 1
    known: set[str] = set()
    for _ in range(most):
        death = upgrade_and_die(adapter, ahead)
        if not death.killed:
            return deaths
        deaths.append(death)
        beyond = len(death.steps) - lasting(death.steps, known, transactional=adapter.features.transactional_ddl)
        ahead = beyond + (1 if seed is None else chance.randint(1, 6))
    raise AssertionError("the upgrade makes no progress")
