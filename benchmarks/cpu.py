"""CPU time of process trees from /proc, so that a figure holds the servers' work and not the load generator's."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
NOISY_CORES = 0.3


def _processes() -> dict[int, tuple[int, int]]:
    """Return pid -> (parent, ticks of the process and of its children that ended)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        found[int(entry.name)] = (int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))
    return found


def trees_us(roots: dict[str, int]) -> dict[str, float]:
    """Return the CPU time in µs spent so far by each named process tree."""
    known = _processes()
    children: dict[int, list[int]] = defaultdict(list)
    for pid, (parent, _) in known.items():
        children[parent].append(pid)
    result = {}
    for name, root in roots.items():
        ticks, waiting = 0, [root]
        while waiting:
            pid = waiting.pop()
            ticks += known.get(pid, (0, 0))[1]
            waiting += children[pid]
        result[name] = ticks * TICK_US
    return result


def machine_us() -> tuple[float, float]:
    """Return (CPU time of everything on this machine, time the hypervisor gave to others) in µs."""
    fields = [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, soft, steal = fields
    return (user + nice + system + irq + soft) * TICK_US, steal * TICK_US


@dataclass(frozen=True)
class Reading:
    """CPU state at one instant."""

    at_s: float
    trees: dict[str, float]
    mine_us: float
    busy_us: float
    steal_us: float


@dataclass(frozen=True)
class Spent:
    """What a window cost: µs by component; foreign and steal in cores."""

    seconds: float
    us: dict[str, float]
    foreign: float
    steal: float


def read(roots: dict[str, int]) -> Reading:
    """Read the components' trees, this process's tree (it holds them all) and the machine."""
    trees = trees_us({**roots, "\0mine": os.getpid()})
    busy, steal = machine_us()
    return Reading(os.times().elapsed, {name: trees[name] for name in roots}, trees["\0mine"], busy, steal)


def spent(before: Reading, after: Reading) -> Spent:
    """Return the difference of two readings."""
    seconds = max(after.at_s - before.at_s, 1e-6)
    others = (after.busy_us - before.busy_us) - (after.mine_us - before.mine_us)
    us = {name: max(0.0, after.trees[name] - before.trees.get(name, 0.0)) for name in after.trees}
    return Spent(seconds, us, max(0.0, others / seconds / 1e6), (after.steal_us - before.steal_us) / seconds / 1e6)
