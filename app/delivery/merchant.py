"""The shop's freight templates and delivery promises."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.catalog import queries as catalog
from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.delivery import forms, pages, points, queries, service
from app.delivery.freight import BASES
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "delivery")
MAX_CHOICES = 200


def _areas() -> list[tuple[str, str]]:
    return [(area.code, area.name) for area in identity.list_areas()]


@bp.get("/freight")
@needs("freight.edit")
def index() -> str:
    """List the shop's templates and promises."""
    merchant_id = access.actor().merchant_id
    templates = queries.list_templates(merchant_id)
    specs = {row.id: queries.spec_of(row) for row in templates}
    return render_template(
        "delivery/merchant/index.html", templates=templates, specs=specs, bases=BASES, promises=queries.list_promises(merchant_id),
        clock_text=forms.clock_text, weekday_text=queries.weekday_text, area_name=identity.area_name, typed=forms.typed,
        scales=forms.SCALES, holidays=queries.list_holidays(),
    )  # fmt: skip


def _template_page(form: forms.TemplateForm, row: Any = None, status: int = 200) -> tuple[str, int]:
    form.areas(_areas())
    html = render_template("delivery/merchant/template_form.html", form=form, row=row, scales=forms.SCALES)
    return html, status


@bp.get("/freight/templates/new")
@needs("freight.edit")
def new_template() -> Any:
    """Show an empty template."""
    return _template_page(forms.TemplateForm())


def _posted(row: Any) -> Any:
    """Save a posted template; problems come back beside their field."""
    form = forms.TemplateForm.from_request()
    if not form.validate():
        return _template_page(form, row, 422)
    try:
        spec = form.spec()
        with transaction():
            if row is None:
                template_id = service.add_template(access.actor(), access.actor().merchant_id, spec).id
            else:
                seen = request.form.get("version", "")
                service.revise_template(access.actor(), row.id, spec, int(seen) if seen.isdigit() and len(seen) < 10 else -1)
                template_id = row.id
    except AppError as error:
        if error.status in {403, 404}:
            raise
        form.add_error(error)
        return _template_page(form, row, error.status)
    flash("运费模板已保存，新的价格立即生效")
    return redirect(f"/merchant/freight/templates/{template_id}", 303)


@bp.post("/freight/templates")
@needs("freight.edit")
def add_template() -> Any:
    """Save a new template."""
    return _posted(None)


def _detail(template_id: int, status: int = 200, error: str = "") -> tuple[str, int]:
    actor = access.actor()
    row = queries.get_template(actor, template_id)
    own = catalog.list_for(actor, view="on", size=MAX_CHOICES).items
    html = render_template(
        "delivery/merchant/template.html", row=row, spec=queries.spec_of(row), versions=queries.versions_of(row), bases=BASES,
        goods=queries.goods_of(row.merchant_id, row.id), products=[(item.product.id, item.product.title) for item in own],
        area_name=identity.area_name, typed=forms.typed, scales=forms.SCALES, error=error, form=request.form,
    )  # fmt: skip
    return html, status


@bp.get("/freight/templates/<int:template_id>")
@needs("freight.edit")
def template(template_id: int) -> Any:
    """Show one template with its goods and versions."""
    return _detail(template_id)


@bp.get("/freight/templates/<int:template_id>/edit")
@needs("freight.edit")
def edit_template(template_id: int) -> Any:
    """Show the form of a template."""
    row = queries.get_template(access.actor(), template_id)
    return _template_page(forms.TemplateForm.of(queries.spec_of(row)), row)


@bp.post("/freight/templates/<int:template_id>")
@needs("freight.edit")
def save_template(template_id: int) -> Any:
    """Save the next version of a template."""
    return _posted(queries.get_template(access.actor(), template_id))


@bp.post("/freight/templates/<int:template_id>/default")
@needs("freight.edit")
def make_default(template_id: int) -> Any:
    """Make a template the default."""
    with transaction():
        service.make_default(access.actor(), template_id)
    flash("已设为默认模板")
    return redirect(f"/merchant/freight/templates/{template_id}", 303)


@bp.post("/freight/templates/<int:template_id>/archive")
@needs("freight.edit")
def archive(template_id: int) -> Any:
    """Take a template out of use."""
    with transaction():
        service.archive_template(access.actor(), template_id)
    flash("模板已停用，其中的商品改用默认模板")
    return redirect("/merchant/freight", 303)


