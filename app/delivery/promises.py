"""When goods arrive: pure. Cut-offs and days are Asia/Shanghai, instants are aware UTC (T23; commerce.md §2.13)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.core import clock

SEARCH_DAYS = 14
DAY_MINUTES = 1_440
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class PromiseRule:
    """Paid before cutoff_min of a working day, sent that day, with the buyer by deliver_by_min `transit_days` working days later.

    areas: () = everywhere the shop delivers. warehouse_id: only what this warehouse holds whole, 0 = any. template_id: only goods of
    this freight template, 0 = all. weekdays: ISO days on which is sent. capacity: orders a day, 0 = no limit.
    """

    id: int
    transit_days: int
    cutoff_min: int
    deliver_by_min: int
    areas: frozenset[str] = frozenset()
    warehouse_id: int = 0
    template_id: int = 0
    weekdays: tuple[int, ...] = EVERY_DAY
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class Promise:
    """What a buyer is told: with them by promised_by when paid before pay_by; sent on dispatch_on."""

    rule_id: int
    promised_by: datetime
    pay_by: datetime
    dispatch_on: date
    label: str
    capacity: int = 0

    @property
    def is_capped(self) -> bool:
        """Tell whether an order must take a place in the day's load."""
        return self.capacity > 0

    @property
    def key(self) -> str:
        """Return what proves that the buyer was shown this promise."""
        return f"{self.rule_id}:{clock.microseconds(self.promised_by)}"

    @property
    def text(self) -> str:
        """Return the promise in words."""
        pay_by, arrives = self.pay_by.astimezone(clock.REGION_TZ), self.promised_by.astimezone(clock.REGION_TZ)
        return f"{pay_by:%m-%d %H:%M} 前付款，{arrives:%m-%d %H:%M} 前送达"


def best(
    rules: Sequence[PromiseRule], at: datetime, chain: Sequence[str], *, holidays: Collection[date] = (),
    templates: Collection[int] = (), warehouses: Collection[int] = (), taken: Mapping[tuple[int, date], int] | None = None,
) -> Promise | None:  # fmt: skip
    """Return the earliest promise that can be kept, None when the shop promises nothing here.

    chain: destination and the areas above it. templates: freight templates of the goods. warehouses: those that hold all of them.
    taken: orders by (rule, dispatch day).
    """
    found = [
        made for rule in rules if _covers(rule, chain, templates, warehouses)
        and (made := _of(rule, at, holidays, taken or {})) is not None
    ]  # fmt: skip
    return min(found, key=lambda made: (made.promised_by, made.rule_id), default=None)


def _covers(rule: PromiseRule, chain: Sequence[str], templates: Collection[int], warehouses: Collection[int]) -> bool:
    if rule.areas and rule.areas.isdisjoint(chain):
        return False
    if rule.warehouse_id and rule.warehouse_id not in warehouses:
        return False
    return not rule.template_id or set(templates) == {rule.template_id}


def _of(rule: PromiseRule, at: datetime, holidays: Collection[date], taken: Mapping[tuple[int, date], int]) -> Promise | None:
    today = clock.business_date(at)
    for ahead in range(SEARCH_DAYS):
        day = today + timedelta(days=ahead)
        pay_by = instant_of(day, rule.cutoff_min)
        if pay_by <= at or not _works(rule, day, holidays):
            continue
        if rule.capacity and taken.get((rule.id, day), 0) >= rule.capacity:
            continue
        arrival = day
        for _ in range(rule.transit_days):
            arrival = _next_day(arrival, holidays)
        return Promise(rule.id, instant_of(arrival, rule.deliver_by_min), pay_by, day, label(today, arrival), rule.capacity)
    return None


def _works(rule: PromiseRule, day: date, holidays: Collection[date]) -> bool:
    return day.isoweekday() in rule.weekdays and day not in holidays


def _next_day(day: date, holidays: Collection[date]) -> date:
    """Return the next day on which is delivered."""
    following = day + timedelta(days=1)
    while following in holidays:
        following += timedelta(days=1)
    return following


def instant_of(day: date, minute: int) -> datetime:
    """Return the instant of a minute of a business day; 1,440 is the next midnight."""
    start = datetime.combine(day, time(), clock.REGION_TZ)
    return (start + timedelta(minutes=minute)).astimezone(UTC)


def label(today: date, arrival: date) -> str:
    """Return the promise in two or three words."""
    ahead = (arrival - today).days
    return {0: "当日达", 1: "次日达"}.get(ahead, f"{arrival.month}月{arrival.day}日达")
