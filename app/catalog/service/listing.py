"""The one place where `is_listed` is decided: approved, on the shelf, and the merchant sells."""

from __future__ import annotations

from sqlalchemy import select, update

from app.catalog.events import ProductListed, ProductUnlisted
from app.catalog.models import Category, Product
from app.core import cas, events
from app.core.db import session
from app.merchants import queries as merchants
from app.merchants import service as merchants_service

BATCH = 500


def should_list(review: str, shelf: str, merchant_status: str) -> bool:
    """Tell whether buyers see a product in these states."""
    return review == "approved" and shelf == "on" and merchant_status == "active"


def refresh(product_id: int) -> bool:
    """Bring `is_listed` to what the states say; returns it. Idempotent: events come with changes only."""
    session.flush()
    row = session.execute(
        select(Product.review, Product.shelf, Product.merchant_id, Product.category_id).where(Product.id == product_id)
    ).one()
    merchant = merchants.find(row.merchant_id)
    listed = should_list(row.review, row.shelf, merchant.status if merchant is not None else "-")
    if cas.change(Product, product_id, where={"is_listed": int(not listed)}, values={"is_listed": int(listed)}):
        delta = 1 if listed else -1
        session.execute(
            update(Category)
            .where(Category.id == row.category_id, Category.product_count + delta >= 0)
            .values(product_count=Category.product_count + delta)
            .execution_options(synchronize_session=False)
        )
        merchants_service.change_product_count(row.merchant_id, delta)
        events.publish(ProductListed(product_id) if listed else ProductUnlisted(product_id))
    return listed


def refresh_merchant(merchant_id: int, after_id: int = 0) -> int:
    """Refresh the next products of a merchant that stand approved on the shelf; returns the last id, 0 at the end."""
    ids = session.scalars(
        select(Product.id)
        .where(
            Product.merchant_id == merchant_id, Product.id > after_id, Product.review == "approved", Product.shelf == "on"
        )
        .order_by(Product.id)
        .limit(BATCH)
    ).all()  # fmt: skip
    for product_id in ids:
        refresh(product_id)
    return ids[-1] if len(ids) == BATCH else 0
