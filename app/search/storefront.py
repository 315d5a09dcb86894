"""The shop window: home, categories, search, product and shop pages; in the top tier since it reads all."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, make_response, redirect, render_template, request

from app.catalog import queries as catalog
from app.core.actor import SYSTEM
from app.core.errors import NotFound
from app.core.tx import transaction
from app.delivery import destination
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.promotions.spec import KINDS
from app.search import pages, pending, queries, service
from app.search.criteria import SORTS, Criteria, parse
from app.web import access
from app.web.surfaces import public, surface_blueprint

bp = surface_blueprint("storefront", "search")
AREA_COOKIE = "rm_area"
LIST_SORTS = {"sold": "销量", "new": "新品", "price": "价格"}
LIST_SIZE = 20


def _area() -> str:
    """Return the district the visitor chose, '' for the whole region."""
    code = request.cookies.get(AREA_COOKIE, "")
    return code if code in pages.area_names() else ""


@bp.get("/")
@public("the shop window")
def home() -> str:
    """Show the home page."""
    area, shown = _area(), pages.home()
    return render_template(
        "search/storefront/home.html", blocks=shown.blocks, notices=shown.notices, area=area, areas=pages.area_names(),
        products=pages.home_products(shown.blocks, area), hot=queries.hot_words(6),
    )  # fmt: skip


@bp.get("/area")
@public("display preference only")
def choose_area() -> Response:
    """Remember the district (`?code=`) and go back home."""
    response = make_response(redirect("/", 303))
    code = request.args.get("code", "")
    if code in pages.area_names():
        response.set_cookie(AREA_COOKIE, code, max_age=31_536_000, samesite="Lax", httponly=True)
    else:
        response.delete_cookie(AREA_COOKIE)
    return response


@bp.get("/categories")
@public("the shop window")
def categories() -> str:
    """Show the category tree."""
    return render_template("search/storefront/categories.html", categories=catalog.list_categories())


@bp.get("/categories/<int:category_id>")
@public("the shop window")
def category(category_id: int) -> str:
    """Show the products of a category."""
    tree = catalog.list_categories()
    current = next((c for c in tree if c.id == category_id), None)
    if current is None:
        raise NotFound("category.missing", "类目不存在")
    sort = request.args.get("sort", "sold")
    sort = sort if sort in LIST_SORTS else "sold"
    top = current.parent_id or current.id
    page = catalog.list_listed(category_id=category_id, sort=sort, cursor=request.args.get("cursor", ""), size=LIST_SIZE)
    return render_template(
        "search/storefront/category.html", current=current, page=page, sort=sort, sorts=LIST_SORTS,
        top=next((c for c in tree if c.id == top), current), children=[c for c in tree if c.parent_id == top],
    )  # fmt: skip


@bp.get("/search")
@public("the shop window")
def search() -> str:
    """Show search results, or hot words when nothing was asked."""
    criteria = parse(request.args, request.args.getlist("option"))
    if not criteria.q and not criteria.has_filters and not criteria.sort and not criteria.merchant_id:
        return render_template("search/storefront/empty.html", hot=queries.hot_words(12))
    result = pages.results(criteria)
    if criteria.q and criteria.page == 1 and not criteria.has_filters:
        _log(criteria, result.found.total if result.found.stage == "strict" else 0)
    return render_template(
        "search/storefront/results.html", result=result, criteria=criteria, sorts=SORTS, names=pages.FACET_NAMES,
        q=criteria.q,
    )  # fmt: skip


def _log(criteria: Criteria, hits: int) -> None:
    pending.add(criteria.q.lower(), hits)
    due = pending.take_due()
    if due:
        with transaction():
            service.record_searches(due)


@bp.get("/search/suggest")
@public("completions of public texts")
def suggest() -> Any:
    """Return completions as JSON, or as a list of links for the script."""
    found = queries.suggest(request.args.get("q", ""))
    if request.headers.get("HX-Request"):
        return render_template("search/storefront/suggest.html", suggestions=found)
    return jsonify(suggestions=found)


@bp.get("/products/<int:product_id>")
@public("the shop window")
def product(product_id: int) -> str:
    """Show a product."""
    page = pages.product_page(product_id, access.actor().account_id, destination.chosen)
    return render_template(
        "search/storefront/product.html", transport=pages.GUARANTEE, document_names=pages.DOCUMENT_NAMES, page=page,
        promotion_kinds=KINDS, areas=identity.list_areas(), exclusions=catalog.RETURN_EXCLUSIONS,
        exclusion=catalog.exclusion_of(page.detail.product.category_id),
    )  # fmt: skip


@bp.get("/shops/<int:merchant_id>")
@public("the shop window; licences must be shown (电子商务法 15)")
def shop(merchant_id: int) -> str:
    """Show a shop with its licences and products."""
    sort = request.args.get("sort", "sold")
    sort = sort if sort in LIST_SORTS else "sold"
    merchant = merchants.get_public(merchant_id)
    page = catalog.list_listed(merchant_id=merchant_id, sort=sort, cursor=request.args.get("cursor", ""), size=LIST_SIZE)
    return render_template(
        "search/storefront/shop.html", merchant=merchant, page=page, sort=sort, sorts=LIST_SORTS,
        licences=merchants.list_licences(merchant_id), licence_names=pages.LICENCE_NAMES,
        area_name=pages.area_names().get(merchant.area_code, ""),
    )  # fmt: skip


@bp.get("/licence")
@public("licences must be shown (电子商务法 15)")
def licence() -> str:
    """List the active shops, each leading to its licences."""
    page = merchants.list_for_review(SYSTEM, status="active", cursor=request.args.get("cursor", ""), size=30)
    return render_template("search/storefront/licence.html", page=page, areas=pages.area_names())
