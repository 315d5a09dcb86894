"""Buyer's pages of reviews."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.identity import queries as identity
from app.orders import queries as orders
from app.reviews import queries, service
from app.reviews.forms import ReviewForm
from app.web import access
from app.web.flash import flash
from app.web.render import is_fragment
from app.web.surfaces import needs, public, surface_blueprint

bp = surface_blueprint("storefront", "reviews")


@bp.get("/orders/<int:order_id>/review")
@needs("review.write")
def review_form(order_id: int) -> str:
    """Show the lines of an order that may be reviewed."""
    return _page(order_id, None, 0)


def _page(order_id: int, form: ReviewForm | None, line_id: int) -> str:
    order = orders.get_for(access.actor(), order_id)
    lines = orders.lines_of([order_id]).get(order_id, [])
    given = queries.of_lines([line.id for line in lines])
    forms = {line.id: form if form and line.id == line_id else ReviewForm(prefix="") for line in lines}
    return render_template(
        "reviews/storefront/write.html", order=order, lines=lines, given=given, forms=forms,
        may=service.can_review(order), problem=form,
    )  # fmt: skip


@bp.post("/orders/<int:order_id>/review")
@needs("review.write")
def write(order_id: int) -> Any:
    """Write the review of one line."""
    form = ReviewForm.from_request()
    line_id = request.form.get("line_id", 0, type=int)
    if not form.validate():
        return _page(order_id, form, line_id), 422
    try:
        with transaction():
            service.write(
                access.actor(),
                order_id,
                line_id,
                rating=int(form.rating.data),
                text=form.body.data,
                files=form.files(),
            )
    except (Invalid, Conflict) as error:
        form.add_error(error)
        return _page(order_id, form, line_id), error.status
    flash("感谢您的评价")
    return redirect(f"/orders/{order_id}/review", 303)


@bp.get("/products/<int:product_id>/reviews")
@public("reviews are shown with the product")
def product_reviews(product_id: int) -> str:
    """Show all visible reviews of a product, filtered."""
    kind = request.args.get("kind", "")
    kind = kind if kind in queries.FILTERS else ""
    page = queries.list_for_product(product_id, kind, cursor=request.args.get("cursor", ""))
    areas = {a.code: a.name for a in identity.list_areas()}
    fragment = is_fragment()
    return render_template(
        "reviews/storefront/_first.html" if fragment else "reviews/storefront/list.html",
        product_id=product_id,
        kind=kind,
        kinds=queries.FILTERS,
        page=page,
        areas=areas,
    )
