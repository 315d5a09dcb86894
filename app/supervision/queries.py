"""Reading the board: rollup rows and the merchant count only, five queries whatever the volume."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from app.catalog.models import Category
from app.core import clock, runtime
from app.core.db import session
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.supervision.models import DailyRollup

DAYS = 30
SMALL_CELL = 5
TOP_CATEGORIES = 5
CLASSES = 5
HIDDEN = "<5"


@dataclass
class Totals:
    """Sums of some rollup rows."""

    paid_fen: int = 0
    orders: int = 0
    local: int = 0
    shipped: int = 0
    on_time: int = 0

    def add(self, other: Totals) -> None:
        """Add another sum to this one."""
        self.paid_fen += other.paid_fen
        self.orders += other.orders
        self.local += other.local
        self.shipped += other.shipped
        self.on_time += other.on_time

    @property
    def local_bps(self) -> int | None:
        """Share of orders delivered inside the region; None without orders."""
        return self.local * 10_000 // self.orders if self.orders else None

    @property
    def on_time_bps(self) -> int | None:
        """Share of shipped orders that went out in time; None when nothing was shipped."""
        return self.on_time * 10_000 // self.shipped if self.shipped else None


@dataclass(frozen=True)
class County:
    """One county over the last 30 days. orders_text and on_time_bps hide small cells; grade 0 (nothing) to 5."""

    code: str
    name: str
    paid_fen: int
    percent: int
    grade: int
    orders_text: str
    on_time_bps: int | None
    last_day: date | None


@dataclass(frozen=True)
class Board:
    """Everything the wall shows."""

    at: datetime
    today_on: date
    today: Totals
    month: Totals
    period: Totals
    active_merchants: int
    selling_merchants: int
    counties: list[County]
    categories: list[tuple[str, int]]
    days: list[tuple[date, Totals]]
    definitions: list[tuple[str, str]]


def board() -> Board:
    """Return the board as of now; at most five queries."""
    today = clock.business_date()
    since, month_start = today - timedelta(days=DAYS - 1), today.replace(day=1)
    by_day, by_area, last_days = defaultdict(Totals), defaultdict(Totals), {}
    month, period = Totals(), Totals()
    for day, area_code, part in _sums(min(since, month_start), today):
        if day >= month_start:
            month.add(part)
        if day >= since:
            period.add(part)
            by_day[day].add(part)
            by_area[area_code].add(part)
            last_days[area_code] = max(day, last_days.get(area_code, day))
    days = [since + timedelta(days=n) for n in range(DAYS)]
    return Board(
        at=clock.now(), today_on=today, today=by_day[today], month=month, period=period,
        active_merchants=merchants.count_by_status().get("active", 0), selling_merchants=_selling(since, today),
        counties=_counties(by_area, last_days), categories=_categories(since, today),
        days=[(day, by_day[day]) for day in days], definitions=definitions(),
    )  # fmt: skip


def definitions() -> list[tuple[str, str]]:
    """Return how each figure is counted (口径)."""
    hours = runtime.current().settings.trade.ship_sla_h
    return [
        ("交易额", "已支付订单实付金额（含运费），按支付日计，不扣退款"),
        ("订单", "已支付订单数，按支付日计"),
        ("活跃商家", f"营业中的商家；成交商家为近 {DAYS} 日有支付订单的商家"),
        ("本地订单占比", f"近 {DAYS} 日收货地在本区域的订单 ÷ 全部支付订单"),
        (f"{hours}小时发货率", f"近 {DAYS} 日已发货订单中，支付后 {hours} 小时内发货的占比"),
        ("县区", "按商家所在县区归集"),
        ("小样本", f"县区订单数少于 {SMALL_CELL} 的不显示，并补充隐藏一个次小值以防倒推"),
    ]


def _sums(since: date, today: date) -> list[tuple[date, str, Totals]]:
    r = DailyRollup
    rows = session.execute(
        select(
            r.day_on, r.area_code, func.sum(r.paid_fen), func.sum(r.order_count), func.sum(r.local_count),
            func.sum(r.shipped_count), func.sum(r.on_time_count),
        )
        .where(r.day_on >= since, r.day_on <= today)
        .group_by(r.day_on, r.area_code)
    )  # fmt: skip
    return [(row[0], row[1], Totals(*(int(value) for value in row[2:]))) for row in rows]


def _selling(since: date, today: date) -> int:
    return session.scalar(
        select(func.count(DailyRollup.merchant_id.distinct())).where(
            DailyRollup.day_on >= since, DailyRollup.day_on <= today, DailyRollup.order_count > 0
        )
    ) or 0  # fmt: skip


def _categories(since: date, today: date) -> list[tuple[str, int]]:
    """Return (name, paid_fen) of the largest categories, the rest as 其他."""
    rows = session.execute(
        select(DailyRollup.category_id, Category.name, func.sum(DailyRollup.paid_fen))
        .outerjoin(Category, Category.id == DailyRollup.category_id)
        .where(DailyRollup.day_on >= since, DailyRollup.day_on <= today)
        .group_by(DailyRollup.category_id, Category.name)
    )
    found = sorted(((row[1] or "未分类", int(row[2])) for row in rows if row[2]), key=lambda part: -part[1])
    rest = sum(amount for _, amount in found[TOP_CATEGORIES:])
    return found[:TOP_CATEGORIES] + ([("其他", rest)] if rest else [])


def _counties(by_area: dict[str, Totals], last_days: dict[str, date]) -> list[County]:
    """Return the counties, most sales first."""
    areas = identity.list_areas()
    parents = {area.parent_code for area in areas}
    places = [area for area in areas if area.code not in parents]
    sums = {area.code: by_area.get(area.code, Totals()) for area in places}
    top = max((total.paid_fen for total in sums.values()), default=0)
    hidden = hide_small({code: total.orders for code, total in sums.items()})
    found = []
    for area in places:
        total = sums[area.code]
        found.append(
            County(
                area.code, area.name, total.paid_fen,
                percent=total.paid_fen * 100 // top if top else 0,
                grade=-(-total.paid_fen * CLASSES // top) if top else 0,
                orders_text=hidden[area.code],
                on_time_bps=total.on_time_bps if total.shipped >= SMALL_CELL else None,
                last_day=last_days.get(area.code),
            )
        )  # fmt: skip
    return sorted(found, key=lambda county: -county.paid_fen)


def hide_small(counts: dict[str, int]) -> dict[str, str]:
    """Return counts as text with those of 1 to 4 hidden; a lone hidden cell takes the next smallest with it."""
    small = {key for key, count in counts.items() if 0 < count < SMALL_CELL}
    others = sorted((count, key) for key, count in counts.items() if count >= SMALL_CELL)
    extra = others[0][1] if len(small) == 1 and others else ""
    return {key: HIDDEN if key in small else "—" if key == extra else f"{n:,}" for key, n in counts.items()}
