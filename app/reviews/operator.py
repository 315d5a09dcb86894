"""Operator's page of reviews."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.tx import transaction
from app.reviews import queries, service
from app.reviews.forms import HideForm
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "reviews")
KINDS = {"": "全部", "visible": "显示中", "hidden": "已隐藏", "bad": "差评"}


@bp.get("/reviews")
@needs("review.moderate")
def index() -> str:
    """List reviews of all merchants."""
    return _index(None, 0)


def _index(form: HideForm | None, review_id: int) -> str:
    kind = request.args.get("kind", "")
    page = queries.list_for_operator(kind, cursor=request.args.get("cursor", ""))
    return render_template("reviews/operator/index.html", page=page, kind=kind, kinds=KINDS, form=form, review_id=review_id)


@bp.post("/reviews/<int:review_id>/hide")
@needs("review.moderate")
def hide(review_id: int) -> Any:
    """Hide a review with a reason."""
    form = HideForm.from_request()
    if not form.validate():
        return _index(form, review_id), 422
    with transaction():
        service.hide(access.actor(), review_id, form.reason.data)
    flash("评价已隐藏")
    return redirect("/operator/reviews", 303)


@bp.post("/reviews/<int:review_id>/show")
@needs("review.moderate")
def show(review_id: int) -> Any:
    """Show a hidden review again."""
    with transaction():
        service.show(access.actor(), review_id)
    flash("评价已恢复显示")
    return redirect("/operator/reviews", 303)
