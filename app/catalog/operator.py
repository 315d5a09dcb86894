"""Operator pages: the review queue of products, categories and attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request, url_for

from app.catalog import forms, gate, queries, service
from app.catalog.diffing import compare, pictures
from app.catalog.merchant import REVIEWS, SHELVES, query_words
from app.catalog.queries.desk import VIEWS
from app.catalog.service.categories import KINDS
from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "catalog")


@bp.get("/products")
@needs("product.audit")
def products() -> str:
    """List products, those waiting for review first and oldest first."""
    actor, view = access.actor(), request.args.get("view", "pending")
    words = {"view": view if view in VIEWS else "pending", "q": request.args.get("q", "").strip()[:80]}
    page = queries.list_for(
        actor, **words, cursor=request.args.get("cursor", ""), oldest_first=words["view"] == "pending"
    )
    return render_template(
        "catalog/operator/products.html", page=page, words=words, views=VIEWS, query=query_words(), reviews=REVIEWS,
        shelves=SHELVES, counts=queries.counts_for(actor), names={c.id: c.name for c in queries.list_categories()},
    )  # fmt: skip


@bp.get("/products/<int:product_id>")
@needs("product.audit")
def product(product_id: int) -> str:
    """Show a product, what changed since the version that passed review last, its evidence and the decision."""
    row = queries.get_for(access.actor(), product_id)
    versions = queries.versions_of(product_id)
    against = request.args.get("against", "")
    older = [v for v in versions if v.version < row.version]
    approved = queries.approved_version(product_id, row.version)
    before = next((v for v in older if str(v.version) == against), approved or (older[0] if older else None))
    current = versions[0].snapshot if versions else {}
    return render_template(
        "catalog/operator/product.html", product=row, versions=older, before=before, current=current,
        rows=compare(before.snapshot if before is not None else {}, current), reviews=REVIEWS, shelves=SHELVES,
        pictures=pictures(before.snapshot if before is not None else {}, current),
        documents=queries.documents_of(product_id), kinds=gate.DOCUMENT_NAMES, today=queries.today(),
        standing=merchants.standing(row.merchant_id), tags=queries.tags_of(product_id), families=service.FAMILIES,
        category=queries.find_category(row.category_id), attributes=queries.attributes_of(row.category_id), approved=approved,
    )  # fmt: skip


def _decide(product_id: int, text: str, verb: Callable[..., None], *args: Any, **kwargs: Any) -> Any:
    try:
        with transaction():
            verb(access.actor(), product_id, *args, **kwargs)
    except Invalid as error:
        flash(error.message, "warn")
        return redirect(url_for(".product", product_id=product_id), 303)
    flash(text)
    return redirect(url_for(".products"), 303)


@bp.post("/products/<int:product_id>/approve")
@needs("product.audit")
def approve(product_id: int) -> Any:
    """Approve the version the reviewer saw."""
    version = request.form.get("version", "0")
    seen = int(version) if version.isdigit() else 0
    return _decide(product_id, "已通过审核", service.approve, version=seen)


@bp.post("/products/<int:product_id>/reject")
@needs("product.audit")
def reject(product_id: int) -> Any:
    """Refuse with a reason."""
    return _decide(product_id, "已驳回", service.reject, request.form.get("reason", ""))


@bp.post("/products/<int:product_id>/ban")
@needs("product.audit")
def ban(product_id: int) -> Any:
    """Take down with a reason."""
    return _decide(product_id, "已封禁并下架", service.ban, request.form.get("reason", ""))


@bp.post("/products/<int:product_id>/lift-ban")
@needs("product.audit")
def lift_ban(product_id: int) -> Any:
    """Lift a ban."""
    return _decide(product_id, "已解除封禁，商家可重新上架", service.lift_ban)


def _categories_page(form: forms.CategoryForm) -> str:
    tree = queries.list_categories()
    form.parent_id.choices = [(0, "（一级类目）"), *[(c.id, c.name) for c in tree if not c.parent_id]]
    return render_template("catalog/operator/categories.html", tree=tree, form=form, kinds=gate.DOCUMENT_NAMES)


@bp.get("/categories")
@needs("category.edit")
def categories() -> str:
    """Show the tree."""
    return _categories_page(forms.CategoryForm())


@bp.post("/categories")
@needs("category.edit")
def create_category() -> Any:
    """Add a category."""
    form = forms.CategoryForm.from_request()
    if not form.validate():
        return _categories_page(form), 422
    try:
        with transaction():
            service.create_category(access.actor(), **form.data)
    except AppError as error:
        form.add_error(error)
        return _categories_page(form), error.status
    flash("类目已添加")
    return redirect(url_for(".categories"), 303)


def _category_page(
    category_id: int, form: forms.CategoryForm | None = None, added: forms.AttributeForm | None = None
) -> str:
    category = queries.get_category(category_id)
    return render_template(
        "catalog/operator/category.html", category=category, form=form or forms.CategoryForm(obj=category),
        attribute_form=added or forms.AttributeForm(), kinds=KINDS,
        attributes=[a for a in queries.attributes_of(category_id) if a.category_id == category_id],
    )  # fmt: skip


@bp.get("/categories/<int:category_id>")
@needs("category.edit")
def category(category_id: int) -> str:
    """Show a category with its attributes."""
    return _category_page(category_id)


@bp.post("/categories/<int:category_id>")
@needs("category.edit")
def edit_category(category_id: int) -> Any:
    """Save a category."""
    form = forms.CategoryForm.from_request()
    if not form.validate():
        return _category_page(category_id, form=form), 422
    values = {name: form[name].data for name in ("name", "sort", "document_required", "cold_chain", "is_service", "return_exclusion")}
    with transaction():
        service.edit_category(access.actor(), category_id, **values)
    flash("类目已保存")
    return redirect(url_for(".category", category_id=category_id), 303)


@bp.post("/categories/<int:category_id>/attributes")
@needs("category.edit")
def create_attribute(category_id: int) -> Any:
    """Add an attribute."""
    form = forms.AttributeForm.from_request()
    if not form.validate():
        return _category_page(category_id, added=form), 422
    values = {**form.data, "options": forms.split_values(form.options.data or "")}
    try:
        with transaction():
            service.create_attribute(access.actor(), category_id, **values)
    except AppError as error:
        form.add_error(error)
        return _category_page(category_id, added=form), error.status
    flash("属性已添加")
    return redirect(url_for(".category", category_id=category_id), 303)


@bp.post("/categories/<int:category_id>/attributes/<int:attribute_id>/remove")
@needs("category.edit")
def remove_attribute(category_id: int, attribute_id: int) -> Any:
    """Remove an attribute nobody uses."""
    with transaction():
        service.remove_attribute(access.actor(), category_id, attribute_id)
    flash("属性已删除")
    return redirect(url_for(".category", category_id=category_id), 303)
