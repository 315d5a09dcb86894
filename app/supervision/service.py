"""Writing the rollups: a mark for each order, one update for each counter row that several orders share, in the caller's transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from sqlalchemy import bindparam, select, update

from app.catalog import queries as catalog
from app.core import clock, runtime, sql
from app.core.ids import new_id
from app.core.money import allocate
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.orders import queries as orders
from app.orders.events import OrderPaid, OrderShipped
from app.supervision.models import DailyRollup, RollupMark
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

COUNTERS = ("paid_fen", "order_count", "local_count", "shipped_count", "on_time_count")
NO_CATEGORY = 0
E = TypeVar("E")
Row = tuple[date, int, int]  # business day, merchant, category
_ROLLUP = sql.table_of(DailyRollup)
_R = _ROLLUP.c
_BUMP = (
    update(_ROLLUP)
    .where(_R.day_on == bindparam("w_day"), _R.merchant_id == bindparam("w_merchant"), _R.category_id == bindparam("w_category"))
    .values({_R[name]: _R[name] + bindparam(f"d_{name}", type_=_R[name].type) for name in COUNTERS})
)
_MARKED = select(RollupMark.object_id).where(
    RollupMark.kind == bindparam("kind"), RollupMark.object_id.in_(bindparam("ids", expanding=True))
)


def count_paid(paid: Sequence[OrderPaid]) -> int:
    """Count paid orders, each once; returns how many were new. The category rows of an order sum exactly to its paid_fen.

    Raises RunAgain when another worker counts one of them at this moment.
    """
    new = _unmarked("paid", {event.order_id: event for event in paid})
    known = orders.facts(list(new))
    weights = _category_weights(list(new))
    local = {area.code for area in identity.list_areas()}
    grown: dict[Row, Counter[str]] = defaultdict(Counter)
    for order_id, event in new.items():
        day, weighed = clock.business_date(_instant(event.at_us)), weights[order_id]
        parts = allocate(event.paid_fen, list(weighed.values()))
        if sum(parts) != event.paid_fen:  # only gifts: nothing to weigh by, the first category takes the freight
            parts[0] = event.paid_fen
        for index, category_id in enumerate(weighed):
            first = index == 0
            is_local = first and known[order_id].area_code in local
            grown[day, event.merchant_id, category_id].update(
                paid_fen=parts[index], order_count=int(first), local_count=int(is_local)
            )
    _add_all(grown)
    return len(new)


def count_shipped(shipped: Sequence[OrderShipped]) -> int:
    """Count shipped orders, each once, on their shipping day; on time means within trade.ship_sla_h of payment. Raises RunAgain."""
    new = _unmarked("shipped", {event.order_id: event for event in shipped})
    known = orders.facts(list(new))
    weights = _category_weights(list(new))
    limit = timedelta(hours=runtime.current().settings.trade.ship_sla_h)
    grown: dict[Row, Counter[str]] = defaultdict(Counter)
    for order_id, event in new.items():
        at, paid_at = _instant(event.at_us), known[order_id].paid_at
        on_time = paid_at is not None and at - paid_at <= limit
        category_id = next(iter(weights[order_id]))
        grown[clock.business_date(at), event.merchant_id, category_id].update(shipped_count=1, on_time_count=int(on_time))
    _add_all(grown)
    return len(new)


def _instant(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def _unmarked(kind: str, by_order: dict[int, E]) -> dict[int, E]:
    """Return what is not counted yet, marking it as counted; (kind, order) is unique."""
    marked = set(sql.read(_MARKED, {"kind": kind, "ids": list(by_order)}).scalars())
    new = {order_id: event for order_id, event in sorted(by_order.items()) if order_id not in marked}
    try:
        sql.add_all(RollupMark, [{"id": new_id(), "kind": kind, "object_id": order_id} for order_id in new])
    except UniqueViolation as error:
        raise RunAgain("another worker is counting the same order") from error
    return new


def _category_weights(order_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return what was paid by order and category id; never empty for an order."""
    lines = orders.line_facts(order_ids)
    categories = catalog.categories_of(line.product_id for line in lines)
    weights: dict[int, Counter[int]] = {order_id: Counter() for order_id in order_ids}
    for line in lines:
        weights[line.order_id][categories.get(line.product_id, NO_CATEGORY)] += line.paid_fen
    return {order_id: dict(sorted(found.items())) or {NO_CATEGORY: 0} for order_id, found in weights.items()}


def _add_all(grown: dict[Row, Counter[str]]) -> None:
    """Add to counter rows in order, making those that are the first of their day."""
    areas = _areas_of(merchant_id for _, merchant_id, _ in grown)
    for row in sorted(grown):
        day, merchant_id, category_id = row
        amounts = {name: grown[row][name] for name in COUNTERS}
        where = {"w_day": day, "w_merchant": merchant_id, "w_category": category_id}
        if sql.change(_BUMP, where | {f"d_{name}": amount for name, amount in amounts.items()}):
            continue
        try:
            sql.add(
                DailyRollup,
                {"id": new_id(), "day_on": day, "merchant_id": merchant_id, "category_id": category_id,
                 "area_code": areas.get(merchant_id, "-"), "refunded_fen": 0, **amounts},
            )  # fmt: skip
        except UniqueViolation as error:  # another worker made the row in between
            raise RunAgain("the day's row was made by another worker") from error


def _areas_of(merchant_ids: Iterable[int]) -> dict[int, str]:
    return {shop.id: shop.area_code for shop in merchants.shops(sorted(set(merchant_ids))).values()}
