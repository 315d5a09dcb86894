"""Imports on the merchant's desk: upload, progress, result."""

from __future__ import annotations

import io
from typing import Any

from flask import redirect, render_template, request, send_file, url_for

from app.catalog import queries
from app.catalog.importing import runs
from app.catalog.importing.result import template
from app.catalog.merchant import bp
from app.core.errors import Invalid
from app.core.tx import transaction
from app.web import access
from app.web.surfaces import needs

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TONES = {"queued": "info", "running": "brand", "done": "ok", "failed": "bad"}


def _index(error: str = "") -> str:
    page = queries.list_imports(access.actor(), request.args.get("cursor", ""))
    return render_template(
        "catalog/merchant/imports.html", page=page, error=error, statuses=runs.STATUSES, tones=TONES
    )


@bp.get("/imports")
@needs("product.import")
def imports() -> str:
    """Show the upload form and earlier imports."""
    return _index()


@bp.post("/imports")
@needs("product.import")
def start_import() -> Any:
    """Store the sheet and queue its import."""
    upload = request.files.get("file")
    data = upload.read() if upload is not None and upload.filename else b""
    try:
        with transaction():
            name = upload.filename if upload is not None else ""
            run = runs.create(access.actor(), name or "", data, dry_run=request.form.get("mode") != "real")
    except Invalid as error:
        return _index(error.message), 422
    return redirect(url_for(".show_import", run_id=run.id), 303)


@bp.get("/imports/template")
@needs("product.import")
def import_template() -> Any:
    """Send the spreadsheet to fill in."""
    return send_file(io.BytesIO(template()), XLSX, as_attachment=True, download_name="商品导入模板.xlsx")


@bp.get("/imports/<int:run_id>")
@needs("product.import")
def show_import(run_id: int) -> str:
    """Show progress or result; the page loads itself again while the run goes on."""
    run = queries.get_import(access.actor(), run_id)
    going = run.status in {"queued", "running"}
    rows = runs.summary_rows(run, runs.spool_of(run)) if run.status == "done" else []
    return render_template(
        "catalog/merchant/import.html", run=run, going=going, rows=rows, statuses=runs.STATUSES, tones=TONES,
        problems=runs.first_problems(run) if run.status == "done" and run.bad_rows else [],
    )  # fmt: skip


@bp.get("/imports/<int:run_id>/result")
@needs("product.import")
def import_result(run_id: int) -> Any:
    """Send the result file."""
    run = queries.get_import(access.actor(), run_id)
    return send_file(runs.result_path(run), XLSX, as_attachment=True, download_name=f"导入结果-{run.id}.xlsx")
