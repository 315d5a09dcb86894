"""Run all checks and print the report: what was seen, what is wanted, how to mend it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from installer.checks import CHECKS, Plan, Result

MARKS = {"ok": "通过", "warn": "提醒", "block": "不通过"}


def run(plan: Plan) -> list[Result]:
    """Run every check; a check that breaks is itself a blocking result, so the report is always complete."""
    results = []
    for check in CHECKS:
        try:
            results.append(check(plan))
        except (OSError, ValueError) as error:
            name = check.__name__.removeprefix("check_")
            results.append(Result(name, name, "block", f"检查未能完成：{error}", "检查能够完成", "请把此行发给实施人员"))
    return results


def passed(results: Sequence[Result]) -> bool:
    """Tell whether installation may start."""
    return all(r.level != "block" for r in results)


def as_json(results: Sequence[Result]) -> str:
    """Return the report for machines."""
    report = {"passed": passed(results), "results": [asdict(r) for r in results]}
    return json.dumps(report, ensure_ascii=False, indent=2)


def as_text(results: Sequence[Result]) -> str:
    """Return the report for people."""
    lines = []
    for r in results:
        lines.append(f"[{MARKS[r.level]}] {r.title}：实际 {r.seen}；要求 {r.wanted}")
        if r.fix:
            lines.append(f"        处理：{r.fix}")
    blocks = sum(r.level == "block" for r in results)
    lines.append("预检通过，可以安装。" if not blocks else f"预检未通过：{blocks} 项必须先处理。")
    return "\n".join(lines)
