"""What buyers see: offers for carts and orders, cards for lists, the detail of one product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from app.catalog.models import Document, Product, Sku, Tag
from app.catalog.queries.categories import CategoryView, category_ids_below, find_category
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.merchants import queries as merchants

MAX_IDS = 500
Merchant = merchants.Merchant


@dataclass(frozen=True)
class Offer:
    """A variant as carts and orders price it. reason says in zh-CN why it cannot be bought, '' when it can."""

    sku_id: int
    product_id: int
    merchant_id: int
    category_id: int
    title: str
    option_key: str
    image_key: str
    price_fen: int
    product_version: int
    weight_g: int
    is_buyable: bool
    reason: str


@dataclass(frozen=True)
class ProductCard:
    """A product in a list."""

    id: int
    merchant_id: int
    category_id: int
    title: str
    subtitle: str
    image_key: str
    area_code: str
    price_fen: int
    price_max_fen: int
    sold_count: int
    rating_sum: int
    rating_count: int
    tag_names: tuple[str, ...]
    shop_name: str
    is_listed: bool
    created_at: datetime


@dataclass(frozen=True)
class ProductDetail:
    """A product with all that its page shows; merchant is the Merchant row whatever its status."""

    product: Product
    skus: Sequence[Sku]
    documents: Sequence[Document]
    tags: Sequence[Tag]
    category: CategoryView | None
    merchant: Merchant


@dataclass(frozen=True)
class ListedProduct:
    """A listed product with its active variants, for the search replica."""

    product: Product
    skus: Sequence[Sku]


def _reason(product_review: str, shelf: str, is_active: bool, merchant_status: str) -> str:
    if shelf == "banned":
        return "商品已被平台下架"
    if merchant_status != "active":
        return "店铺暂停营业"
    if product_review != "approved" or shelf != "on":
        return "商品已下架"
    return "" if is_active else "该规格已停售"


def offers(sku_ids: Sequence[int]) -> dict[int, Offer]:
    """Return offers by variant id in one query; unknown ids are absent. At most 500 ids."""
    if not sku_ids:
        return {}
    rows = session.execute(
        select(
            Sku.id, Sku.product_id, Sku.merchant_id, Product.category_id, Product.title, Sku.option_key, Product.image_key,
            Sku.price_fen, Product.version, Sku.weight_g, Product.review, Product.shelf, Sku.is_active, Merchant.status,
        )
        .join(Product, Product.id == Sku.product_id)
        .join(Merchant, Merchant.id == Sku.merchant_id)
        .where(Sku.id.in_(set(sku_ids)))
    )  # fmt: skip
    found = {}
    for row in rows:
        reason = _reason(row[10], row[11], bool(row[12]), row[13])
        found[row[0]] = Offer(*row[:10], not reason, reason)
    return found


def _card_columns() -> Select[Any]:
    p = Product
    return select(
        p.id, p.merchant_id, p.category_id, p.title, p.subtitle, p.image_key, p.area_code, p.price_min_fen,
        p.price_max_fen, p.sold_count, p.rating_sum, p.rating_count, p.tag_names, Merchant.shop_name, p.is_listed,
        p.created_at,
    ).join(Merchant, Merchant.id == p.merchant_id)  # fmt: skip


def _card(row: Any) -> ProductCard:
    v = tuple(row)
    return ProductCard(*v[:4], v[4] or "", *v[5:12], tuple(v[12] or ()), v[13], bool(v[14]), v[15])


SORTS: dict[str, tuple[list[Any], bool, list[int]]] = {
    "sold": ([Product.sold_count, Product.id], True, [9, 0]),
    "new": ([Product.id], True, [0]),
    "price": ([Product.price_min_fen, Product.id], False, [7, 0]),
    "price_desc": ([Product.price_min_fen, Product.id], True, [7, 0]),
}


def list_listed(
    category_id: int | None = None, merchant_id: int | None = None, sort: str = "sold", cursor: str = "", size: int = 20
) -> Page[ProductCard]:
    """Return a page of listed products of a category (with its children) or a shop.

    sort: sold | new | price | price_desc; unknown words mean sold. One query.
    """
    columns, descending, places = SORTS.get(sort, SORTS["sold"])
    statement = _card_columns().where(Product.is_listed == 1)
    if category_id:
        statement = statement.where(Product.category_id.in_(category_ids_below(category_id) or [0]))
    if merchant_id:
        statement = statement.where(Product.merchant_id == merchant_id)
    page = paginate(
        statement, columns, lambda row: [row[i] for i in places], cursor=cursor, size=size, descending=descending,
        scalars=False,
    )  # fmt: skip
    return Page([_card(row) for row in page.items], page.next_cursor)


def cards(product_ids: Sequence[int]) -> list[ProductCard]:
    """Return cards of the listed products among the ids, in the given order; one query. At most 500 ids."""
    if not product_ids:
        return []
    ids = list(dict.fromkeys(product_ids))[:MAX_IDS]
    rows = session.execute(_card_columns().where(Product.id.in_(ids), Product.is_listed == 1))
    found = {row[0]: _card(row) for row in rows}
    return [found[i] for i in ids if i in found]


def get_detail(product_id: int) -> ProductDetail:
    """Return a product with variants, documents, tags, category and merchant; four queries.

    Unlisted products are returned too (orders link to them): the caller looks at `product.is_listed`.
    Raises NotFound(`product.missing`).
    """
    row = session.execute(
        select(Product, Merchant).join(Merchant, Merchant.id == Product.merchant_id).where(Product.id == product_id)
    ).one_or_none()
    if row is None:
        raise NotFound("product.missing", "商品不存在或已下架")
    product, merchant = row
    skus = session.scalars(
        select(Sku).where(Sku.product_id == product_id, Sku.is_active == True).order_by(Sku.sort, Sku.id)  # noqa: E712
    ).all()
    documents = session.scalars(select(Document).where(Document.product_id == product_id).order_by(Document.id)).all()
    tags = session.scalars(select(Tag).where(Tag.product_id == product_id).order_by(Tag.id)).all()
    return ProductDetail(product, skus, documents, tags, find_category(product.category_id), merchant)


def _with_skus(products: Sequence[Product]) -> list[ListedProduct]:
    by_product: dict[int, list[Sku]] = {p.id: [] for p in products}
    if by_product:
        skus = session.scalars(
            select(Sku)
            .where(Sku.product_id.in_(list(by_product)), Sku.is_active == True)  # noqa: E712
            .order_by(Sku.sort, Sku.id)
        )
        for sku in skus:
            by_product[sku.product_id].append(sku)
    return [ListedProduct(p, by_product[p.id]) for p in products]


def listed_after(product_id: int, size: int) -> list[ListedProduct]:
    """Return the next listed products by id with their active variants; two queries. At most 500."""
    statement = select(Product).where(Product.is_listed == 1, Product.id > product_id).order_by(Product.id)
    return _with_skus(session.scalars(statement.limit(min(size, MAX_IDS))).all())


def listed(product_ids: Sequence[int]) -> list[ListedProduct]:
    """Return those of the products that are listed, with active variants; two queries. At most 500 ids."""
    if not product_ids:
        return []
    ids = list(dict.fromkeys(product_ids))[:MAX_IDS]
    statement = select(Product).where(Product.id.in_(ids), Product.is_listed == 1)
    return _with_skus(session.scalars(statement.order_by(Product.id)).all())
