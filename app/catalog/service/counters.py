"""Counters other domains add to."""

from __future__ import annotations

from sqlalchemy import update

from app.catalog.models import Product
from app.core.db import session


def add_sold(product_id: int, quantity: int) -> None:
    """Add sold units (negative takes back, never below zero)."""
    session.execute(
        update(Product)
        .where(Product.id == product_id, Product.sold_count + quantity >= 0)
        .values(sold_count=Product.sold_count + quantity)
        .execution_options(synchronize_session=False)
    )


def add_rating(product_id: int, rating: int) -> None:
    """Add one rating of 1–5; a negative one takes it back."""
    count = 1 if rating > 0 else -1
    session.execute(
        update(Product)
        .where(Product.id == product_id, Product.rating_count + count >= 0)
        .values(rating_sum=Product.rating_sum + rating, rating_count=Product.rating_count + count)
        .execution_options(synchronize_session=False)
    )
