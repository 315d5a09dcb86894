"""Categories and products in a few lines. Callers hold the transaction."""

from __future__ import annotations

from typing import Any

from app.catalog import service
from app.catalog.models import Category, Product
from app.catalog.queries.categories import forget
from app.catalog.service import ProductInput, SkuInput
from app.core.actor import Actor
from app.core.db import session
from app.core.ids import new_id
from app.merchants.models import Merchant
from tests.factories.merchants import owner_of, reviewer


def make_category(name: str = "茶叶", **changes: Any) -> Category:
    """Add a category."""
    key = new_id()
    values: dict[str, Any] = {
        "id": key, "code": f"c{key}", "name": name, "parent_id": 0, "icon": "leaf", "sort": 1, "document_required": "-",
        "product_count": 0, **changes,
    }  # fmt: skip
    category = Category(**values)
    session.add(category)
    session.flush()
    forget()
    return category


def product_input(category: Category, **changes: Any) -> ProductInput:
    """Return a complete single-variant product."""
    values: dict[str, Any] = {
        "category_id": category.id, "title": "高山云雾绿茶", "skus": [SkuInput(price_fen=5_800)], "image_key": "aa/bb.jpg",
        **changes,
    }  # fmt: skip
    return ProductInput(**values)


def make_product(merchant: Merchant, category: Category, *, actor: Actor | None = None, **changes: Any) -> Product:
    """Create a draft through the service."""
    return service.create_product(actor or owner_of(merchant), product_input(category, **changes))


def make_listed(merchant: Merchant, category: Category, **changes: Any) -> Product:
    """Create a product and bring it through review onto the shelf."""
    product, owner = make_product(merchant, category, **changes), owner_of(merchant)
    service.submit(owner, product.id)
    service.approve(reviewer(), product.id)
    service.put_on_shelf(owner, product.id)
    return product
