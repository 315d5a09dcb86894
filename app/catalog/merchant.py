"""Merchant pages: dashboard, product list, the product form, states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request, url_for

from app.catalog import forms, gate, queries, service
from app.catalog.models import Product
from app.catalog.queries.desk import VIEWS
from app.catalog.service import ProductInput
from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.merchants import service as merchants_service
from app.web import access, figures
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "catalog")
REVIEWS = {"draft": ("草稿", "mute"), "pending": ("待审核", "info"), "approved": ("已通过", "ok"), "rejected": ("已驳回", "bad")}
SHELVES = {"on": ("在售", "ok"), "off": ("未上架", "mute"), "banned": ("平台封禁", "bad")}


def query_words() -> dict[str, str]:
    """Return the filters kept in the URL, without the cursor."""
    return {name: value for name, value in request.args.items() if name != "cursor"}


def category_choices() -> list[tuple[int, str]]:
    """Return the categories a product may take: leaves, named with their parent."""
    tree = queries.list_categories()
    names, parents = {c.id: c.name for c in tree}, {c.parent_id for c in tree}
    leaves = [c for c in tree if c.id not in parents]
    return [(c.id, f"{names[c.parent_id]} / {c.name}" if c.parent_id in names else c.name) for c in leaves]


@bp.get("")
@needs("dashboard.merchant")
def dashboard() -> str:
    """Show what waits for the merchant."""
    actor = access.actor()
    return render_template(
        "catalog/merchant/dashboard.html",
        counts=queries.counts_for(actor),
        standing=merchants.standing(actor.merchant_id),
        figures=figures.show("merchant", actor),
        expiring=queries.expiring_documents(actor),
        kinds=gate.DOCUMENT_NAMES,
    )


@bp.get("/products")
@needs("product.view")
def products() -> str:
    """List the shop's products."""
    actor, view = access.actor(), request.args.get("view", "all")
    category = request.args.get("category_id", "")
    words = {"view": view if view in VIEWS else "all", "q": request.args.get("q", "").strip()[:80]}
    page = queries.list_for(
        actor,
        **words,
        category_id=int(category) if category.isdigit() and len(category) < 20 else 0,
        cursor=request.args.get("cursor", ""),
    )
    return render_template(
        "catalog/merchant/products.html", page=page, words=words, views=VIEWS, query=query_words(), reviews=REVIEWS,
        shelves=SHELVES, counts=queries.counts_for(actor), categories=category_choices(), category_id=category,
        names={c.id: c.name for c in queries.list_categories()},
    )  # fmt: skip


@bp.post("/products/shelf")
@needs("product.edit")
def shelf_many() -> Any:
    """Submit the chosen products for review, put them on the shelf or take them off; each one succeeds or says why not."""
    verbs = {"submit": service.submit, "on": service.put_on_shelf, "off": service.take_off_shelf}
    verb, chosen = verbs.get(request.form.get("intent", ""), service.take_off_shelf), request.form.getlist("id")[:200]
    done, refused = 0, ""
    for text in chosen:
        try:
            with transaction():
                verb(access.actor(), int(text) if text.isdigit() and len(text) < 20 else 0)
            done += 1
        except AppError as error:
            refused = error.message
    flash(f"已处理 {done} 件商品" if done else "没有商品被处理" if chosen else "请先勾选商品", "ok" if done else "warn")
    if refused:
        flash(f"有 {len(chosen) - done} 件未处理：{refused}", "warn")
    return redirect(url_for(".products", view=request.form.get("view") or None), 303)


def _form_page(form: forms.ProductForm, grid: forms.Grid, product: Product | None, typed: dict[str, str]) -> str:
    form.category_id.choices = [(0, "请选择"), *category_choices()]
    category_id = form.category_id.data or 0
    return render_template(
        "catalog/merchant/form.html", form=form, grid=grid, product=product, typed=typed,
        attributes=queries.attributes_of(category_id) if category_id else [], reviews=REVIEWS,
        version=request.form.get("version", product.version if product is not None else 0),
    )  # fmt: skip


def _typed() -> dict[str, str]:
    return {k.removeprefix("attribute_"): v for k, v in request.form.items() if k.startswith("attribute_")}


def _pictures() -> tuple[str | None, list[str]]:
    main = request.files.get("image")
    key = merchants_service.store_picture(main.read(), field="image") if main is not None and main.filename else None
    more = [f for f in request.files.getlist("gallery")[:8] if f.filename]
    return key, [merchants_service.store_picture(f.read(), field="gallery") for f in more]


def _input(form: forms.ProductForm, grid: forms.Grid, product: Product | None) -> ProductInput:
    image, added = _pictures()
    kept = [k for k in (product.gallery if product is not None else []) if k not in request.form.getlist("drop")]
    version = request.form.get("version", "0")
    return ProductInput(
        category_id=form.category_id.data or 0, title=form.title.data, skus=forms.sku_inputs(grid), option_names=grid.axes,
        subtitle=form.subtitle.data or "", unit=form.unit.data or "件", image_key=image, gallery=[*kept, *added][:12],
        blocks=forms.blocks_from(form.description.data or "", product.blocks if product is not None else ()),
        attributes=_typed(), cold_chain=form.cold_chain.data, external_code=form.external_code.data or "",
        version=int(version) if version.isdigit() else 0,
    )  # fmt: skip


