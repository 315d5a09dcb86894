"""Counters other domains add to."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Integer, bindparam, update

from app.catalog.models import Product
from app.core import sql
from app.core.db import session

_TABLE = sql.table_of(Product)

_ADD_SOLD = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("product_id"), _TABLE.c.sold_count + bindparam("units", type_=Integer) >= 0)
    .values(sold_count=_TABLE.c.sold_count + bindparam("units", type_=Integer))
)


def add_sold(units: Mapping[int, int]) -> None:
    """Add sold units by product id (negative ones take back, never below zero); rows are taken in id order."""
    rows = [{"product_id": product_id, "units": units[product_id]} for product_id in sorted(units)]
    if rows:
        session.flush()  # a product may be pending in this transaction
        session.connection().execute(_ADD_SOLD, rows)


def add_rating(product_id: int, rating: int) -> None:
    """Add one rating of 1–5; a negative one takes it back."""
    count = 1 if rating > 0 else -1
    session.execute(
        update(Product)
        .where(Product.id == product_id, Product.rating_count + count >= 0)
        .values(rating_sum=Product.rating_sum + rating, rating_count=Product.rating_count + count)
        .execution_options(synchronize_session=False)
    )