@bp.post("/freight/templates/<int:template_id>/goods")
@needs("freight.edit")
def bind(template_id: int) -> Any:
    """Put a product, or one variant by its code, under a template."""
    actor = access.actor()
    row = queries.get_template(actor, template_id)
    product, code, volume = (request.form.get(name, "").strip() for name in ("product_id", "sku_code", "volume"))
    try:
        if not product.isdigit() or len(product) > 19:
            raise Invalid("freight.product", "请选择商品", field="product_id")
        catalog.get_for(actor, int(product))
        found = [sku.id for sku in catalog.skus_of(int(product)) if sku.code == code] if code else [0]
        if not found:
            raise Invalid("freight.sku", "这个商品没有此规格编码", field="sku_code")
        cm3 = forms.units_of(volume, "volume") if row.basis == "volume" else 0
        with transaction():
            service.bind(actor, template_id, int(product), found[0], cm3)
    except Invalid as error:
        return _detail(template_id, 422, error.message)
    flash("商品已使用此模板")
    return redirect(f"/merchant/freight/templates/{template_id}", 303)


@bp.post("/freight/goods/<int:goods_id>/remove")
@needs("freight.edit")
def unbind(goods_id: int) -> Any:
    """Give goods back to the default template."""
    with transaction():
        template_id = service.unbind(access.actor(), goods_id)
    flash("商品改用默认模板")
    return redirect(f"/merchant/freight/templates/{template_id}", 303)


def _promise_page(form: forms.PromiseForm, row: Any = None, status: int = 200) -> tuple[str, int]:
    merchant_id = access.actor().merchant_id
    form.areas.choices = _areas()
    form.warehouse_id.choices = [(0, "任一仓库"), *((w.id, w.name) for w in inventory.warehouses_of(merchant_id))]
    form.template_id.choices = [(0, "全部商品"), *((t.id, t.name) for t in queries.list_templates(merchant_id))]
    return render_template("delivery/merchant/promise_form.html", form=form, row=row), status


@bp.get("/freight/promises/new")
@needs("freight.edit")
def new_promise() -> Any:
    """Show an empty promise."""
    return _promise_page(forms.PromiseForm())


def _promise_posted(row: Any) -> Any:
    form = forms.PromiseForm.from_request()
    if not form.validate():
        return _promise_page(form, row, 422)
    try:
        with transaction():
            if row is None:
                service.add_promise(access.actor(), access.actor().merchant_id, form.input())
            else:
                service.revise_promise(access.actor(), row.id, form.input())
    except AppError as error:
        if error.status in {403, 404}:
            raise
        form.add_error(error)
        return _promise_page(form, row, error.status)
    flash("时效承诺已保存")
    return redirect("/merchant/freight", 303)


@bp.post("/freight/promises")
@needs("freight.edit")
def add_promise() -> Any:
    """Save a new promise."""
    return _promise_posted(None)


@bp.get("/freight/promises/<int:promise_id>")
@needs("freight.edit")
def edit_promise(promise_id: int) -> Any:
    """Show the form of a promise."""
    row = queries.get_promise(access.actor(), promise_id)
    form = forms.PromiseForm(
        obj=row, cutoff=forms.clock_text(row.cutoff_min), deliver_by=forms.clock_text(row.deliver_by_min), weekdays=list(row.weekdays)
    )
    return _promise_page(form, row)


@bp.post("/freight/promises/<int:promise_id>")
@needs("freight.edit")
def save_promise(promise_id: int) -> Any:
    """Save a promise."""
    return _promise_posted(queries.get_promise(access.actor(), promise_id))


@bp.post("/freight/promises/<int:promise_id>/active")
@needs("freight.edit")
def set_active(promise_id: int) -> Any:
    """Pause or resume a promise, by the button pressed."""
    active = request.form.get("active") == "1"
    with transaction():
        service.set_promise_active(access.actor(), promise_id, active)
    flash("承诺已恢复" if active else "承诺已暂停，已下的订单不变")
    return redirect("/merchant/freight", 303)


POINTS = "/merchant/points"


@bp.get("/points")
@needs("pickup.manage")
def point_list() -> str:
    """List the shop's pickup points."""
    return pages.index(POINTS, access.actor().merchant_id)


@bp.get("/points/new")
@needs("pickup.manage")
def new_point() -> Any:
    """Show an empty point."""
    return pages.form_page(POINTS, pages.PointForm())


@bp.post("/points")
@needs("pickup.manage")
def add_point() -> Any:
    """Save a new point."""
    return pages.posted(POINTS)


@bp.get("/points/<int:point_id>")
@needs("pickup.manage")
def edit_point(point_id: int) -> Any:
    """Show the form of a point."""
    row = points.get_for(access.actor(), point_id)
    return pages.form_page(POINTS, pages.PointForm(obj=row), row)


@bp.post("/points/<int:point_id>")
@needs("pickup.manage")
def save_point(point_id: int) -> Any:
    """Save a point."""
    return pages.posted(POINTS, point_id)


@bp.post("/points/<int:point_id>/open")
@needs("pickup.manage")
def switch_point(point_id: int) -> Any:
    """Close a point or open it."""
    return pages.switch(POINTS, point_id)
