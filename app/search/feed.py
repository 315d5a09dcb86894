"""What the replica reads: the change feed, and listed products with everything a search needs, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.catalog import queries as catalog
from app.core.db import session
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.merchants import queries as merchants
from app.search.models import SearchChange


@dataclass(frozen=True)
class IndexSku:
    """A sellable variant."""

    sku_id: int
    options: dict[str, str]
    price_fen: int
    available: int


@dataclass(frozen=True)
class IndexRow:
    """A listed product as it is indexed."""

    product_id: int
    title: str
    subtitle: str
    category_id: int
    category_name: str
    parent_id: int
    parent_name: str
    merchant_id: int
    shop_name: str
    area_code: str
    area_name: str
    tags: list[str]
    sold_count: int
    created_at: datetime
    skus: list[IndexSku]


@dataclass(frozen=True)
class Change:
    """A line of the change feed."""

    id: int
    product_id: int


def last_change() -> int:
    """Return the newest change id, 0 when there is none."""
    return session.scalar(select(func.max(SearchChange.id))) or 0


def changes_after(change_id: int, limit: int) -> list[Change]:
    """Return changes with a greater id, oldest first; one query."""
    found = session.execute(
        select(SearchChange.id, SearchChange.product_id).where(SearchChange.id > change_id).order_by(SearchChange.id).limit(limit)
    )
    return [Change(i, p) for i, p in found]


def listed_after(product_id: int, size: int) -> list[IndexRow]:
    """Return the next listed products by id; five queries a batch."""
    return _rows(catalog.listed_after(product_id, size))


def listed(product_ids: Sequence[int]) -> list[IndexRow]:
    """Return those of the products that are listed; five queries. At most 500 ids."""
    return _rows(catalog.listed(product_ids))


def _rows(products: Sequence[catalog.ListedProduct]) -> list[IndexRow]:
    categories = {c.id: c for c in catalog.list_categories()}
    areas = {a.code: a.name for a in identity.list_areas()}
    shops = merchants.shops(sorted({p.product.merchant_id for p in products})) if products else {}
    stock = _available([s.id for p in products for s in p.skus])
    rows = []
    for item in products:
        product = item.product
        category = categories.get(product.category_id)
        parent = categories.get(category.parent_id) if category else None
        shop = shops.get(product.merchant_id)
        rows.append(
            IndexRow(
                product.id, product.title, product.subtitle or "", product.category_id, category.name if category else "",
                parent.id if parent else 0, parent.name if parent else "", product.merchant_id,
                shop.shop_name if shop else "", product.area_code, areas.get(product.area_code, ""),
                list(product.tag_names), product.sold_count, product.created_at,
                [IndexSku(s.id, dict(s.options), s.price_fen, stock.get(s.id, 0)) for s in item.skus],
            )
        )  # fmt: skip
    return rows


def _available(sku_ids: list[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for start in range(0, len(sku_ids), 500):
        found.update(inventory.available(sku_ids[start : start + 500]))
    return found
