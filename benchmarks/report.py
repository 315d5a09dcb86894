"""Samples, goals and verdicts; the table people read and the JSON machines keep.

The goals are those of a machine with two cores. A line is judged by its CPU time, which repeats, not by requests per second,
which depend on what else the machine does; a line that misses its goal while others used the CPU is `noisy`, not `fail`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cpu import NOISY_CORES


@dataclass(frozen=True)
class Sample:
    """One measured window. us: µs of one request by component; bare_us: of the bare route right before."""

    line: str
    tree: str
    size: int
    us: dict[str, float]
    requests: int
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    foreign: float
    steal: float
    bare_us: float = 0.0
    first_error: str = ""

    @property
    def total_us(self) -> float:
        """Return the µs of all components together."""
        return sum(self.us.values())


@dataclass(frozen=True)
class Goal:
    """Limits of a line: µs of one request; growth against the smallest catalogue, up to 50,000 and beyond."""

    title: str
    max_us: float = 0.0
    growth: tuple[float, float] = (0.0, 0.0)
    max_p99_ms: float = 0.0


GOALS = {
    "list": Goal("list page, uncached", 3_300, (1.15, 1.3)),
    "product": Goal("product page, uncached", 2_857, (1.15, 1.3)),
    "search": Goal("search page", 5_000, (1.5, 2.0)),
    "cart": Goal("add to cart", 1_667, (1.15, 1.3)),
    "place": Goal("place order, 2 lines (web + db)", 4_000, (1.15, 1.3)),
    "hot": Goal("place order, hot SKUs (web + db)"),
    "whole": Goal("whole order to paid (with worker)", 15_385, max_p99_ms=1_000),
    "c1000": Goal("1000 connections, page mix", max_p99_ms=1_500),
}
HOT_SHARE = 0.8
IMPORT_ROWS_S, IMPORT_RSS_MB, DEMO_S = 5_000, 300, 20


@dataclass
class Row:
    """A line of the table."""

    line: str
    goal: str
    measured: str
    verdict: str
    detail: str = ""


@dataclass
class Report:
    """Everything a run found."""

    samples: list[Sample] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def of(self, line: str, tree: str, size: int) -> list[Sample]:
        """Return the samples of a line."""
        return [s for s in self.samples if (s.line, s.tree, s.size) == (line, tree, size)]

    def cost(self, line: str, tree: str, size: int) -> float:
        """Return the median µs of a line, 0 when it was not measured."""
        found = [s.total_us for s in self.of(line, tree, size)]
        return statistics.median(found) if found else 0.0


def is_noisy(samples: Sequence[Sample]) -> bool:
    """Tell whether others used the CPU in most windows."""
    return statistics.median(s.foreign for s in samples) > NOISY_CORES if samples else False


def verdict(*, passed: bool, noisy: bool) -> str:
    """Return pass, fail or noisy."""
    return "pass" if passed else "noisy" if noisy else "fail"


def judge(report: Report, tree: str, sizes: Sequence[int]) -> None:
    """Add a row for each line that was measured on a tree."""
    for line, goal in GOALS.items():
        for size in sizes:
            found = report.of(line, tree, size)
            if found:
                report.rows.append(_cost_row(goal, size, found))
        if goal.growth[0]:
            report.rows += _growth_rows(report, tree, line, goal, sizes)
    cold, hot = report.cost("place", tree, sizes[0]), report.cost("hot", tree, sizes[0])
    if cold and hot:
        share = cold / hot
        noisy = is_noisy(report.of("hot", tree, sizes[0]))
        judged = verdict(passed=share >= HOT_SHARE, noisy=noisy)
        report.rows.append(Row("hot SKUs against cold", f">= {HOT_SHARE}x", f"{share:.2f}x", judged))


def _cost_row(goal: Goal, size: int, found: Sequence[Sample]) -> Row:
    us, p99 = statistics.median(s.total_us for s in found), statistics.median(s.p99_ms for s in found)
    errors = sum(s.errors for s in found)
    wanted = [f"<= {goal.max_us / 1e3:.2f} ms CPU" if goal.max_us else "", f"p99 <= {goal.max_p99_ms:.0f} ms" if goal.max_p99_ms else ""]
    passed = (not goal.max_us or us <= goal.max_us) and (not goal.max_p99_ms or p99 <= goal.max_p99_ms) and not errors
    parts = {name: statistics.median(s.us[name] for s in found) for name in found[0].us}
    bare = [s.total_us / s.bare_us for s in found if s.bare_us]
    detail = " ".join(f"{name} {value:.0f}" for name, value in parts.items()) + (f"; {statistics.median(bare):.1f}x bare" if bare else "")
    detail = next((s.first_error[:200] + "; " for s in found if s.first_error), "") + detail
    detail += f"; seen {statistics.median(s.rate for s in found):.0f}/s, foreign {statistics.median(s.foreign for s in found):.2f}"
    measured = f"{us / 1e3:.2f} ms, cap2 {2e6 / us if us else 0:.0f}/s, p99 {p99:.0f} ms" + (f", {errors} errors" if errors else "")
    noisy = is_noisy(found) and not errors
    judged = any(wanted)
    return Row(
        f"{goal.title} @{size}", ", ".join(w for w in wanted if w) or "-", measured,
        verdict(passed=passed, noisy=noisy) if judged or errors else "-", detail,
    )  # fmt: skip


def _growth_rows(report: Report, tree: str, line: str, goal: Goal, sizes: Sequence[int]) -> list[Row]:
    base, rows = report.cost(line, tree, sizes[0]), []
    for size in sizes[1:]:
        cost = report.cost(line, tree, size)
        if base and cost:
            limit = goal.growth[0] if size <= 50_000 else goal.growth[1]
            noisy = is_noisy([*report.of(line, tree, sizes[0]), *report.of(line, tree, size)])
            factor = cost / base
            judged = verdict(passed=factor <= limit, noisy=noisy)
            rows.append(Row(f"{goal.title}: growth {sizes[0]} -> {size}", f"<= {limit}x", f"{factor:.2f}x", judged))
    return rows


def compare(report: Report, base: str, head: str, sizes: Sequence[int]) -> None:
    """Add a row for each line that both trees ran: the median of paired ratios, with its spread. Below 1 is faster."""
    for line, goal in GOALS.items():
        for size in sizes:
            pairs = list(zip(report.of(line, base, size), report.of(line, head, size), strict=False))
            ratios = [after.total_us / before.total_us for before, after in pairs if before.total_us]
            if ratios:
                middle, noisy = statistics.median(ratios), is_noisy([s for pair in pairs for s in pair])
                shown = f"{middle:.3f}x ({min(ratios):.3f}-{max(ratios):.3f}, {len(ratios)} pairs)"
                judged = verdict(passed=middle <= 1.05, noisy=noisy)
                report.rows.append(Row(f"{goal.title} @{size}: {head} / {base}", "<= 1.05x", shown, judged))


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    heads = Row("line", "goal", "measured", "verdict", "µs by component, ratio, rate")
    lines = [[r.line, r.goal, r.measured, r.verdict, r.detail] for r in (heads, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(4)]
    return "\n".join("  ".join([*(line[p].ljust(widths[p]) for p in range(4)), line[4]]).rstrip() for line in lines)


def save(report: Report, path: Path) -> None:
    """Write the JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"facts": report.facts, "rows": [asdict(r) for r in report.rows], "samples": [asdict(s) for s in report.samples]}
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n")
