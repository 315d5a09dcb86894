"""Receiving (收货) against a purchase note: in parts, over or short with a reason, into lots where the SKU is kept by lots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.inventory import queries
from app.inventory.models import Movement, Receipt, ReceiptLine, Stock
from app.inventory.service import lots
from app.inventory.service.columns import add, handled, movement, once, reasoned, whole
from app.inventory.service.lot_rows import Cause
from app.inventory.service.stock import ensure_stock
from dbadapters.errors import Conflict as RunAgain

MOST_LINES = 200


@dataclass(frozen=True)
class Arrival:
    """What came for one line. rejected: units refused at the door, which are not taken in; the label is needed for SKUs by lots."""

    units: int
    rejected: int = 0
    lot_no: str = ""
    produced_on: date | None = None
    expires_on: date | None = None
    reason: str = ""


def create(actor: Actor, warehouse_id: int, lines: Sequence[tuple[int, int]], *, supplier: str = "", document_no: str = "") -> Receipt:
    """Announce goods: (SKU, expected units) of one merchant for a warehouse the actor works in.

    Raises NotFound, Invalid(`receipt.lines`) for none, too many or the same SKU twice, Conflict for a bundle.
    """
    warehouse = handled(actor, warehouse_id)
    skus = [sku_id for sku_id, _ in lines]
    if not lines or len(lines) > MOST_LINES or len(set(skus)) != len(skus):
        raise Invalid("receipt.lines", f"请填写 1–{MOST_LINES} 个不重复的商品", field="lines")
    owners = {queries.owner_of(actor, sku_id) for sku_id in skus}
    if len(owners) > 1 or (warehouse.merchant_id and owners != {warehouse.merchant_id}):
        raise Invalid("receipt.owner", "一张收货单只能收一个商家的商品", field="lines")
    merchant_id = owners.pop()
    kept = ensure_stock(skus, merchant_id, warehouse_id)
    if session.scalar(select(Stock.id).where(Stock.id.in_(list(kept.values())), Stock.tracking == "bundle").limit(1)):
        raise Conflict("stock.bundle", "组合商品没有自己的库存，请收其组成商品", field="lines")
    receipt_id = new_id()
    receipt = Receipt(
        id=receipt_id, receipt_no=f"SH{clock.business_date():%y%m%d}{receipt_id}", merchant_id=merchant_id, warehouse_id=warehouse_id,
        supplier=clean(supplier)[:80] or "-", document_no=clean(document_no)[:60] or "-", created_by=actor.account_id,
        created_at=clock.now(),
    )  # fmt: skip
    session.add(receipt)
    session.add_all(
        ReceiptLine(id=new_id(), receipt_id=receipt_id, sku_id=sku_id, expected=whole(units, field="lines")) for sku_id, units in lines
    )
    session.flush()
    audit.record(actor, "receipt.created", "receipt", receipt.receipt_no, detail={"lines": len(lines)})
    return receipt


def get_for(actor: Actor, receipt_id: int) -> Receipt:
    """Return a purchase note the actor may see. Raises NotFound."""
    receipt = session.get(Receipt, receipt_id)
    if receipt is None or (actor.realm == "merchant" and receipt.merchant_id != actor.merchant_id):
        raise NotFound("receipt.missing", "收货单不存在")
    return receipt


def _opened(actor: Actor, receipt_id: int) -> Receipt:
    """Return an open note in a warehouse the actor works in, with its row taken. Raises NotFound, Conflict(`receipt.state`)."""
    receipt = get_for(actor, receipt_id)
    handled(actor, receipt.warehouse_id)
    if not cas.change(Receipt, receipt_id, where={"status": "open"}, values={"status": "open"}):
        raise Conflict("receipt.state", "收货单已关闭，请刷新查看")
    return receipt


def receive(actor: Actor, receipt_id: int, line_id: int, arrival: Arrival, *, cause_id: int) -> bool:
    """Take goods in; False when this cause was booked before, so a double click counts once.

    More than expected needs a reason. Raises NotFound, Invalid, Conflict(`receipt.state`, `lot.differs`).
    """
    receipt = _opened(actor, receipt_id)
    line = session.get(ReceiptLine, line_id)
    if line is None or line.receipt_id != receipt_id:
        raise NotFound("receipt.missing", "收货单不存在")
    booked = (Movement.cause_type == "receipt", Movement.cause_id == cause_id, Movement.line_id == line_id)
    if session.scalar(select(Movement.id).where(*booked).limit(1)) is not None:
        return False  # under the note's row: a repeat is told as one, not as an excess
    whole(arrival.units, least=0)
    whole(arrival.rejected, field="rejected", least=0)
    if arrival.units == 0 and arrival.rejected == 0:
        raise Invalid("stock.delta", "请填写实收数量", field="units")
    over = line.received + arrival.units > line.expected
    why = reasoned(arrival.reason) if over or arrival.rejected else clean(arrival.reason)[:120] or "-"
    sku_id, document_no, supplier = line.sku_id, receipt.document_no, receipt.supplier
    stock_id = ensure_stock([sku_id], receipt.merchant_id, receipt.warehouse_id)[sku_id]
    cause = Cause("receive", "receipt", cause_id, line_id, actor.account_id, f"{receipt.receipt_no} {why if why != '-' else ''}".strip())
    if session.get_one(Stock, stock_id).tracking == "lot" and arrival.units:
        lot = lots.open_lot(
            actor, sku_id, arrival.lot_no, produced_on=arrival.produced_on, expires_on=arrival.expires_on, supplier=supplier,
            document_no=document_no,
        )  # fmt: skip
        if not lots.receive_into(actor, stock_id, lot, arrival.units, cause=cause):
            return False
    else:
        moved = movement(
            stock_id, cause.kind, cause.type, cause_id, line_id, on_hand=arrival.units, account_id=cause.account_id, note=cause.note
        )
        if not once([moved]):
            return False
        if not add(stock_id, on_hand=arrival.units):
            raise RunAgain("the stock row is gone")
    _count(line_id, arrival, why)  # under the note's row, which `_opened` has taken
    detail = {"line_id": line_id, "units": arrival.units, "rejected": arrival.rejected, "reason": why}
    audit.record(actor, "receipt.received", "receipt", receipt.receipt_no, detail=detail)
    return True


def _count(line_id: int, arrival: Arrival, why: str) -> None:
    r = sql.table_of(ReceiptLine).c
    values: dict[Any, Any] = {r.received: r.received + arrival.units, r.rejected: r.rejected + arrival.rejected}
    if why != "-":
        values[r.reason] = why
    sql.change(update(sql.table_of(ReceiptLine)).where(r.id == line_id).values(values), {})
    session.expire_all()


def close(actor: Actor, receipt_id: int, reasons: Mapping[int, str]) -> None:
    """Close a note; every line that is over or short needs a reason, of this call or given before.

    Raises NotFound, Invalid(`stock.reason`) naming the line, Conflict(`receipt.state`).
    """
    receipt = _opened(actor, receipt_id)
    short = 0
    for line in session.scalars(select(ReceiptLine).where(ReceiptLine.receipt_id == receipt_id)):
        if line.received != line.expected:
            given = clean(reasons.get(line.id, ""))
            line.reason = reasoned(given, field=f"reason_{line.id}") if given or line.reason == "-" else line.reason
            short += 1
    session.flush()
    cas.move(Receipt, receipt_id, from_="open", to="closed", code="receipt.state", closed_at=clock.now())
    audit.record(actor, "receipt.closed", "receipt", receipt.receipt_no, detail={"different": short})


def cancel(actor: Actor, receipt_id: int) -> None:
    """Cancel a note nothing has arrived for. Raises NotFound, Conflict(`receipt.state`, `receipt.received`)."""
    receipt = _opened(actor, receipt_id)
    if session.scalar(select(ReceiptLine.id).where(ReceiptLine.receipt_id == receipt_id, ReceiptLine.received > 0).limit(1)):
        raise Conflict("receipt.received", "已有收货，不能取消，请关闭收货单")
    cas.move(Receipt, receipt_id, from_="open", to="cancelled", code="receipt.state", closed_at=clock.now())
    audit.record(actor, "receipt.cancelled", "receipt", receipt.receipt_no)


def lines_of(receipt_id: int) -> list[ReceiptLine]:
    """Return a note's lines in the order they were announced."""
    return list(session.scalars(select(ReceiptLine).where(ReceiptLine.receipt_id == receipt_id).order_by(ReceiptLine.id)))


def line_for(receipt_id: int, sku_id: int) -> int:
    """Return the line of a SKU. Raises Invalid(`receipt.unannounced`) when the note does not name it."""
    wanted = select(ReceiptLine.id).where(ReceiptLine.receipt_id == receipt_id, ReceiptLine.sku_id == sku_id)
    found = session.scalar(wanted)
    if found is None:
        raise Invalid("receipt.unannounced", "收货单里没有这个商品，请另建收货单", field="code")
    return found


def keeping_of(receipt: Receipt) -> dict[int, str]:
    """Return how each SKU of a note is kept in its warehouse: none or lot."""
    skus = select(ReceiptLine.sku_id).where(ReceiptLine.receipt_id == receipt.id)
    rows = session.execute(
        select(Stock.sku_id, Stock.tracking).where(Stock.warehouse_id == receipt.warehouse_id, Stock.sku_id.in_(skus))
    )
    return {row.sku_id: row.tracking for row in rows}
