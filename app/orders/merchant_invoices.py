"""The merchant's invoices: what is asked for, what was issued, what refunds make due to be taken back."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template, request, send_file

from app.core import runtime
from app.core.errors import AppError, Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.merchants import service as merchants
from app.orders import desk, invoices, queries
from app.orders.merchant import bp
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

VIEWS = {"requested": "待开票", "due": "待红冲", "issued": "已开票", "red": "已红冲"}


@bp.get("/invoices")
@needs("merchant_order.view")
def invoice_list() -> str:
    """List invoices by what is to be done."""
    view = request.args.get("view", "requested")
    view = view if view in VIEWS else "requested"
    page = queries.list_invoices(access.actor().merchant_id, view, request.args.get("cursor", ""))
    return render_template(
        "orders/merchant/invoices.html", page=page, view=view, views=VIEWS, invoice_kinds=invoices.KINDS, invoice_states=invoices.STATES,
        invoice_tones=invoices.TONES, red_due=invoices.red_due, **desk.words(),
    )  # fmt: skip


def _page(invoice_id: int, error: AppError | None = None) -> Any:
    row = invoices.get_for(access.actor(), invoice_id)
    order = queries.get_for(access.actor(), row.order_id)
    return render_template(
        "orders/merchant/invoice.html", row=row, order=order, registry=invoices.registry_of(row), words=invoices.REGISTRY,
        due=invoices.red_due(row, order), error=error, form=request.form, invoice_kinds=invoices.KINDS, invoice_states=invoices.STATES,
        invoice_tones=invoices.TONES, **desk.words(),
    ), error.status if error else 200  # fmt: skip


@bp.get("/invoices/<int:invoice_id>")
@needs("merchant_order.view")
def invoice(invoice_id: int) -> Any:
    """Show an invoice with the title to issue it for."""
    return _page(invoice_id)


@bp.post("/invoices/<int:invoice_id>/issue")
@needs("merchant_order.manage")
def issue_invoice(invoice_id: int) -> Any:
    """Note the number, and keep the PDF, of an invoice the merchant has issued."""
    invoices.get_for(access.actor(), invoice_id)
    upload = request.files.get("file")
    data = upload.read() if upload is not None and upload.filename else b""
    try:
        if data and not data.startswith(b"%PDF-"):
            raise Invalid("invoice.file", "请上传 PDF 文件", field="file")
        key = merchants.store_evidence(data) if data else "-"
        with transaction():
            invoices.issue(access.actor(), invoice_id, request.form.get("number", ""), key)
    except (Invalid, Conflict) as error:
        return _page(invoice_id, error)
    flash("已登记开票")
    return redirect(f"/merchant/invoices/{invoice_id}", 303)


@bp.post("/invoices/<int:invoice_id>/red")
@needs("merchant_order.manage")
def red_invoice(invoice_id: int) -> Any:
    """Note the red-letter invoice over what refunds took back."""
    try:
        with transaction():
            invoices.note_red(access.actor(), invoice_id, request.form.get("number", ""))
    except (Invalid, Conflict) as error:
        return _page(invoice_id, error)
    flash("已登记红冲")
    return redirect(f"/merchant/invoices/{invoice_id}", 303)


@bp.get("/invoices/<int:invoice_id>/file")
@needs("merchant_order.view")
def invoice_file(invoice_id: int) -> Response:
    """Send the PDF of an invoice."""
    row = invoices.get_for(access.actor(), invoice_id)
    if row.file_key == "-":
        raise NotFound("invoice.file", "这张发票没有上传文件")
    return send_file(runtime.current().storage.path(row.file_key), mimetype="application/pdf", download_name=f"{row.number}.pdf")
