"""Reads of stock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select

from app.catalog.models import Product, Sku
from app.core import sql
from app.core.actor import Actor
from app.core.db import session
from app.core.jobs import Job
from app.core.paging import Page, paginate
from app.inventory.models import Movement, Stock

AUDIT_JOB = "inventory.audit_columns"


_AVAILABLE = (
    select(Stock.sku_id, func.sum(Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held))
    .where(Stock.sku_id.in_(bindparam("sku_ids", expanding=True)))
    .group_by(Stock.sku_id)
)


_FREE_UNITS = (
    select(Stock.id, Stock.sku_id, (Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held).label("free"))
    .where(Stock.sku_id.in_(bindparam("sku_ids", expanding=True)))
    .order_by(Stock.id)
)


def free_units(sku_ids: Collection[int]) -> dict[int, dict[int, int]]:
    """Return available units by SKU id and stock row, rows in id order; one query."""
    found: dict[int, dict[int, int]] = {sku_id: {} for sku_id in sku_ids}
    if found:
        for stock_id, sku_id, units in sql.read(_FREE_UNITS, {"sku_ids": sorted(found)}):
            found[sku_id][stock_id] = int(units)
    return found


def available(sku_ids: Collection[int]) -> dict[int, int]:
    """Return available units by SKU id (0 when there is no stock row); one query."""
    if not sku_ids:
        return {}
    found = {sku_id: int(units) for sku_id, units in sql.read(_AVAILABLE, {"sku_ids": list(sku_ids)})}
    return {sku_id: found.get(sku_id, 0) for sku_id in sku_ids}


def list_stock(actor: Actor, cursor: str = "", size: int = 30) -> Page[Any]:
    """Return (stock, product title, option key, safety stock): a merchant's own rows, all for operators."""
    statement = (
        select(Stock, Product.title, Sku.option_key, Sku.safety_stock)
        .join(Sku, Sku.id == Stock.sku_id)
        .join(Product, Product.id == Sku.product_id)
    )
    if actor.realm == "merchant":
        statement = statement.where(Stock.merchant_id == actor.merchant_id)
    return paginate(statement, [Stock.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def list_short(limit: int = 50) -> list[Any]:
    """Return (stock, title, option key, safety stock) of rows at or below their safety stock."""
    free = Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held
    statement = (
        select(Stock, Product.title, Sku.option_key, Sku.safety_stock)
        .join(Sku, Sku.id == Stock.sku_id)
        .join(Product, Product.id == Sku.product_id)
        .where(Sku.safety_stock > 0, free <= Sku.safety_stock)
        .order_by(Stock.id)
        .limit(limit)
    )
    return list(session.execute(statement).all())


@dataclass(frozen=True)
class Difference:
    """A stock row whose columns are not the sum of its movements."""

    stock_id: int
    columns: tuple[int, int, int, int]
    movements: tuple[int, int, int, int]


def last_audit() -> Job | None:
    """Return the latest run of the nightly comparison, None before the first."""
    return session.scalar(select(Job).where(Job.name == AUDIT_JOB).order_by(Job.id.desc()).limit(1))


def audit_columns() -> list[Difference]:
    """Compare every stock row with the sum of its movements; empty when all agree (nightly, and after kill tests)."""
    totals = (
        select(
            Movement.stock_id.label("stock_id"), func.sum(Movement.on_hand_delta).label("on_hand"),
            func.sum(Movement.allocated_delta).label("allocated"), func.sum(Movement.reserved_delta).label("reserved"),
            func.sum(Movement.quota_delta).label("quota"),
        )
        .group_by(Movement.stock_id)
        .subquery()
    )  # fmt: skip
    rows = session.execute(
        select(Stock, totals.c.on_hand, totals.c.allocated, totals.c.reserved, totals.c.quota).outerjoin(
            totals, totals.c.stock_id == Stock.id
        )
    )
    found = []
    for stock, *sums in rows:
        columns = (stock.on_hand, stock.allocated, stock.reserved, stock.quota_held)
        moved = tuple(int(value or 0) for value in sums)
        if columns != moved:
            found.append(Difference(stock.id, columns, moved))  # type: ignore[arg-type]
    return found
