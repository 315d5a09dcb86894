"""Reads of reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.reviews.models import Review

FILTERS = {"": "全部", "local": "本地用户", "picture": "有图", "bad": "差评"}
BAD_RATING = 2


def _page(statement: Select[Any], cursor: str, size: int) -> Page[Review]:
    return paginate(statement, [Review.id], lambda r: [r.id], cursor=cursor, size=size)


def list_for_product(product_id: int, kind: str = "", *, cursor: str = "", size: int = 10) -> Page[Review]:
    """Return visible reviews of a product, newest first; kind: '' | local | picture | bad. One query."""
    statement = select(Review).where(Review.product_id == product_id, Review.status == "visible")
    if kind == "local":
        statement = statement.where(Review.area_code != "-")
    elif kind == "picture":
        statement = statement.where(Review.picture_count > 0)
    elif kind == "bad":
        statement = statement.where(Review.rating <= BAD_RATING)
    return _page(statement, cursor, size)


def list_for_merchant(actor: Actor, kind: str = "", *, cursor: str = "", size: int = 20) -> Page[Review]:
    """Return reviews of the merchant's products, newest first; kind: '' | waiting | bad."""
    statement = select(Review).where(Review.merchant_id == actor.merchant_id)
    if kind == "waiting":
        statement = statement.where(Review.reply.is_(None))
    elif kind == "bad":
        statement = statement.where(Review.rating <= BAD_RATING)
    return _page(statement, cursor, size)


def list_for_operator(kind: str = "", *, cursor: str = "", size: int = 20) -> Page[Review]:
    """Return reviews of all merchants, newest first; kind: '' | visible | hidden | bad."""
    statement = select(Review)
    if kind in {"visible", "hidden"}:
        statement = statement.where(Review.status == kind)
    elif kind == "bad":
        statement = statement.where(Review.rating <= BAD_RATING)
    return _page(statement, cursor, size)


def get_for_merchant(actor: Actor, review_id: int) -> Review:
    """Return a review of the merchant's products. Raises NotFound(`review.missing`)."""
    review = session.get(Review, review_id)
    if review is None or review.merchant_id != actor.merchant_id or not actor.merchant_id:
        raise NotFound("review.missing", "评价不存在")
    return review


def get_any(review_id: int) -> Review:
    """Return a review (operator). Raises NotFound(`review.missing`)."""
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound("review.missing", "评价不存在")
    return review


def of_lines(line_ids: Sequence[int]) -> dict[int, Review]:
    """Return the reviews of order lines; one query, at most 500 lines."""
    if not line_ids:
        return {}
    found = session.scalars(select(Review).where(Review.order_line_id.in_(line_ids)))
    return {review.order_line_id: review for review in found}
