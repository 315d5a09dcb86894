"""The SKU matrix: variants by option tuple, prices with history, retired instead of deleted (M10)."""

from __future__ import annotations

from sqlalchemy import select

from app.catalog.events import SkuCreated
from app.catalog.models import PriceHistory, Product, Sku
from app.catalog.service.inputs import ProductInput, SkuInput, option_key
from app.core import clock, events
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from dbadapters.errors import UniqueViolation


def save(actor: Actor, product: Product, data: ProductInput) -> tuple[bool, bool]:
    """Bring the variants to what the grid says; returns (grid changed, some price changed).

    Variants left out are retired, not deleted: orders name them. Raises Conflict(`sku.code_taken`).
    """
    known = {s.option_key: s for s in session.scalars(select(Sku).where(Sku.product_id == product.id))}
    changed = priced = False
    wanted = set()
    try:
        with session.begin_nested():
            for place, row in enumerate(data.skus):
                key = option_key(row.options)
                wanted.add(key)
                sku = known.get(key)
                if sku is None:
                    _add(actor, product, data, row, place)
                    changed = True
                    continue
                old_price = sku.price_fen
                changed = _update(sku, row, place) or changed
                if sku.price_fen != old_price:
                    priced = True
                    note_price(actor, sku.id, sku.price_fen)
            session.flush()  # (merchant, code) is unique: the grid shows it
    except UniqueViolation:
        raise Conflict("sku.code_taken", "规格编码已被本店其他商品使用", field="skus") from None
    for key, sku in known.items():
        if key not in wanted and sku.is_active:
            sku.is_active, changed = False, True
    prices = [row.price_fen for row in data.skus]
    product.price_min_fen, product.price_max_fen = min(prices), max(prices)
    return changed, priced


def _add(actor: Actor, product: Product, data: ProductInput, row: SkuInput, place: int) -> None:
    sku_id = new_id()
    session.add(
        Sku(
            id=sku_id, product_id=product.id, merchant_id=product.merchant_id, code=row.code or f"S{sku_id}",
            option_key=option_key(row.options), options=dict(zip(data.option_names, row.options, strict=True)),
            price_fen=row.price_fen, cost_fen=row.cost_fen, weight_g=row.weight_g, barcode=row.barcode,
            safety_stock=row.safety_stock, is_active=True, sort=place,
        )
    )  # fmt: skip
    note_price(actor, sku_id, row.price_fen)
    events.publish(SkuCreated(sku_id, product.merchant_id))


def _update(sku: Sku, row: SkuInput, place: int) -> bool:
    """Write one row of the grid; True when something other than the price changed."""
    values = {
        "weight_g": row.weight_g, "safety_stock": row.safety_stock, "cost_fen": row.cost_fen, "barcode": row.barcode,
        "is_active": True, "sort": place,
    }  # fmt: skip
    if row.code:
        values["code"] = row.code
    changed = any(getattr(sku, name) != value for name, value in values.items())
    for name, value in values.items():
        setattr(sku, name, value)
    sku.price_fen = row.price_fen
    return changed


def note_price(actor: Actor, sku_id: int, price_fen: int) -> None:
    """Write a line of the price history, the proof of reference prices (commerce.md §2.22)."""
    session.add(PriceHistory(id=new_id(), sku_id=sku_id, price_fen=price_fen, changed_by=actor.account_id, at=clock.now()))
