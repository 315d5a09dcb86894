"""Stock-taking: the clerk's blind sheet, the reviewer's differences."""

from __future__ import annotations

from typing import Any

from flask import request

from app.core.errors import AppError, Invalid, NotFound
from app.inventory import reads
from app.inventory.desk import Desk, Route, row_id, typed_rows, units
from app.inventory.models import Count
from app.inventory.service import counts, transfers, warehouses
from app.web import access

STATES = {"counting": "盘点中", "review": "待复核", "closed": "已完成", "cancelled": "已取消"}
TONES = {"counting": "info", "review": "warn", "closed": "ok", "cancelled": "mute"}


def count_list(desk: Desk) -> Any:
    """List counts, with the form that begins one."""
    return _list(desk)


def _list(desk: Desk, problem: AppError | None = None) -> Any:
    actor, status = access.actor(), request.args.get("status", "")
    status = status if status in STATES else ""
    page = reads.papers(actor, Count, status, request.args.get("cursor", ""))
    return desk.page(
        "counts", page=page, status_shown=status, states=STATES, tones=TONES,
        names=reads.names_of({row.warehouse_id for row in page.items}), places=warehouses.mine(actor), problem=problem,
        status=problem.status if problem else 200,
    )  # fmt: skip


def count_begin(desk: Desk) -> Any:
    """Begin a count of a warehouse, or of the scanned products."""
    made: dict[str, int] = {}

    def work(actor: Any) -> None:
        codes = [row[0] for row in typed_rows("code")]
        if not codes:
            codes = request.form.get("codes", "").replace("，", " ").replace(",", " ").split()
        merchant_id = desk.shop(request.form.get("shop", "")) if codes else 0
        skus = [reads.find_sku(merchant_id, code, field="codes") for code in codes[:200]]
        made["id"] = counts.begin(actor, row_id("warehouse_id"), skus, request.form.get("note", "")).id

    return desk.attempt(work, lambda error: _list(desk, error), lambda: f"{desk.base}/counts/{made['id']}", "盘点已开始，账面数已冻结")


def count_detail(desk: Desk, count_id: int) -> Any:
    """Show the sheet while counting, the differences afterwards."""
    return _detail(desk, count_id)


def _detail(desk: Desk, count_id: int, problem: AppError | None = None) -> Any:
    actor = access.actor()
    sheet = counts.get_for(actor, count_id)
    lines = counts.lines_of(count_id)
    skus = reads.skus_of_rows([line.stock_id for line in lines])
    place = warehouses.get_for(actor, sheet.warehouse_id)
    counters = {line.counted_by for line in lines} | {sheet.counted_by}
    return desk.page(
        "count", sheet=sheet, lines=lines, skus=skus, wares=reads.wares(set(skus.values())),
        lots=reads.lot_numbers({line.lot_id for line in lines}), place=place, states=STATES, tones=TONES,
        handles=place in warehouses.mine(actor), same_person=actor.account_id in counters, left=sum(line.counted < 0 for line in lines),
        problem=problem, status=problem.status if problem else 200,
    )  # fmt: skip


def count_enter(desk: Desk, count_id: int) -> Any:
    """Enter one scanned figure, or every figure of the sheet that was typed."""

    def work(actor: Any) -> None:
        counts.get_for(actor, count_id)
        if request.form.get("code", "").strip():
            counts.enter(actor, count_id, _scanned(actor, count_id), units("units"))
            return
        typed = [name for name in request.form if name.startswith("units_") and name[6:].isdigit() and request.form[name].strip()]
        if not typed:
            raise Invalid("count.nothing", "请填写盘点数量", field="units")
        for name in typed:
            counts.enter(actor, count_id, int(name[6:]), units(name))

    return desk.attempt(work, lambda error: _detail(desk, count_id, error), f"{desk.base}/counts/{count_id}", "已登记盘点数量")


def _scanned(actor: Any, count_id: int) -> int:
    """Return the line of the scanned product and lot; what the list does not name is added."""
    sheet = counts.get_for(actor, count_id)
    merchant_id = sheet.merchant_id
    if not merchant_id:
        raise Invalid("count.scan", "平台仓请在列表中逐行填写", field="code")
    sku_id = reads.find_sku(merchant_id, request.form.get("code", ""))
    lot_id = transfers.lot_of(sku_id, request.form.get("lot_no", ""))
    stock_id = counts.row_in(sheet.warehouse_id, sku_id)
    if not stock_id:
        raise NotFound("stock.missing", "该仓库没有这个商品")
    try:
        return counts.add_line(actor, count_id, stock_id, lot_id).id
    except NotFound as error:
        raise Invalid("lot.needed", "该商品按批次管理，请扫描或填写批次号", field="lot_no") from error


def count_submit(desk: Desk, count_id: int) -> Any:
    """Hand the sheet to the review."""
    return _verb(desk, count_id, counts.submit, "已提交复核")


def count_approve(desk: Desk, count_id: int) -> Any:
    """Book the differences."""
    return _verb(desk, count_id, counts.approve, "盘点差异已入账")


def count_return(desk: Desk, count_id: int) -> Any:
    """Have it counted again."""

    def send_back(actor: Any, number: int) -> None:
        counts.send_back(actor, number, request.form.get("reason", ""))

    return _verb(desk, count_id, send_back, "已退回重新盘点")


def count_cancel(desk: Desk, count_id: int) -> Any:
    """Give it up."""
    return _verb(desk, count_id, counts.cancel, "盘点已取消")


def _verb(desk: Desk, count_id: int, verb: Any, done: str) -> Any:
    def work(actor: Any) -> None:
        verb(actor, count_id)

    return desk.attempt(work, lambda error: _detail(desk, count_id, error), f"{desk.base}/counts/{count_id}", done)


ROUTES: tuple[Route, ...] = (
    ("GET", "/counts", "view", count_list), ("POST", "/counts", "work", count_begin),
    ("GET", "/counts/<int:count_id>", "view", count_detail), ("POST", "/counts/<int:count_id>/enter", "work", count_enter),
    ("POST", "/counts/<int:count_id>/submit", "work", count_submit), ("POST", "/counts/<int:count_id>/approve", "approve", count_approve),
    ("POST", "/counts/<int:count_id>/return", "approve", count_return), ("POST", "/counts/<int:count_id>/cancel", "work", count_cancel),
)  # fmt: skip
