"""What buyers see: offers for carts and orders, cards for lists, the detail of one product."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, bindparam, select, union_all

from app.catalog.models import Document, Product, Sku, Tag
from app.catalog.queries.categories import CategoryView, category_ids_below, find_category
from app.core import sql
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, cut, decode_cursor
from app.merchants import queries as merchants
from dbadapters.portable import keyset

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
    area_code: str
    tag_names: tuple[str, ...]
    is_buyable: bool
    reason: str
    cold_chain: str = "ambient"


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
    """A product with all that its page shows: rows of all columns; merchant whatever its status."""

    product: Any
    skus: Sequence[Any]
    documents: Sequence[Any]
    tags: Sequence[Any]
    category: CategoryView | None
    merchant: Any


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


_OFFERS = (
    select(
        Sku.id, Sku.product_id, Sku.merchant_id, Product.category_id, Product.title, Sku.option_key, Product.image_key,
        Sku.price_fen, Product.version, Sku.weight_g, Product.area_code, Product.tag_names, Product.review, Product.shelf,
        Sku.is_active, Merchant.status, Product.cold_chain,
    )
    .join(Product, Product.id == Sku.product_id)
    .join(Merchant, Merchant.id == Sku.merchant_id)
    .where(Sku.id.in_(bindparam("sku_ids", expanding=True)))
)  # fmt: skip


def offers(sku_ids: Sequence[int]) -> dict[int, Offer]:
    """Return offers by variant id in one query; unknown ids are absent. At most 500 ids."""
    if not sku_ids:
        return {}
    found = {}
    for row in sql.read(_OFFERS, {"sku_ids": list(set(sku_ids))}):
        reason = _reason(row[12], row[13], bool(row[14]), row[15])
        found[row[0]] = Offer(*row[:11], tuple(row[11] or ()), not reason, reason, row[16])
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


# The first word is what "no such order" means; columns end in the id, descending or not.
SORTS: dict[str, tuple[tuple[Any, ...], bool]] = {
    "sold": ((Product.sold_count, Product.id), True),
    "new": ((Product.id,), True),
    "price": ((Product.price_min_fen, Product.id), False),
    "price_desc": ((Product.price_min_fen, Product.id), True),
}


@cache
def _list_statement(sort: str, groups: int, column: str, after: bool) -> Select[Any]:
    """Return the statement of one list page, built once.

    An index serves one category in order, not several at once: each of the `groups` categories gives its first rows by its
    own range of the index, and the page is the first of those (performance.md §4: cost does not grow with the catalogue).
    """
    columns, descending = SORTS[sort]
    ordering = [c.desc() if descending else c.asc() for c in columns]
    beyond = keyset(columns, [bindparam(f"k{i}") for i in range(len(columns))], descending=descending) if after else None
    parts = []
    for number in range(groups):
        part = select(Product.id).where(getattr(Product, column) == bindparam(f"g{number}"), Product.is_listed == 1)
        part = part if beyond is None else part.where(beyond)
        parts.append(select(part.order_by(*ordering).limit(bindparam("size")).subquery().c.id))
    chosen = (union_all(*parts) if groups > 1 else parts[0]).subquery()
    return _card_columns().join(chosen, chosen.c.id == Product.id).order_by(*ordering).limit(bindparam("size"))


def list_listed(
    category_id: int | None = None, merchant_id: int | None = None, sort: str = "sold", cursor: str = "", size: int = 20
) -> Page[ProductCard]:
    """Return a page of listed products of a category (with its children) or of a shop.

    sort: sold | new | price | price_desc; unknown words mean sold. One query whose cost does not grow with the catalogue.
    """
    sort = sort if sort in SORTS else "sold"
    keys = [c.key for c in SORTS[sort][0]]
    groups = category_ids_below(category_id) if category_id else [merchant_id or 0]
    values: dict[str, Any] = {f"g{number}": group for number, group in enumerate(groups or [0])}
    if cursor:
        values |= {f"k{i}": value for i, value in enumerate(decode_cursor(cursor, len(keys)))}
    column = "category_id" if category_id else "merchant_id"
    statement = _list_statement(sort, max(1, len(groups)), column, bool(cursor))
    rows = sql.read(statement, values | {"size": size + 1}).all()
    return cut([_card(row) for row in rows], size, lambda card: [_SORT_VALUES[key](card) for key in keys])


_SORT_VALUES: dict[str, Callable[[ProductCard], int]] = {
    "id": attrgetter("id"), "sold_count": attrgetter("sold_count"), "price_min_fen": attrgetter("price_fen"),
}  # fmt: skip


def cards(product_ids: Sequence[int]) -> list[ProductCard]:
    """Return cards of the listed products among the ids, in the given order; one query. At most 500 ids."""
    if not product_ids:
        return []
    ids = list(dict.fromkeys(product_ids))[:MAX_IDS]
    found = {row[0]: _card(row) for row in sql.read(_CARDS, {"ids": ids})}
    return [found[i] for i in ids if i in found]


_CATEGORIES = select(Product.id, Product.category_id).where(Product.id.in_(bindparam("ids", expanding=True)))


def categories_of(product_ids: Iterable[int]) -> dict[int, int]:
    """Return category ids by product id, whatever the product's state; one query. At most 500 ids."""
    return {row[0]: row[1] for row in sql.read(_CATEGORIES, {"ids": list(set(product_ids))})}


_CARDS = _card_columns().where(Product.id.in_(bindparam("ids", expanding=True)), Product.is_listed == 1)
_SELLER = tuple(sql.table_of(Merchant).c)
Seller = namedtuple("Seller", [column.name for column in _SELLER])  # type: ignore[misc]  # the table knows its columns
_PRODUCT = (
    select(*sql.table_of(Product).c, *(column.label(f"seller_{column.name}") for column in _SELLER))
    .join(Merchant, Merchant.id == Product.merchant_id)
    .where(Product.id == bindparam("product_id"))
)
_SKUS = (
    select(*sql.table_of(Sku).c).where(Sku.product_id == bindparam("product_id"), Sku.is_active == True)  # noqa: E712 - SQL, not Python
    .order_by(Sku.sort, Sku.id)
)  # fmt: skip
_DOCUMENTS = select(*sql.table_of(Document).c).where(Document.product_id == bindparam("product_id")).order_by(Document.id)
_TAGS = select(*sql.table_of(Tag).c).where(Tag.product_id == bindparam("product_id")).order_by(Tag.id)


def get_detail(product_id: int) -> ProductDetail:
    """Return a product with variants, documents, tags, category and merchant; four queries.

    Unlisted products are returned too (orders link to them): the caller looks at `product.is_listed`.
    Raises NotFound(`product.missing`).
    """
    given = {"product_id": product_id}
    product = sql.read(_PRODUCT, given).one_or_none()
    if product is None:
        raise NotFound("product.missing", "商品不存在或已下架")
    skus, documents, tags = (sql.read(statement, given).all() for statement in (_SKUS, _DOCUMENTS, _TAGS))
    seller = Seller(*product[-len(_SELLER):])
    return ProductDetail(product, skus, documents, tags, find_category(product.category_id), seller)


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
