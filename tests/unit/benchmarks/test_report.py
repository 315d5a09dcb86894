"""Verdicts and readings of the benchmarks: what passes, what is noise, what wrk said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import cpu, lines, load, report
from benchmarks.__main__ import number

WRK = """Running 2s test @ http://127.0.0.1:8000/
  1 threads and 16 connections
  Latency Distribution
     50%    9.50ms
     75%   12.00ms
     90%   20.00ms
     99%    1.25s
  1234 requests in 2.10s, 5.00MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 4
"""


def sample(line: str = "list", tree: str = "head", size: int = 1_000, us: float = 1_000.0, **changes: Any) -> report.Sample:
    values: dict[str, Any] = {
        "us": {"web": us, "db": 0.0}, "requests": 100, "rate": 50.0, "p50_ms": 5.0, "p99_ms": 9.0, "errors": 0, "foreign": 0.0, "steal": 0.0,
    }  # fmt: skip
    return report.Sample(line, tree, size, **{**values, **changes})


def judged(*samples: report.Sample, sizes: tuple[int, ...] = (1_000,)) -> dict[str, str]:
    made = report.Report(samples=list(samples))
    report.judge(made, "head", sizes)
    return {row.line: row.verdict for row in made.rows}


@pytest.mark.parametrize(
    ("us", "foreign", "errors", "expected"),
    [(3_300, 2.0, 0, "pass"), (3_301, 0.1, 0, "fail"), (3_301, 0.31, 0, "noisy"), (100, 0.0, 1, "fail"), (100, 5.0, 1, "fail")],
)
def test_a_line_is_judged_by_its_cpu_time(us: float, foreign: float, errors: int, expected: str) -> None:
    assert judged(sample(us=us, foreign=foreign, errors=errors)) == {"list page, uncached @1000": expected}


def test_the_median_window_counts() -> None:
    assert judged(sample(us=100), sample(us=9_000), sample(us=200)) == {"list page, uncached @1000": "pass"}


@pytest.mark.parametrize(("size", "us", "expected"), [(50_000, 1_150, "pass"), (50_000, 1_160, "fail"), (1_000_000, 1_300, "pass")])
def test_growth_is_a_factor_of_the_smallest_size(size: int, us: float, expected: str) -> None:
    found = judged(sample(), sample(size=size, us=us), sizes=(1_000, size))
    assert found[f"list page, uncached: growth 1000 -> {size}"] == expected


@pytest.mark.parametrize(("hot", "expected"), [(1_250, "pass"), (1_260, "fail")])
def test_hot_variants_may_cost_a_quarter_more(hot: float, expected: str) -> None:
    assert judged(sample("place"), sample("hot", us=hot))["hot SKUs against cold"] == expected


def test_two_trees_are_compared_pair_by_pair() -> None:
    pairs = [(1_000, 500), (2_000, 1_000), (1_000, 3_000)]
    made = report.Report(samples=[sample(tree=t, us=us) for pair in pairs for t, us in zip(("base", "head"), pair, strict=True)])
    report.compare(made, "base", "head", [1_000])
    assert [(r.measured, r.verdict) for r in made.rows] == [("0.500x (0.500-3.000, 3 pairs)", "pass")]


def test_what_wrk_says_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: SimpleNamespace(stdout=WRK))
    assert load.wrk(8_000, ["/a"], 2, 16, tmp_path) == load.Pages(1_234, 2.1, 9.5, 1_250.0, 7)


def test_foreign_load_is_what_is_not_ours() -> None:
    before = cpu.Reading(10.0, {"web": 100.0}, 1_000.0, 5_000.0, 0.0)
    after = cpu.Reading(12.0, {"web": 400.0}, 501_000.0, 1_505_000.0, 200_000.0)
    found = cpu.spent(before, after)
    assert (found.us, found.foreign, found.steal) == ({"web": 300.0}, 0.5, 0.1)


def test_the_time_of_a_tree_holds_its_children() -> None:
    busy = subprocess.Popen(["/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done & wait; sleep 5"])
    try:
        for _ in range(300):
            used = cpu.trees_us({"shell": busy.pid})["shell"]
            if used >= 50_000:
                break
            subprocess.run(["sleep", "0.1"])
        assert used >= 50_000
    finally:
        busy.kill()
        busy.wait()


@pytest.mark.parametrize(("text", "expected"), [("1k", 1_000), ("50K", 50_000), ("1m", 1_000_000), ("7", 7)])
def test_sizes_are_written_short(text: str, expected: int) -> None:
    assert number(text) == expected


def test_a_line_that_breaks_fails_and_lets_the_others_go_on() -> None:
    made = report.Report()
    shop: Any = SimpleNamespace(size=1_000, lab=SimpleNamespace(name="head"))

    def broken() -> None:
        raise RuntimeError("3 carts could not be filled, first: Refused")

    lines.guarded("place", shop, broken, made)
    lines.guarded("cart", shop, lambda: made.samples.append(sample("cart", us=10)), made)
    assert [(row.line, row.verdict, row.detail) for row in made.rows] == [
        ("place @1000 (head)", "fail", "3 carts could not be filled, first: Refused")
    ]
    assert [s.line for s in made.samples] == ["cart"]


def test_failed_steps_fail_their_line_whatever_it_costs_and_are_named() -> None:
    made = report.Report(samples=[sample("cart", us=1), sample("cart", us=1, errors=2, foreign=2.0, first_error="Refused: 409")])
    report.judge(made, "head", [1_000])
    assert (made.rows[0].verdict, made.rows[0].detail.partition(";")[0]) == ("fail", "Refused: 409")
