"""One county of the board: the same rollup rows, drilled down to categories and merchants."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from app.catalog.models import Category
from app.core import clock
from app.core.db import session
from app.core.errors import NotFound
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.supervision.models import DailyRollup
from app.supervision.queries import DAYS, SMALL_CELL, TOP_CATEGORIES, County, Totals, board

TOP_MERCHANTS = 8
OTHERS = "其他商家"


@dataclass(frozen=True)
class CountyBoard:
    """A county over the last 30 days; merchants with fewer than five orders are summed up as others."""

    at: datetime
    today_on: date
    county: County
    today: Totals
    month: Totals
    period: Totals
    days: list[tuple[date, Totals]]
    categories: list[tuple[str, int]]
    merchants: list[tuple[str, int]]
    selling: int


def county_board(code: str) -> CountyBoard:
    """Return one county's board. Raises NotFound(`county.missing`)."""
    whole = board()
    county = next((c for c in whole.counties if c.code == code), None)
    if county is None:
        raise NotFound("county.missing", "没有这个县区")
    today = whole.today_on
    since, month_start = today - timedelta(days=DAYS - 1), today.replace(day=1)
    by_day: dict[date, Totals] = defaultdict(Totals)
    month, period = Totals(), Totals()
    for day, part in _by_day(code, min(since, month_start), today):
        if day >= month_start:
            month.add(part)
        if day >= since:
            period.add(part)
            by_day[day].add(part)
    days = [since + timedelta(days=n) for n in range(DAYS)]
    ranked, selling = _merchants(code, since, today)
    return CountyBoard(
        at=clock.now(), today_on=today, county=county, today=by_day[today], month=month, period=period,
        days=[(day, by_day[day]) for day in days], categories=_categories(code, since, today), merchants=ranked, selling=selling,
    )  # fmt: skip


def codes() -> dict[str, str]:
    """Return code -> name of the counties the board ranks."""
    areas = identity.list_areas()
    parents = {area.parent_code for area in areas}
    return {area.code: area.name for area in areas if area.code not in parents}


def _by_day(code: str, since: date, today: date) -> list[tuple[date, Totals]]:
    r = DailyRollup
    rows = session.execute(
        select(
            r.day_on, func.sum(r.paid_fen), func.sum(r.order_count), func.sum(r.local_count), func.sum(r.shipped_count),
            func.sum(r.on_time_count),
        )
        .where(r.area_code == code, r.day_on >= since, r.day_on <= today)
        .group_by(r.day_on)
    )  # fmt: skip
    return [(row[0], Totals(*(int(value) for value in row[1:]))) for row in rows]


def _categories(code: str, since: date, today: date) -> list[tuple[str, int]]:
    """Return (name, paid_fen) of the county's largest categories, the rest as 其他."""
    r = DailyRollup
    rows = session.execute(
        select(r.category_id, Category.name, func.sum(r.paid_fen))
        .outerjoin(Category, Category.id == r.category_id)
        .where(r.area_code == code, r.day_on >= since, r.day_on <= today)
        .group_by(r.category_id, Category.name)
    )
    return _top([(row[1] or "未分类", int(row[2])) for row in rows if row[2]], TOP_CATEGORIES, "其他")


def _merchants(code: str, since: date, today: date) -> tuple[list[tuple[str, int]], int]:
    """Return (shop, paid_fen) of the county's largest merchants and how many sold; small ones stand among the others."""
    r = DailyRollup
    rows = session.execute(
        select(r.merchant_id, func.sum(r.paid_fen), func.sum(r.order_count))
        .where(r.area_code == code, r.day_on >= since, r.day_on <= today, r.order_count > 0)
        .group_by(r.merchant_id)
        .order_by(func.sum(r.paid_fen).desc())
        .limit(500)
    ).all()
    names = merchants.shops([row[0] for row in rows])
    large = [(names[row[0]].shop_name, int(row[1])) for row in rows if int(row[2]) >= SMALL_CELL and row[0] in names]
    small = sum(int(row[1]) for row in rows if int(row[2]) < SMALL_CELL)
    return _top(large, TOP_MERCHANTS, OTHERS, small), len(rows)


def _top(parts: list[tuple[str, int]], most: int, others: str, more: int = 0) -> list[tuple[str, int]]:
    ranked = sorted(parts, key=lambda part: -part[1])
    rest = sum(amount for _, amount in ranked[most:]) + more
    return ranked[:most] + ([(others, rest)] if rest else [])
