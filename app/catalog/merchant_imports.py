"""Imports on the merchant's desk: upload, progress, result."""

from __future__ import annotations

import io
from typing import Any

from flask import redirect, render_template, request, send_file, url_for

from app.catalog import queries
from app.catalog.importing import runs
from app.catalog.importing.result import template
from app.catalog.merchant import bp
from app.catalog.service import pictures
from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.merchants import service as merchants
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

MOST_PICTURES = 40
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TONES = {"queued": "info", "running": "brand", "done": "ok", "failed": "bad"}


def _index(error: str = "", refused: list[tuple[str, str]] | None = None, done: int = 0) -> str:
    page = queries.list_imports(access.actor(), request.args.get("cursor", ""))
    return render_template(
        "catalog/merchant/imports.html", page=page, error=error, statuses=runs.STATUSES, tones=TONES, refused=refused,
        done=done, most=MOST_PICTURES,
    )  # fmt: skip


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


@bp.post("/imports/pictures")
@needs("product.edit")
def attach_pictures() -> Any:
    """Give pictures to drafts by their file names; each one succeeds or says why not."""
    files = [f for f in request.files.getlist("pictures") if f.filename]
    refused: list[tuple[str, str]] = [(f.filename or "", f"一次最多 {MOST_PICTURES} 张") for f in files[MOST_PICTURES:]]
    done = 0
    for file in files[:MOST_PICTURES]:
        name = file.filename or ""
        try:
            pictures.find(access.actor(), name)  # before the picture is decoded and stored
            key = merchants.store_picture(file.read(), field="pictures")
            with transaction():
                pictures.attach(access.actor(), name, key)
            done += 1
        except AppError as error:
            refused.append((name, error.message))
    if not files:
        refused = [("—", "请先选择图片")]
    if refused:
        return _index(refused=refused, done=done), 200 if done else 422
    flash(f"已为商品配上 {done} 张图片")
    return redirect(url_for(".imports"), 303)


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
