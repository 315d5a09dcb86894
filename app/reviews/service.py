"""Verbs of reviews (C11): write once per bought line, reply, hide and show again; nobody deletes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.audit import service as audit
from app.catalog import service as catalog
from app.core import cas, clock, pictures, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.identity import queries as identity
from app.orders import queries as orders
from app.orders import service as orders_service
from app.reviews import queries
from app.reviews.models import Review
from dbadapters.errors import UniqueViolation
from security import masking

MIN_TEXT, MAX_TEXT, MAX_REPLY, MAX_REASON = 2, 500, 300, 120


def can_review(order: Any) -> bool:
    """Tell whether an order's lines may be reviewed: completed, or shipped and delivered."""
    return order.status == "completed" or (order.status == "shipped" and order.delivered_at is not None)


def write(actor: Actor, order_id: int, line_id: int, *, rating: int, text: str, files: Sequence[bytes] = ()) -> Review:
    """Add the buyer's review of one line and count it on the product.

    Raises NotFound (not the actor's order), Conflict(`review.too_early` | `review.twice`),
    Invalid(`review.*`, `picture.*`).
    """
    actor.require("review.write")
    order = orders.get_for(actor, order_id)
    line = next((x for x in orders.lines_of([order_id]).get(order_id, []) if x.id == line_id), None)
    if order.account_id != actor.account_id or line is None:
        raise NotFound("order.missing", "订单不存在")
    if not can_review(order):
        raise Conflict("review.too_early", "收到商品后才能评价")
    if not 1 <= rating <= 5:
        raise Invalid("review.rating", "请选择 1 到 5 星", field="rating")
    if not MIN_TEXT <= len(text) <= MAX_TEXT:
        raise Invalid("review.text", f"评价内容为 {MIN_TEXT} 到 {MAX_TEXT} 个字", field="body")
    if len(files) > pictures.MAX_COUNT:
        raise Invalid("review.pictures", f"最多上传 {pictures.MAX_COUNT} 张图片", field="pictures")
    storage = runtime.current().storage
    keys = [storage.put(data, "jpg") for data in [pictures.reencode(f) for f in files]]
    return _add(actor, order, line, rating, text, keys)


def _local_area(code: str) -> str:
    """Return the delivery area when it lies in the region, '-' for buyers from elsewhere."""
    return code if any(area.code == code for area in identity.list_areas()) else "-"


def _add(actor: Actor, order: Any, line: Any, rating: int, text: str, keys: list[str]) -> Review:
    review = Review(
        id=new_id(), product_id=line.product_id, merchant_id=order.merchant_id, order_line_id=line.id,
        account_id=actor.account_id, author_mask=masking.mask_name(actor.name) or "顾客",
        area_code=_local_area(order.area_code), rating=rating, body=text, pictures=keys, picture_count=len(keys),
        option_key=line.option_key, reply=None, status="visible", hidden_reason=None, created_at=clock.now(),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(review)
            session.flush()  # the unique order line decides between two clicks
    except UniqueViolation:
        raise Conflict("review.twice", "这件商品已经评价过了") from None
    orders_service.mark_reviewed(line.id)
    catalog.add_rating(line.product_id, rating)
    audit.record(actor, "review.write", "review", review.id, detail={"line": str(line.id), "rating": rating})
    return review


def reply(actor: Actor, review_id: int, text: str) -> None:
    """Set the merchant's answer to a review of its own products. Raises NotFound, Invalid(`review.reply`)."""
    actor.require("review.reply")
    if not 1 <= len(text) <= MAX_REPLY:
        raise Invalid("review.reply", f"回复为 1 到 {MAX_REPLY} 个字", field="reply")
    queries.get_for_merchant(actor, review_id)
    cas.change(Review, review_id, where={"merchant_id": actor.merchant_id}, values={"reply": text})
    audit.record(actor, "review.reply", "review", review_id)


def hide(actor: Actor, review_id: int, reason: str) -> None:
    """Take a review off the page, with a reason; its rating still counts. Raises Conflict(`review.moved`)."""
    actor.require("review.moderate")
    if not 2 <= len(reason) <= MAX_REASON:
        raise Invalid("review.reason", f"请填写 2 到 {MAX_REASON} 个字的原因", field="reason")
    queries.get_any(review_id)
    cas.move(Review, review_id, from_="visible", to="hidden", code="review.moved", hidden_reason=reason)
    audit.record(actor, "review.hide", "review", review_id, detail={"reason": reason})


def show(actor: Actor, review_id: int) -> None:
    """Show a hidden review again. Raises Conflict(`review.moved`)."""
    actor.require("review.moderate")
    queries.get_any(review_id)
    cas.move(Review, review_id, from_="hidden", to="visible", code="review.moved", hidden_reason=None)
    audit.record(actor, "review.show", "review", review_id)
