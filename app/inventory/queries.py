"""Reads of stock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, case, func, or_, select

from app.catalog.models import Sku
from app.core import sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.jobs import Job
from app.inventory.models import Component, Movement, Reservation, ServiceArea, Stock, Warehouse

AUDIT_JOB = "inventory.audit_columns"


# One of the rows tells how the SKU is kept: 'none', 'lot' and 'bundle' do not mix within a SKU.
_AVAILABLE = (
    select(Stock.sku_id, func.sum(Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held), func.min(Stock.tracking))
    .where(Stock.sku_id.in_(bindparam("sku_ids", expanding=True)))
    .group_by(Stock.sku_id)
)


_FREE_UNITS = (
    select(Stock.id, Stock.sku_id, (Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held).label("free"), Stock.tracking)
    .where(Stock.sku_id.in_(bindparam("sku_ids", expanding=True)))
    .order_by(Stock.id)
)


@dataclass(frozen=True)
class Recipe:
    """What one unit of a bundle consumes: (component SKU, units) in SKU order."""

    sku_id: int
    parts: tuple[tuple[int, int], ...]


class BundleUnits(dict[int, int]):
    """Free units of a bundle by its own stock row, min over its components; recipe and parts say what they are made of."""

    def __init__(self, stock_id: int, recipe: Recipe, parts: dict[int, dict[int, int]]) -> None:
        super().__init__({stock_id: made_of(recipe, {sku_id: sum(rows.values()) for sku_id, rows in parts.items()})})
        self.recipe = recipe.parts
        self.parts = {sku_id: parts[sku_id] for sku_id, _ in recipe.parts}


def made_of(recipe: Recipe, free: Mapping[int, int]) -> int:
    """Return how many bundles free units of components make; a bundle without components makes none."""
    return min((max(free.get(sku_id, 0), 0) // per_bundle for sku_id, per_bundle in recipe.parts), default=0)


def recipes(sku_ids: Collection[int]) -> dict[int, Recipe]:
    """Return the recipes of bundles by SKU id; one query."""
    rows = session.execute(
        select(Component.bundle_sku_id, Component.sku_id, Component.per_bundle)
        .where(Component.bundle_sku_id.in_(sorted(sku_ids)))
        .order_by(Component.bundle_sku_id, Component.sku_id)
    )
    found: dict[int, list[tuple[int, int]]] = {sku_id: [] for sku_id in sku_ids}
    for bundle, sku_id, per_bundle in rows:
        found[bundle].append((sku_id, per_bundle))
    return {sku_id: Recipe(sku_id, tuple(parts)) for sku_id, parts in found.items()}


def free_units(sku_ids: Collection[int]) -> dict[int, dict[int, int]]:
    """Return available units by SKU id and stock row, rows in id order; one query, two more where a bundle is among them."""
    found: dict[int, dict[int, int]] = {sku_id: {} for sku_id in sku_ids}
    bundles: dict[int, int] = {}
    if found:
        for stock_id, sku_id, units, tracking in sql.read(_FREE_UNITS, {"sku_ids": sorted(found)}):
            found[sku_id][stock_id] = int(units)
            if tracking == "bundle":
                bundles[sku_id] = stock_id
    if bundles:
        made = recipes(bundles)
        parts = free_units({sku_id for recipe in made.values() for sku_id, _ in recipe.parts})
        found |= {sku_id: BundleUnits(bundles[sku_id], recipe, parts) for sku_id, recipe in made.items()}
    return found


def free_by_warehouse(sku_ids: Collection[int]) -> dict[int, dict[int, int]]:
    """Return available units by SKU id and warehouse id; one query."""
    found: dict[int, dict[int, int]] = {sku_id: {} for sku_id in sku_ids}
    free = Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held
    if found:
        for sku_id, warehouse_id, units in session.execute(
            select(Stock.sku_id, Stock.warehouse_id, free).where(Stock.sku_id.in_(sorted(found)))
        ):
            found[sku_id][warehouse_id] = int(units)
    return found


def warehouses_of(merchant_id: int) -> list[Warehouse]:
    """Return a merchant's warehouses."""
    return list(session.scalars(select(Warehouse).where(Warehouse.merchant_id == merchant_id).order_by(Warehouse.id)))


def available(sku_ids: Collection[int]) -> dict[int, int]:
    """Return available units by SKU id (0 when there is no stock row); one query, two more where a bundle is among them."""
    if not sku_ids:
        return {}
    found, bundles = {}, []
    for sku_id, units, tracking in sql.read(_AVAILABLE, {"sku_ids": list(sku_ids)}):
        found[sku_id] = int(units)
        if tracking == "bundle":
            bundles.append(sku_id)
    if bundles:
        made = recipes(bundles)
        parts = available({sku_id for recipe in made.values() for sku_id, _ in recipe.parts})
        found |= {sku_id: made_of(recipe, parts) for sku_id, recipe in made.items()}
    return {sku_id: found.get(sku_id, 0) for sku_id in sku_ids}


def by_preference(free: Mapping[int, Mapping[int, int]], area_code: str) -> dict[int, dict[int, int]]:
    """Return free units with each SKU's rows in the order to take from: serving the district, by priority, by id; one query."""
    ids = sorted(stock_id for rows in free.values() for stock_id in rows)
    served = select(ServiceArea.id).where(ServiceArea.warehouse_id == Warehouse.id)
    here = served.where(ServiceArea.area_code == area_code).exists()
    placed = session.execute(
        select(Stock.id, Warehouse.priority, case((here, 0), (~served.exists(), 1), else_=2))
        .join(Warehouse, Warehouse.id == Stock.warehouse_id)
        .where(Stock.id.in_(ids))
    )
    place = {stock_id: (distance, priority, stock_id) for stock_id, priority, distance in placed}
    return {sku_id: {s: rows[s] for s in sorted(rows, key=place.__getitem__)} for sku_id, rows in free.items()}


def owner_of(actor: Actor, sku_id: int) -> int:
    """Return the merchant of a SKU the actor may keep: merchants their own, operators and the system all. Raises NotFound."""
    merchant_id = session.scalar(select(Sku.merchant_id).where(Sku.id == sku_id))
    if merchant_id is None or (actor.realm == "merchant" and merchant_id != actor.merchant_id):
        raise NotFound("sku.missing", "商品规格不存在")
    return merchant_id


def allocated_of(order_ids: Collection[int]) -> dict[int, int]:
    """Return how many units paid, unshipped orders have allocated, by line; components of a bundle are counted each. One query."""
    r = Reservation
    rows = session.execute(
        select(r.line_id, func.sum(r.quantity)).where(r.order_id.in_(list(order_ids)), r.state == "consumed").group_by(r.line_id)
    )
    return {line_id: int(units or 0) for line_id, units in rows}


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
    pairs = (
        (Stock.on_hand, func.coalesce(totals.c.on_hand, 0)), (Stock.allocated, func.coalesce(totals.c.allocated, 0)),
        (Stock.reserved, func.coalesce(totals.c.reserved, 0)), (Stock.quota_held, func.coalesce(totals.c.quota, 0)),
    )  # fmt: skip
    rows = session.execute(
        select(Stock.id, *(column for column, _ in pairs), *(moved for _, moved in pairs))
        .outerjoin(totals, totals.c.stock_id == Stock.id)
        .where(or_(*(column != moved for column, moved in pairs)))
        .order_by(Stock.id)
    )
    return [Difference(row[0], *(tuple(int(v) for v in part) for part in (row[1:5], row[5:9]))) for row in rows]  # type: ignore[arg-type]
