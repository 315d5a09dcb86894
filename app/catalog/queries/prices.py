"""Prices for promotions: sample variants to try a rule on, and the lowest price of a period, the proof of reference prices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, select

from app.catalog.models import PriceHistory, Product, Sku
from app.core.db import session

SAMPLE_PRODUCTS, SAMPLE_SKUS = 60, 200


@dataclass(frozen=True)
class PricedSku:
    """A variant with what scopes and margins look at; cost_fen 0 = not declared."""

    sku_id: int
    product_id: int
    merchant_id: int
    category_id: int
    title: str
    price_fen: int
    cost_fen: int
    area_code: str
    tags: tuple[str, ...]


def sample_skus(merchant_id: int = 0, product_ids: Sequence[int] = ()) -> list[PricedSku]:
    """Return variants of listed products by price: of the given products, of a shop, or of the best sold ones; one query."""
    chosen = select(Product.id).where(Product.is_listed == 1)
    if product_ids:
        chosen = chosen.where(Product.id.in_(list(product_ids)[:SAMPLE_PRODUCTS]))
    if merchant_id:
        chosen = chosen.where(Product.merchant_id == merchant_id).order_by(Product.id.desc())
    else:
        chosen = chosen.order_by(Product.sold_count.desc(), Product.id.desc())
    best = chosen.limit(SAMPLE_PRODUCTS).subquery()
    rows = session.execute(
        select(
            Sku.id, Sku.product_id, Sku.merchant_id, Product.category_id, Product.title, Sku.price_fen, Sku.cost_fen,
            Product.area_code, Product.tag_names,
        )
        .join(Product, Product.id == Sku.product_id)
        .join(best, best.c.id == Product.id)
        .where(Sku.is_active == True)  # noqa: E712
        .order_by(Sku.price_fen, Sku.id)
        .limit(SAMPLE_SKUS)
    )  # fmt: skip
    return [
        PricedSku(
            row.id, row.product_id, row.merchant_id, row.category_id, row.title, row.price_fen, row.cost_fen, row.area_code,
            tuple(row.tag_names or ()),
        )
        for row in rows
    ]  # fmt: skip


def fillers(merchant_id: int, gap_fen: int, size: int = 20) -> list[PricedSku]:
    """Return listed products of a shop at their lowest price, first the cheapest that fill a gap at once, then the cheapest; one query.

    sku_id is 0: the buyer chooses the variant.
    """
    p = Product
    rows = session.execute(
        select(p.id, p.category_id, p.title, p.price_min_fen, p.area_code, p.tag_names)
        .where(p.merchant_id == merchant_id, p.is_listed == 1)
        .order_by(case((p.price_min_fen >= gap_fen, 0), else_=1), p.price_min_fen, p.id)
        .limit(size)
    )
    return [
        PricedSku(0, r.id, merchant_id, r.category_id, r.title, r.price_min_fen, 0, r.area_code, tuple(r.tag_names or ()))
        for r in rows
    ]


def lowest_price(sku_ids: Sequence[int], since: datetime, until: datetime) -> dict[int, int]:
    """Return the lowest price of each variant in [since, until), by its price history; one query. Variants without one are absent.

    The price in force at `since` counts too: it is the last change before.
    """
    if not sku_ids:
        return {}
    p = PriceHistory
    rows = session.execute(
        select(p.sku_id, p.price_fen, p.at).where(p.sku_id.in_(list(sku_ids)), p.at < until).order_by(p.sku_id, p.at, p.id)
    )
    before: dict[int, int] = {}
    lowest: dict[int, int] = {}
    for sku_id, price_fen, at in rows:
        if at < since:
            before[sku_id] = price_fen
        else:
            lowest[sku_id] = min(price_fen, lowest.get(sku_id, price_fen))
    return {s: min(found for found in (before.get(s), lowest.get(s)) if found is not None) for s in before.keys() | lowest.keys()}


def cold_classes(product_ids: Collection[int]) -> list[str]:
    """Return the storage classes of products (ambient | chilled | frozen); one query."""
    if not product_ids:
        return []
    return list(session.scalars(select(Product.cold_chain).where(Product.id.in_(sorted(product_ids))).distinct()))