def _save(product: Product | None, save: Callable[[ProductInput], Product]) -> Any:
    """Read the form; make the grid again when asked or when the axes changed, else save."""
    form, grid = forms.ProductForm.from_request(), forms.grid_from(request.form)
    try:
        if request.form.get("intent") == "matrix":
            return _form_page(form, forms.regenerate(grid), product, _typed())
        if forms.needs_regenerating(grid):
            grid = forms.regenerate(grid)
            raise Invalid("sku.options", "规格已变化，请核对下面重新生成的规格表后保存", field="skus")
        if not form.validate():
            return _form_page(form, grid, product, _typed()), 422
        data = _input(form, grid, product)
        with transaction():
            saved = save(data)
    except AppError as error:
        form.add_error(error)
        return _form_page(form, grid, product, _typed()), error.status
    flash("商品已保存")
    return redirect(url_for(".product", product_id=saved.id), 303)


@bp.get("/products/new")
@needs("product.edit")
def new_product() -> str:
    """Show the empty form; `?category_id=` shows that category's attributes."""
    category = request.args.get("category_id", "")
    form = forms.ProductForm(category_id=int(category) if category.isdigit() else 0)
    return _form_page(form, forms.grid_of([], []), None, {})


@bp.post("/products/new")
@needs("product.edit")
def create_product() -> Any:
    """Create a draft."""
    return _save(None, lambda data: service.create_product(access.actor(), data))


@bp.get("/products/<int:product_id>")
@needs("product.view")
def product(product_id: int) -> str:
    """Show a product with what it lacks and what can be done."""
    row = queries.get_for(access.actor(), product_id)
    skus, documents, tags = queries.skus_of(product_id), queries.documents_of(product_id), queries.tags_of(product_id)
    return render_template(
        "catalog/merchant/product.html", product=row, skus=skus, documents=documents, tags=tags, reviews=REVIEWS,
        shelves=SHELVES, kinds=gate.DOCUMENT_NAMES, families=service.FAMILIES,
        missing=gate.evaluate(row, skus, documents, tags, merchants.standing(row.merchant_id)),
        category=queries.find_category(row.category_id), attributes=queries.attributes_of(row.category_id),
        document_form=forms.DocumentForm(), tag_form=forms.TagForm(), today=queries.today(),
    )  # fmt: skip


@bp.get("/products/<int:product_id>/edit")
@needs("product.edit")
def edit_form(product_id: int) -> str:
    """Show the form of a product."""
    row = queries.get_for(access.actor(), product_id)
    code = "" if row.external_code.startswith("-") else row.external_code
    form = forms.ProductForm(
        title=row.title, subtitle=row.subtitle or "", category_id=row.category_id, external_code=code, unit=row.unit,
        cold_chain=row.cold_chain, description=forms.description_of(row.blocks),
    )  # fmt: skip
    grid = forms.grid_of(row.option_names, queries.skus_of(product_id))
    return _form_page(form, grid, row, {k: str(v) for k, v in row.attributes.items()})


@bp.post("/products/<int:product_id>/edit")
@needs("product.edit")
def edit_product(product_id: int) -> Any:
    """Save a product."""
    row = queries.get_for(access.actor(), product_id)
    return _save(row, lambda data: service.edit_product(access.actor(), product_id, data))


@bp.get("/products/<int:product_id>/history")
@needs("product.view")
def history(product_id: int) -> str:
    """Show versions and prices."""
    row = queries.get_for(access.actor(), product_id)
    return render_template(
        "catalog/merchant/history.html", product=row, versions=queries.versions_of(product_id),
        prices=queries.product_prices(product_id),
    )  # fmt: skip


def _move(product_id: int, verb: Callable[..., None], text: str) -> Any:
    try:
        with transaction():
            verb(access.actor(), product_id)
    except Invalid as error:
        flash(error.message, "warn")
    else:
        flash(text)
    return redirect(url_for(".product", product_id=product_id), 303)


@bp.post("/products/<int:product_id>/submit")
@needs("product.edit")
def submit(product_id: int) -> Any:
    """Ask for review."""
    return _move(product_id, service.submit, "已提交审核")


@bp.post("/products/<int:product_id>/withdraw")
@needs("product.edit")
def withdraw(product_id: int) -> Any:
    """Take back from review."""
    return _move(product_id, service.withdraw, "已撤回为草稿")


@bp.post("/products/<int:product_id>/shelf-on")
@needs("product.edit")
def shelf_on(product_id: int) -> Any:
    """Put on the shelf."""
    return _move(product_id, service.put_on_shelf, "已上架")


@bp.post("/products/<int:product_id>/shelf-off")
@needs("product.edit")
def shelf_off(product_id: int) -> Any:
    """Take off the shelf."""
    return _move(product_id, service.take_off_shelf, "已下架")
