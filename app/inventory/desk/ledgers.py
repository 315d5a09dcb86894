"""Stock list, ledger of a stock row, warnings, export; what a clerk reports and an owner sets on a row."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import xlsxwriter
from flask import request, send_file

from app.core import clock
from app.core.errors import AppError, Invalid
from app.core.text import half_width
from app.inventory import queries, reads
from app.inventory.desk import Desk, Route, cause_id, row_id, units
from app.inventory.service import alerts, lots, transfers, verify, warehouses
from app.inventory.service import settings as keeping
from app.inventory.service.columns import may_handle, stock_for
from app.web import access

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_EXPORTED = 200_000
HEADS = (
    "店铺", "商品", "规格", "规格编码", "条码", "仓库", "在库", "待付款占用", "待发货占用", "活动预留", "可用", "安全库存", "在途",
)  # fmt: skip


def stock_list(desk: Desk) -> Any:
    """List stock by warehouse, or what a scanned code names."""
    return _list(desk)


def _list(desk: Desk, problem: AppError | None = None) -> Any:
    actor = access.actor()
    place, code = row_id("warehouse"), half_width(request.args.get("q", ""))[:64]
    page = reads.stock_page(actor, warehouse_id=place, code=code, cursor=request.args.get("cursor", ""))
    return desk.page(
        "stock", page=page, places=warehouses.visible(actor), place=place, code=code, counts=alerts.count_open(actor),
        moving=transfers.in_transit([row[0].sku_id for row in page.items]), problem=problem, status=problem.status if problem else 200,
        audit=queries.last_audit() if actor.realm == "operator" else None, cases=verify.open_cases() if actor.realm == "operator" else [],
        kinds=verify.KINDS,
    )  # fmt: skip


def stock_detail(desk: Desk, stock_id: int) -> Any:
    """Show the ledger of a stock row with its running balance."""
    return detail(desk, stock_id)


def detail(desk: Desk, stock_id: int, problem: AppError | None = None) -> Any:
    """Render the ledger, with what was wrong when a form is shown again."""
    actor = access.actor()
    stock = stock_for(actor, stock_id)
    place = warehouses.get_for(actor, stock.warehouse_id)
    parts = reads.parts_of([stock.sku_id])[stock.sku_id] if stock.tracking == "bundle" else []
    return desk.page(
        "ledger", stock=stock, place=place, handles=may_handle(actor, place) and place.status == "active",
        page=reads.ledger(stock, request.args.get("cursor", "")), words=reads.MOVEMENTS, item=reads.item(stock.sku_id),
        wares=reads.wares([stock.sku_id, *(part.sku_id for part in parts)]), parts=parts, lots=reads.lots_in(stock_id),
        moving=transfers.in_transit([stock.sku_id]), free=queries.available([stock.sku_id])[stock.sku_id],
        problem=problem, status=problem.status if problem else 200,
    )  # fmt: skip


def stock_quarantine(desk: Desk, stock_id: int) -> Any:
    """Report damaged or doubtful units: they leave sale at once."""
    verb = lots.damage if request.form.get("kind") == "damage" else lots.quarantine
    return desk.attempt(
        lambda actor: verb(
            actor, stock_id, row_id("lot_id"), units("units"), request.form.get("reason", ""), cause_id=cause_id()
        ),
        lambda error: detail(desk, stock_id, error), f"{desk.base}/{stock_id}", "已移入隔离区，等待处置",
    )  # fmt: skip


def stock_keeping(desk: Desk, stock_id: int) -> Any:
    """Set the threshold of a row, and whether its SKU is kept by lots."""

    def work(actor: Any) -> None:
        stock = stock_for(actor, stock_id)
        keeping.set_safety(actor, stock_id, units("safety_stock", default=0))
        if request.form.get("by_lots") == "1":
            lots.keep_by_lots(
                actor, stock.sku_id, shelf_days=units("shelf_days", default=0), min_remaining_days=units("min_remaining_days", default=0)
            )

    return desk.attempt(work, lambda error: detail(desk, stock_id, error), f"{desk.base}/{stock_id}", "已保存")


def alert_list(desk: Desk) -> Any:
    """List what calls for attention: low stock and lots near their expiry."""
    actor, kind = access.actor(), request.args.get("kind", "")
    kind = kind if kind in alerts.KINDS else ""
    page = reads.alerts_page(actor, kind, request.args.get("cursor", ""))
    counts = alerts.count_open(actor)
    return desk.page("alerts", page=page, kind=kind, kinds=alerts.KINDS, tones=alerts.TONES, counts=counts)


def stock_export(desk: Desk) -> Any:
    """Send the stock as a spreadsheet, written row by row so that memory does not grow with it."""
    actor = access.actor()
    with tempfile.TemporaryDirectory(prefix="stock-") as folder:
        path = Path(folder).joinpath("stock.xlsx")
        _write(actor, path)
        body = io.BytesIO(path.read_bytes())  # compressed: some 40 bytes a row
    response = send_file(body, mimetype=XLSX)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(f'库存-{clock.business_date():%Y%m%d}.xlsx')}"
    return response


def _write(actor: Any, path: Path) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        head, sheet = book.add_format({"bold": True}), book.add_worksheet("库存")
        sheet.write_row(0, 0, HEADS, head)
        sheet.set_column(0, 5, 18)
        line, after = 0, 0
        while line < MOST_EXPORTED:
            rows = reads.export_rows(actor, after)
            if not rows:
                return
            moving = transfers.in_transit([row[0].sku_id for row in rows])
            for stock, title, option, threshold, place, shop, code, barcode in rows:
                line, after = line + 1, stock.id
                free = stock.on_hand - stock.allocated - stock.reserved - stock.quota_held
                texts = (shop, title, "" if option == "-" else option, code, "" if barcode == "-" else barcode, place)
                for column, text in enumerate(texts):
                    sheet.write_string(line, column, text)
                figures = (
                    stock.on_hand, stock.reserved, stock.allocated, stock.quota_held, free, threshold, moving.get(stock.sku_id, 0)
                )
                for column, figure in enumerate(figures, start=len(texts)):
                    sheet.write_number(line, column, figure)


def case_resolve(desk: Desk, case_id: int) -> Any:
    """Close a difference with what was done about it."""
    if access.actor().realm != "operator":
        raise Invalid("case.realm", "差异由平台处理")
    return desk.attempt(
        lambda actor: verify.resolve(actor, case_id, request.form.get("resolution", "")), lambda error: _list(desk, error), desk.base,
        "差异已处理",
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    ("GET", "", "view", stock_list), ("GET", "/alerts", "view", alert_list), ("GET", "/export", "view", stock_export),
    ("GET", "/<int:stock_id>", "view", stock_detail), ("POST", "/<int:stock_id>/quarantine", "work", stock_quarantine),
    ("POST", "/<int:stock_id>/keeping", "approve", stock_keeping),
)  # fmt: skip
OPERATOR_ROUTES: tuple[Route, ...] = (("POST", "/cases/<int:case_id>", "approve", case_resolve),)
