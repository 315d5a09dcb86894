"""Pages of merchants: the public application, one's own shop."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for

from app.core.errors import AppError
from app.core.tx import transaction
from app.identity import queries as identity
from app.merchants import queries, service
from app.merchants.forms import ApplyForm, LicenceForm, ShopForm
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, public, surface_blueprint

bp = surface_blueprint("merchant", "merchants")


def _apply_page(form: ApplyForm) -> str:
    form.area_code.choices = [(a.code, a.name) for a in identity.list_areas()]
    return render_template("merchants/merchant/apply.html", form=form)


def _file(name: str) -> bytes:
    upload = request.files.get(name)
    return upload.read() if upload is not None and upload.filename else b""


@bp.get("/apply")
@public("application of new merchants")
def apply() -> str:
    """Show the application form."""
    return _apply_page(ApplyForm())


@bp.post("/apply")
@public("application of new merchants")
def submit_application() -> Any:
    """Create the applicant and its owner's account."""
    form = ApplyForm.from_request()
    if not form.validate():
        return _apply_page(form), 422
    skipped = ("licence_file", "agreed")
    values = {name: value for name, value in form.data.items() if name not in skipped}
    try:
        scan = _file("licence_file")
        key = service.store_evidence(scan, field="licence_file") if scan else "-"
        with transaction():
            service.apply(access.actor(), licence_file_key=key, **values)
    except AppError as error:
        form.add_error(error)
        return _apply_page(form), error.status
    return redirect(url_for(".applied"), 303)


@bp.get("/apply/done")
@public("application of new merchants")
def applied() -> str:
    """Say what happens next."""
    return render_template("merchants/merchant/applied.html")


def _shop_page(form: ShopForm | None = None, licence: LicenceForm | None = None) -> str:
    actor = access.actor()
    merchant = queries.get_for(actor, actor.merchant_id)
    return render_template(
        "merchants/merchant/shop.html",
        merchant=merchant,
        form=form or ShopForm(obj=merchant, ways=merchant.delivery_modes.split(",")),
        licence_form=licence or LicenceForm(),
        licences=queries.list_licences(merchant.id),
        kinds=queries.LICENCE_KINDS,
        statuses=queries.STATUSES,
        area_name=identity.area_name(merchant.area_code),
        phone=queries.contact_phone(actor, merchant),
    )


@bp.get("/shop")
@needs("shop.edit")
def shop() -> str:
    """Show the shop's profile, freight rule and licences."""
    return _shop_page()


@bp.post("/shop")
@needs("shop.edit")
def edit_shop() -> Any:
    """Save profile and freight rule."""
    form = ShopForm.from_request()
    if not form.validate():
        return _shop_page(form=form), 422
    values = {name: value for name, value in form.data.items() if name != "logo"}
    try:
        picture = _file("logo")
        key = service.store_picture(picture, field="logo") if picture else None
        with transaction():
            service.edit_shop(access.actor(), logo_key=key, **values)
    except AppError as error:
        form.add_error(error)
        return _shop_page(form=form), error.status
    flash("店铺资料已保存")
    return redirect(url_for(".shop"), 303)


@bp.post("/shop/licences")
@needs("shop.edit")
def add_licence() -> Any:
    """Add a licence."""
    form = LicenceForm.from_request()
    if not form.validate():
        return _shop_page(licence=form), 422
    values = {name: value for name, value in form.data.items() if name != "file"}
    try:
        scan = _file("file")
        key = service.store_evidence(scan) if scan else "-"
        with transaction():
            service.add_licence(access.actor(), file_key=key, **values)
    except AppError as error:
        form.add_error(error)
        return _shop_page(licence=form), error.status
    flash("证照已添加")
    return redirect(url_for(".shop"), 303)


@bp.post("/shop/reapply")
@needs("shop.edit")
def reapply() -> Any:
    """Put a refused application back into the queue."""
    with transaction():
        service.reapply(access.actor())
    flash("申请已重新提交")
    return redirect(url_for(".shop"), 303)
