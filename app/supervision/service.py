"""Writing the rollups: one mark and a few counter updates per order, in the caller's transaction."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select, update

from app.catalog.models import Product
from app.core import clock, runtime
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.ids import new_id
from app.core.money import allocate
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.orders import queries as orders
from app.supervision.models import DailyRollup, RollupMark
from dbadapters.errors import UniqueViolation

COUNTERS = ("paid_fen", "order_count", "local_count", "shipped_count", "on_time_count")
NO_CATEGORY = 0


def count_paid(order_id: int, merchant_id: int, paid_fen: int, at_us: int) -> bool:
    """Count a paid order once; False when it was counted before. The category rows sum exactly to paid_fen."""
    if not _mark("paid", order_id):
        return False
    order = orders.get_for(SYSTEM, order_id)
    day, area_code = clock.business_date(_instant(at_us)), _area_of(merchant_id)
    is_local = order.area_code in {area.code for area in identity.list_areas()}
    weights = _category_weights(order_id)
    parts = allocate(paid_fen, list(weights.values()))
    if sum(parts) != paid_fen:  # only gifts: nothing to weigh by, the first category takes the freight
        parts[0] = paid_fen
    for index, category_id in enumerate(weights):
        first = index == 0
        _add(
            day, merchant_id, category_id, area_code,
            paid_fen=parts[index], order_count=int(first), local_count=int(first and is_local),
        )  # fmt: skip
    return True


def count_shipped(order_id: int, merchant_id: int, at_us: int) -> bool:
    """Count a shipped order once on its shipping day; on time means within trade.ship_sla_h of payment."""
    if not _mark("shipped", order_id):
        return False
    order = orders.get_for(SYSTEM, order_id)
    at = _instant(at_us)
    limit = timedelta(hours=runtime.current().settings.trade.ship_sla_h)
    on_time = order.paid_at is not None and at - order.paid_at <= limit
    category_id = next(iter(_category_weights(order_id)))
    _add(
        clock.business_date(at), merchant_id, category_id, _area_of(merchant_id),
        shipped_count=1, on_time_count=int(on_time),
    )  # fmt: skip
    return True


def _instant(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def _mark(kind: str, object_id: int) -> bool:
    """Insert the mark in a savepoint; False when it exists."""
    try:
        with session.begin_nested():
            session.add(RollupMark(id=new_id(), kind=kind, object_id=object_id))
            session.flush()  # (kind, object_id) is unique: a second delivery stops here
    except UniqueViolation:
        return False
    return True


def _area_of(merchant_id: int) -> str:
    shop = merchants.shops([merchant_id]).get(merchant_id)
    return shop.area_code if shop is not None else "-"


def _category_weights(order_id: int) -> dict[int, int]:
    """Return what was paid per category, by category id; never empty."""
    lines = orders.lines_of([order_id])[order_id]
    found = session.execute(
        select(Product.id, Product.category_id).where(Product.id.in_({line.product_id for line in lines}))
    )
    categories = {row.id: row.category_id for row in found}
    weights: dict[int, int] = {}
    for line in lines:
        category_id = categories.get(line.product_id, NO_CATEGORY)
        weights[category_id] = weights.get(category_id, 0) + line.paid_fen
    return dict(sorted(weights.items())) or {NO_CATEGORY: 0}


def _add(day: date, merchant_id: int, category_id: int, area_code: str, **amounts: int) -> None:
    """Add to the counters of one row, making it when it is the first of its day."""
    if _bump(day, merchant_id, category_id, amounts):
        return
    values = dict.fromkeys(COUNTERS, 0) | amounts
    try:
        with session.begin_nested():
            session.add(
                DailyRollup(
                    id=new_id(), day_on=day, merchant_id=merchant_id, category_id=category_id, area_code=area_code,
                    refunded_fen=0, **values,
                )
            )  # fmt: skip
            session.flush()
    except UniqueViolation:  # another worker made the row in between
        _bump(day, merchant_id, category_id, amounts)


def _bump(day: date, merchant_id: int, category_id: int, amounts: dict[str, int]) -> bool:
    changes = {name: getattr(DailyRollup, name) + amount for name, amount in amounts.items()}
    result = session.execute(
        update(DailyRollup)
        .where(
            DailyRollup.day_on == day, DailyRollup.merchant_id == merchant_id, DailyRollup.category_id == category_id
        )
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount)
