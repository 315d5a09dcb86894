"""Receiving: purchase notes, and a line at a time as the scanner sees it."""

from __future__ import annotations

from typing import Any

from flask import request

from app.core.errors import AppError
from app.inventory import reads
from app.inventory.desk import Desk, Route, cause_id, day, form_rows, row_id, typed_rows, units, wants_more, whole_of
from app.inventory.models import Receipt
from app.inventory.service import receipts, warehouses
from app.web import access

STATES = {"open": "收货中", "closed": "已完成", "cancelled": "已取消"}
TONES = {"open": "info", "closed": "ok", "cancelled": "mute"}


def receipt_list(desk: Desk) -> Any:
    """List purchase notes."""
    status = request.args.get("status", "")
    page = reads.papers(access.actor(), Receipt, status if status in STATES else "", request.args.get("cursor", ""))
    return desk.page(
        "receipts", page=page, status_shown=status if status in STATES else "", states=STATES, tones=TONES,
        names=reads.names_of({row.warehouse_id for row in page.items}),
    )  # fmt: skip


def receipt_new(desk: Desk) -> Any:
    """Show the empty form."""
    return _form(desk)


def _form(desk: Desk, problem: AppError | None = None) -> Any:
    places = warehouses.mine(access.actor())
    return desk.page("receipt_new", places=places, rows=form_rows(), problem=problem, status=problem.status if problem else 200)


def receipt_create(desk: Desk) -> Any:
    """Announce goods by scanned code and number."""
    if wants_more():
        return _form(desk)
    made: dict[str, int] = {}

    def work(actor: Any) -> None:
        merchant_id = desk.shop(request.form.get("shop", ""))
        lines = [(reads.find_sku(merchant_id, code), whole_of(number, code)) for code, number in typed_rows("code", "number")]
        note = receipts.create(
            actor, row_id("warehouse_id"), lines, supplier=request.form.get("supplier", ""), document_no=request.form.get("document_no", "")
        )
        made["id"] = note.id

    return desk.attempt(work, lambda error: _form(desk, error), lambda: f"{desk.base}/receipts/{made['id']}", "收货单已建立")


def receipt_detail(desk: Desk, receipt_id: int) -> Any:
    """Show what is announced and what has come."""
    return _detail(desk, receipt_id)


def _detail(desk: Desk, receipt_id: int, problem: AppError | None = None) -> Any:
    actor = access.actor()
    note = receipts.get_for(actor, receipt_id)
    lines = receipts.lines_of(receipt_id)
    kept = receipts.keeping_of(note)
    place = warehouses.get_for(actor, note.warehouse_id)
    return desk.page(
        "receipt", note=note, lines=lines, kept=kept, wares=reads.wares([line.sku_id for line in lines]), place=place, states=STATES,
        tones=TONES, handles=place in warehouses.mine(actor), problem=problem, status=problem.status if problem else 200,
    )  # fmt: skip


def receipt_receive(desk: Desk, receipt_id: int) -> Any:
    """Take in what was scanned: the line by its code, the label by hand or scanner."""

    def work(actor: Any) -> bool:
        note = receipts.get_for(actor, receipt_id)
        line_id = row_id("line_id")
        if request.form.get("code", "").strip():
            line_id = receipts.line_for(receipt_id, reads.find_sku(note.merchant_id, request.form["code"]))
        arrival = receipts.Arrival(
            units("units", default=0), units("rejected", default=0), request.form.get("lot_no", ""), day("produced_on"), day("expires_on"),
            request.form.get("reason", ""),
        )  # fmt: skip
        return receipts.receive(actor, receipt_id, line_id, arrival, cause_id=cause_id())

    return desk.attempt(work, lambda error: _detail(desk, receipt_id, error), f"{desk.base}/receipts/{receipt_id}", "已收货入库")


def receipt_close(desk: Desk, receipt_id: int) -> Any:
    """Close the note with the reasons of what differs."""
    reasons = {int(name[7:]): text for name, text in request.form.items() if name.startswith("reason_") and name[7:].isdigit()}
    return desk.attempt(
        lambda actor: receipts.close(actor, receipt_id, reasons), lambda error: _detail(desk, receipt_id, error),
        f"{desk.base}/receipts/{receipt_id}", "收货单已完成",
    )  # fmt: skip


def receipt_cancel(desk: Desk, receipt_id: int) -> Any:
    """Cancel a note nothing has come for."""
    return desk.attempt(
        lambda actor: receipts.cancel(actor, receipt_id), lambda error: _detail(desk, receipt_id, error),
        f"{desk.base}/receipts/{receipt_id}", "收货单已取消",
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    ("GET", "/receipts", "view", receipt_list), ("GET", "/receipts/new", "work", receipt_new),
    ("POST", "/receipts", "work", receipt_create),
    ("GET", "/receipts/<int:receipt_id>", "view", receipt_detail), ("POST", "/receipts/<int:receipt_id>/receive", "work", receipt_receive),
    ("POST", "/receipts/<int:receipt_id>/close", "work", receipt_close),
    ("POST", "/receipts/<int:receipt_id>/cancel", "work", receipt_cancel),
)  # fmt: skip
