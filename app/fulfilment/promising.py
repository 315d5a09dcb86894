"""Delivery promises after the order: judged again when it is paid, found broken when their time is over (T23)."""

from __future__ import annotations

from dataclasses import dataclass

from app.catalog import queries as catalog
from app.core import clock
from app.core.actor import SYSTEM
from app.delivery import queries as delivery
from app.merchants import queries as merchants
from app.orders import queries as order_queries
from app.orders import service as orders

BATCH = 200


@dataclass(frozen=True)
class SentLine:
    """What freight and promises look at of an ordered line."""

    sku_id: int
    product_id: int
    quantity: int
    weight_g: int


def judge(order_id: int) -> bool:
    """Keep what an order was promised when it was paid in time, else promise what still can be kept; True when it changed.

    The place in the day's load that the order holds stays with it: the goods leave one way or the other.
    """
    order = order_queries.get_for(SYSTEM, order_id)
    promised_by, pay_by, paid_at = order.promised_by, order.promise_pay_by, order.paid_at
    if promised_by is None or pay_by is None or paid_at is None or paid_at < pay_by:
        return False
    lines = order_queries.lines_of([order_id])[order_id]
    known = catalog.offers([line.sku_id for line in lines])
    goods = [
        SentLine(line.sku_id, line.product_id, line.quantity, known[line.sku_id].weight_g if line.sku_id in known else 0)
        for line in lines
    ]  # fmt: skip
    shop = merchants.shops([order.merchant_id])[order.merchant_id]
    made = delivery.promise_of(shop, order.area_code, goods)
    return orders.set_promise(order_id, promised_by, made.promised_by if made else None, made.label if made else None)


def find_missed() -> int:
    """Periodic job: note promises that were broken; returns how many."""
    found = order_queries.late_unmarked(clock.now(), BATCH)
    return sum(orders.mark_promise_missed(*late) for late in found)
