"""Merchant's page of reviews."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.tx import transaction
from app.reviews import queries, service
from app.reviews.forms import ReplyForm
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "reviews")
KINDS = {"": "全部", "waiting": "待回复", "bad": "差评"}


@bp.get("/reviews")
@needs("review.reply")
def index() -> str:
    """List reviews of the merchant's products."""
    return _index(None, 0)


def _index(form: ReplyForm | None, review_id: int) -> str:
    kind = request.args.get("kind", "")
    page = queries.list_for_merchant(access.actor(), kind, cursor=request.args.get("cursor", ""))
    return render_template("reviews/merchant/index.html", page=page, kind=kind, kinds=KINDS, form=form, review_id=review_id)


@bp.post("/reviews/<int:review_id>/reply")
@needs("review.reply")
def reply(review_id: int) -> Any:
    """Answer a review."""
    form = ReplyForm.from_request()
    if not form.validate():
        return _index(form, review_id), 422
    with transaction():
        service.reply(access.actor(), review_id, form.reply.data)
    flash("回复已发布")
    return redirect("/merchant/reviews", 303)
