"""Bundles (组合商品): a SKU made of others; it has no stock of its own, its orders hold and ship the components exactly."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from app.audit import service as audit
from app.core import sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.inventory import queries
from app.inventory.models import Component, Item, Stock
from app.inventory.service.columns import whole
from app.inventory.service.lots import item_of
from app.inventory.service.stock import ensure_stock

MOST_PARTS = 20


def set_bundle(actor: Actor, sku_id: int, parts: Sequence[tuple[int, int]]) -> None:
    """Make a SKU a bundle of (component SKU, units each), or change what later orders of it consume; open orders keep theirs.

    Raises NotFound for a foreign SKU, Invalid(`bundle.parts`) for none, too many, twice the same, itself or another bundle,
    Conflict(`bundle.stock`) while the SKU has stock or orders of its own.
    """
    merchant_id = queries.owner_of(actor, sku_id)
    skus = [part for part, _ in parts]
    if not 1 <= len(parts) <= MOST_PARTS or len(set(skus)) != len(skus) or sku_id in skus:
        raise Invalid("bundle.parts", f"请填写 1–{MOST_PARTS} 个不重复的组成商品，不能包含自己", field="parts")
    if {queries.owner_of(actor, part) for part in skus} != {merchant_id}:
        raise NotFound("sku.missing", "组成商品不存在")
    if session.scalar(select(Item.id).where(Item.sku_id.in_(skus), Item.tracking == "bundle").limit(1)):
        raise Invalid("bundle.parts", "组成商品不能也是组合商品", field="parts")
    if session.scalar(select(Component.id).where(Component.sku_id == sku_id).limit(1)):
        raise Invalid("bundle.parts", "该商品是其他组合的组成商品，不能再设为组合", field="parts")
    item = item_of(sku_id, merchant_id)
    if item.tracking == "lot":
        raise Conflict("bundle.stock", "按批次管理的商品不能设为组合")
    item.tracking = "bundle"
    session.flush()
    ensure_stock([sku_id], merchant_id)
    _mark(sku_id)
    session.execute(delete(Component).where(Component.bundle_sku_id == sku_id))
    session.add_all(Component(id=new_id(), bundle_sku_id=sku_id, sku_id=part, per_bundle=whole(n, field="parts")) for part, n in parts)
    session.flush()
    audit.record(actor, "bundle.saved", "sku", sku_id, detail={"parts": {str(part): n for part, n in parts}})


def _mark(sku_id: int) -> None:
    """Mark the SKU's rows as a bundle's, each only while it is empty; whoever receives at the same moment loses."""
    table = sql.table_of(Stock)
    c = table.c
    for stock_id in session.scalars(select(c.id).where(c.sku_id == sku_id).order_by(c.id)).all():
        empty = (c.on_hand == 0, c.allocated == 0, c.reserved == 0, c.quota_held == 0)
        marked = update(table).where(c.id == stock_id, *empty).values(tracking="bundle")
        if sql.change(marked, {}) != 1:
            raise Conflict("bundle.stock", "该商品还有自己的库存或未完成的订单，请先清空再设为组合")
    session.expire_all()


def dissolve(actor: Actor, sku_id: int) -> None:
    """Make a bundle an ordinary SKU again, with no stock. Raises NotFound."""
    queries.owner_of(actor, sku_id)
    item = session.scalar(select(Item).where(Item.sku_id == sku_id, Item.tracking == "bundle"))
    if item is None:
        raise NotFound("bundle.missing", "该商品不是组合商品")
    item.tracking = "none"
    session.execute(delete(Component).where(Component.bundle_sku_id == sku_id))
    session.execute(update(sql.table_of(Stock)).where(sql.table_of(Stock).c.sku_id == sku_id).values(tracking="none"))
    session.flush()
    session.expire_all()
    audit.record(actor, "bundle.removed", "sku", sku_id)
