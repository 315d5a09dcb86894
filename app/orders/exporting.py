"""Orders as a spreadsheet, written by a job: asked for by a merchant (own orders, receivers in clear) or an operator (masked)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas, clock, jobs, runtime, sheets
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound, TooMany
from app.core.ids import new_id
from app.core.paging import Page, paginate
from app.identity import queries as identity
from app.orders import grouping, queries, searching
from app.orders.models import Order, OrderExport
from app.orders.searching import Criteria
from app.orders.states import NAMES

JOB = "orders.export"
STATES = {"queued": "生成中", "ready": "可下载", "gone": "已过期"}
MAX_ORDERS, CHUNK, MOST_WAITING = 50_000, 200, 3
KEEP = timedelta(days=7)
HEADS = (
    "订单号", "交易单号", "店铺", "下单时间", "付款时间", "状态", "配送方式", "储运", "商品", "规格", "数量", "单价（元）", "实付（元）",
    "订单运费（元）", "订单实付（元）", "已退款（元）", "收货人", "电话", "县区", "详细地址", "买家留言",
)  # fmt: skip
WIDTHS = (24, 24, 16, 20, 20, 8, 10, 8, 30, 16, 6, 11, 11, 13, 13, 11, 12, 14, 10, 36, 24)


def request(actor: Actor, wanted: Criteria) -> int:
    """Queue an export of what a search finds; returns its id. Raises TooMany(`export.waiting`)."""
    waiting = select(func.count()).where(OrderExport.account_id == actor.account_id, OrderExport.status == "queued")
    if (session.scalar(waiting) or 0) >= MOST_WAITING:
        raise TooMany("export.waiting", f"已有 {MOST_WAITING} 个导出在生成，请稍后再试")
    export_id = new_id()
    session.add(
        OrderExport(
            id=export_id, account_id=actor.account_id, merchant_id=actor.merchant_id, criteria=wanted.as_json(), status="queued",
            requested_by=actor.name or "-", requested_at=clock.now(),
        )
    )  # fmt: skip
    jobs.enqueue(JOB, {"export_id": export_id}, key=f"x{export_id}")
    shown = {key: value for key, value in wanted.as_json().items() if value and key != "q"} | {"by_person": wanted.is_personal}
    audit.record(actor, "order.exported", "order_export", export_id, detail=shown)
    return export_id


def path_of(export_id: int) -> Path:
    """Return where the file of an export lies."""
    return runtime.current().home.joinpath("exports", f"orders-{export_id}.xlsx")


def run(export_id: int) -> int:
    """Job: write the file; returns how many orders. Memory holds one piece; a file that is there again is the same."""
    row = session.get_one(OrderExport, export_id)
    wanted, in_clear = Criteria(**row.criteria), row.merchant_id != 0
    path = path_of(export_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    part, count = path.with_suffix(".part"), 0
    with sheets.book(part) as book, book.sheet("订单", WIDTHS) as sheet:
        sheet.row(HEADS, bold=True)
        for order_id, cells in _rows(wanted, in_clear):
            count += order_id
            sheet.row(cells)
    part.chmod(0o600)
    part.replace(path)
    done = {"status": "ready", "row_count": count, "finished_at": clock.now()}
    cas.change(OrderExport, export_id, where={"status": "queued"}, values=done)
    return count


def _rows(wanted: Criteria, in_clear: bool) -> Iterator[tuple[int, list[sheets.Cell]]]:
    """Yield (1 for the first line of an order else 0, cells) line by line, newest order first."""
    last, seen = 0, 0
    while seen < MAX_ORDERS:
        piece = searching.statement(wanted)
        if last:
            piece = piece.where(Order.id < last)
        found = session.execute(piece.order_by(Order.id.desc()).limit(CHUNK)).all()
        if not found:
            return
        lines = queries.lines_of([order.id for order, _ in found])
        trades = queries.trade_numbers([order.trade_id for order, _ in found])
        for order, shop_name in found:
            person = _person(order, in_clear)
            for number, line in enumerate(lines[order.id]):
                yield int(number == 0), _cells(order, shop_name, trades[order.trade_id], line, person)
        last, seen = found[-1][0].id, seen + len(found)
        for order, _ in found:
            session.expunge(order)


def _person(order: Order, in_clear: bool) -> list[sheets.Cell]:
    area = identity.area_name(order.area_code)
    if not in_clear:
        return [order.receiver_mask, None, area, None]
    receiver = queries.receiver_of(order)
    return [receiver.name, receiver.phone, area, receiver.street]


def _cells(order: Order, shop_name: str, trade_no: str, line: Any, person: list[sheets.Cell]) -> list[sheets.Cell]:
    return [
        order.order_no, trade_no, shop_name, _when(order.created_at), _when(order.paid_at), NAMES[order.status],
        grouping.MODES.get(order.delivery_mode, order.delivery_mode), grouping.TEMPERATURES.get(order.temperature, "-"), line.title,
        line.option_key, str(line.quantity), line.unit_price_fen, line.paid_fen, order.freight_fen, order.payable_fen, order.refunded_fen,
        *person, order.buyer_note,
    ]  # fmt: skip


def _when(at: datetime | None) -> str:
    return at.astimezone(clock.REGION_TZ).isoformat(" ", "seconds")[:19] if at is not None else ""


def get_for(actor: Actor, export_id: int) -> OrderExport:
    """Return an export of the actor's own side: the shop's, or the operator's own. Raises NotFound."""
    row = session.get(OrderExport, export_id)
    mine = row is not None and row.merchant_id == actor.merchant_id and (actor.merchant_id or row.account_id == actor.account_id)
    if row is None or not mine:
        raise NotFound("export.missing", "导出记录不存在")
    return row


def list_for(actor: Actor, cursor: str = "", size: int = 20) -> Page[OrderExport]:
    """Return the exports of the shop, or the operator's own, newest first."""
    mine = OrderExport.merchant_id == actor.merchant_id if actor.merchant_id else OrderExport.account_id == actor.account_id
    return paginate(select(OrderExport).where(mine), [OrderExport.id], lambda row: [row.id], cursor=cursor, size=size)


def take(actor: Actor, export_id: int) -> Path:
    """Return the file for downloading; each download is audited. Raises NotFound, Conflict(`export.state`)."""
    row = get_for(actor, export_id)
    path = path_of(export_id)
    if row.status != "ready" or not path.is_file():
        raise Conflict("export.state", "文件仍在生成或已过期，请重新导出")
    audit.record(actor, "order.export_taken", "order_export", export_id, detail={"orders": row.row_count})
    return path


def purge() -> int:
    """Periodic job: delete files after a week, for they hold receivers; returns how many."""
    old = select(OrderExport.id).where(OrderExport.status == "ready", OrderExport.requested_at < clock.now() - KEEP).limit(CHUNK)
    ids = session.scalars(old).all()
    for export_id in ids:
        path_of(export_id).unlink(missing_ok=True)
        cas.change(OrderExport, export_id, where={"status": "ready"}, values={"status": "gone"})
    return len(ids)
