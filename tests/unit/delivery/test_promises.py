"""Promises: cut-off, working days, holidays, capacity, warehouse and area, judged in Shanghai time."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from app.core.clock import REGION_TZ
from app.delivery.promises import PromiseRule, best

SAME_DAY = PromiseRule(1, 0, 16 * 60, 21 * 60)
NEXT_DAY = PromiseRule(2, 1, 18 * 60, 18 * 60)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of November 2026 in Shanghai; the 25th is a Wednesday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=REGION_TZ).astimezone(UTC)


def made(*rules: PromiseRule, when: datetime, **more: object) -> tuple[str, datetime]:
    found = best(rules, when, ["A", "TOP"], **more)  # type: ignore[arg-type]
    assert found is not None
    return found.label, found.promised_by


def test_paid_before_the_cut_off_comes_the_same_day() -> None:
    assert made(SAME_DAY, when=at(25, 15, 59)) == ("当日达", at(25, 21))
    assert made(SAME_DAY, when=at(25, 16)) == ("次日达", at(26, 21)), "the cut-off itself is too late"
    assert made(NEXT_DAY, when=at(25, 9)) == ("次日达", at(26, 18))
    assert made(SAME_DAY, NEXT_DAY, when=at(25, 17)) == ("次日达", at(26, 18)), "the earliest promise wins"


def test_the_region_s_day_counts_not_utc() -> None:
    just_after_midnight = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)
    assert made(SAME_DAY, when=just_after_midnight) == ("当日达", at(25, 21))


def test_holidays_and_days_off_are_passed_over() -> None:
    assert made(SAME_DAY, when=at(25, 9), holidays={date(2026, 11, 25)}) == ("次日达", at(26, 21))
    assert made(NEXT_DAY, when=at(25, 9), holidays={date(2026, 11, 26), date(2026, 11, 27)}) == ("11月28日达", at(28, 18))
    weekdays = PromiseRule(3, 0, 16 * 60, 21 * 60, weekdays=(1, 2, 3, 4, 5))
    assert made(weekdays, when=at(28, 9)) == ("11月30日达", at(30, 21)), "Saturday"


def test_a_full_day_moves_to_the_next() -> None:
    capped = PromiseRule(4, 0, 16 * 60, 21 * 60, capacity=5)
    assert made(capped, when=at(25, 9), taken={(4, date(2026, 11, 25)): 4})[0] == "当日达"
    assert made(capped, when=at(25, 9), taken={(4, date(2026, 11, 25)): 5}) == ("次日达", at(26, 21))
    every_day = {(4, date(2026, 11, day)): 5 for day in range(25, 31)} | {(4, date(2026, 12, day)): 5 for day in range(1, 20)}
    assert best([capped], at(25, 9), ["A"], taken=every_day) is None


@pytest.mark.parametrize(
    ("rule", "more", "holds"),
    [
        (PromiseRule(5, 0, 960, 1_260, areas=frozenset({"B"})), {}, False),
        (PromiseRule(5, 0, 960, 1_260, areas=frozenset({"TOP"})), {}, True),
        (PromiseRule(5, 0, 960, 1_260, warehouse_id=8), {"warehouses": {7}}, False),
        (PromiseRule(5, 0, 960, 1_260, warehouse_id=8), {"warehouses": {7, 8}}, True),
        (PromiseRule(5, 0, 960, 1_260, template_id=3), {"templates": {3, 4}}, False),
        (PromiseRule(5, 0, 960, 1_260, template_id=3), {"templates": {3}}, True),
    ],
)
def test_scope(rule: PromiseRule, more: dict[str, object], holds: bool) -> None:
    assert (best([rule], at(25, 9), ["A", "TOP"], **more) is not None) is holds  # type: ignore[arg-type]


def test_the_key_names_rule_and_instant() -> None:
    first, second = best([SAME_DAY], at(25, 9), ["A"]), best([SAME_DAY], at(25, 10), ["A"])
    assert first is not None
    assert second is not None
    assert first.key == second.key
    assert first.key != best([SAME_DAY], at(25, 17), ["A"]).key  # type: ignore[union-attr]
    assert first.text == "11-25 16:00 前付款，11-25 21:00 前送达"
