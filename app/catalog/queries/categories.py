"""Categories and their attributes, kept in the process for half a minute: every page reads them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import select

from app.catalog.models import AttributeDef, Category
from app.core.cache_reset import on_reset
from app.core.db import session
from app.core.errors import NotFound

TTL_S = 30
# Goods outside the seven days without reason, when the buyer confirmed it at checkout (T34; trap 29).
RETURN_EXCLUSIONS = {
    "fresh": "鲜活易腐商品", "custom": "定制商品", "digital": "已交付的数字商品", "press": "已交付的报纸期刊",
    "opened": "拆封后易影响人身安全或健康、易变质的商品",
}  # fmt: skip
_cached: list[tuple[float, list[CategoryView]]] = []
_attributes: list[tuple[float, list[Attribute]]] = []


@dataclass(frozen=True)
class CategoryView:
    """A node of the category tree."""

    id: int
    code: str
    name: str
    parent_id: int
    icon: str
    sort: int
    document_required: str
    product_count: int
    return_exclusion: str = "-"
    cold_chain: str = "ambient"
    is_service: int = 0


@dataclass(frozen=True)
class Attribute:
    """A typed attribute of a category."""

    id: int
    category_id: int
    code: str
    name: str
    kind: str
    unit: str
    options: tuple[str, ...]
    is_required: bool
    is_variant: bool
    is_facet: bool


@on_reset
def forget() -> None:
    """Read the tree again at the next call; the verbs that change it call this."""
    _cached.clear()
    _attributes.clear()


def list_categories() -> list[CategoryView]:
    """Return all categories, parents before children, each level in its order."""
    if _cached and _cached[0][0] > time.monotonic():
        return _cached[0][1]
    c = Category
    rows = session.execute(
        select(
            c.id, c.code, c.name, c.parent_id, c.icon, c.sort, c.document_required, c.product_count, c.return_exclusion, c.cold_chain,
            c.is_service,
        )
    )
    found = sorted((CategoryView(*row) for row in rows), key=lambda v: (v.parent_id != 0, v.parent_id, v.sort, v.id))
    _cached[:] = [(time.monotonic() + TTL_S, found)]
    return found


def find_category(category_id: int) -> CategoryView | None:
    """Return a category from the cached tree."""
    return next((c for c in list_categories() if c.id == category_id), None)


def exclusion_of(category_id: int) -> str:
    """Return why goods of a category are outside the seven days without reason, its own or its parent's; '-' when inside."""
    category = find_category(category_id)
    if category is None or category.return_exclusion != "-" or not category.parent_id:
        return category.return_exclusion if category is not None else "-"
    return exclusion_of(category.parent_id)


def get_category(category_id: int) -> Category:
    """Return a category row. Raises NotFound(`category.missing`)."""
    row = session.get(Category, category_id)
    if row is None:
        raise NotFound("category.missing", "类目不存在")
    return row


def category_ids_below(category_id: int) -> list[int]:
    """Return a category with its children, at most 500 ids."""
    return [c.id for c in list_categories() if category_id in (c.id, c.parent_id)][:500]


def attributes_of(category_id: int) -> list[Attribute]:
    """Return the attributes of a category and of its parent, in order; from the process's cache."""
    if not _attributes or _attributes[0][0] <= time.monotonic():
        _attributes[:] = [(time.monotonic() + TTL_S, _read_attributes())]
    category = find_category(category_id)
    ids = {category_id, category.parent_id if category else 0} - {0}
    return [a for a in _attributes[0][1] if a.category_id in ids]


def _read_attributes() -> list[Attribute]:
    rows = session.scalars(select(AttributeDef).order_by(AttributeDef.sort, AttributeDef.id))
    return [
        Attribute(
            r.id, r.category_id, r.code, r.name, r.kind, r.unit, tuple(r.options), bool(r.is_required), bool(r.is_variant),
            bool(r.is_facet),
        )
        for r in rows
    ]  # fmt: skip
