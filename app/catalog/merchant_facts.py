"""Documents and tags of a product on the merchant's desk."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for

from app.catalog import forms, service
from app.catalog.merchant import bp
from app.core.errors import Invalid
from app.core.tx import transaction
from app.merchants import service as merchants_service
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs


def _back(product_id: int) -> Any:
    return redirect(url_for(".product", product_id=product_id, _anchor="facts"), 303)


def _say(form: Any) -> None:
    flash("；".join(f"{form[name].label.text}：{errors[0]}" for name, errors in form.errors.items() if name), "warn")


@bp.post("/products/<int:product_id>/documents")
@needs("product.edit")
def add_document(product_id: int) -> Any:
    """Add a document."""
    form, upload = forms.DocumentForm.from_request(), request.files.get("file")
    if not form.validate():
        _say(form)
        return _back(product_id)
    values = {name: value for name, value in form.data.items() if name != "file"}
    try:
        scan = upload.read() if upload is not None and upload.filename else b""
        key = merchants_service.store_evidence(scan) if scan else "-"
        with transaction():
            service.add_document(access.actor(), product_id, file_key=key, **values)
    except Invalid as error:
        flash(error.message, "warn")
    else:
        flash("资料已添加")
    return _back(product_id)


@bp.post("/products/<int:product_id>/documents/<int:document_id>/remove")
@needs("product.edit")
def remove_document(product_id: int, document_id: int) -> Any:
    """Remove a document."""
    with transaction():
        service.remove_document(access.actor(), product_id, document_id)
    flash("资料已移除")
    return _back(product_id)


@bp.post("/products/<int:product_id>/tags")
@needs("product.edit")
def add_tag(product_id: int) -> Any:
    """Add a tag."""
    form = forms.TagForm.from_request()
    if not form.validate():
        _say(form)
        return _back(product_id)
    try:
        with transaction():
            service.add_tag(
                access.actor(), product_id, family=form.family.data, name=form.tag_name.data,
                evidence=form.evidence.data or "-", valid_until_on=form.tag_valid_until_on.data,
            )  # fmt: skip
    except Invalid as error:
        flash(error.message, "warn")
    else:
        flash("标签已添加")
    return _back(product_id)


@bp.post("/products/<int:product_id>/tags/<int:tag_id>/remove")
@needs("product.edit")
def remove_tag(product_id: int, tag_id: int) -> Any:
    """Remove a tag."""
    with transaction():
        service.remove_tag(access.actor(), product_id, tag_id)
    flash("标签已移除")
    return _back(product_id)
