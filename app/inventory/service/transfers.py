"""Transfers between warehouses (调拨): requested, shipped, received; what is on its way belongs to neither stock row.

Who works in the sending warehouse ships, who works in the receiving one receives; a difference is a loss with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.inventory import queries
from app.inventory.models import Lot, Movement, Stock, Transfer, TransferLine, Warehouse
from app.inventory.service import lot_rows
from app.inventory.service.columns import OutOfStock, add, handled, may_handle, movement, reasoned, whole
from app.inventory.service.lot_rows import Cause
from app.inventory.service.stock import ensure_stock

MOST_LINES = 200


def get_for(actor: Actor, transfer_id: int) -> Transfer:
    """Return a transfer the actor may see: merchants their goods', operators all. Raises NotFound."""
    transfer = session.get(Transfer, transfer_id)
    if transfer is None or (actor.realm == "merchant" and transfer.merchant_id != actor.merchant_id):
        raise NotFound("transfer.missing", "调拨单不存在")
    return transfer


def lines_of(transfer_id: int) -> list[TransferLine]:
    """Return a transfer's lines."""
    return list(session.scalars(select(TransferLine).where(TransferLine.transfer_id == transfer_id).order_by(TransferLine.id)))


def request(actor: Actor, from_id: int, to_id: int, lines: Sequence[tuple[int, int, int]], note: str = "") -> Transfer:
    """Ask for goods to be moved: (SKU, units, lot id), lot 0 takes the first to expire of a SKU kept by lots.

    Merchants move their own goods between their and the platform's warehouses; operators anybody's. Raises NotFound, Invalid,
    OutOfStock, LotShort, Conflict(`warehouse.closed`).
    """
    if from_id == to_id:
        raise Invalid("transfer.same", "调出仓与调入仓不能相同", field="to_id")
    if not lines or len(lines) > MOST_LINES:
        raise Invalid("transfer.lines", f"请填写 1–{MOST_LINES} 行", field="lines")
    owners = {queries.owner_of(actor, sku_id) for sku_id, _, _ in lines}
    if len(owners) > 1:
        raise Invalid("transfer.owner", "一张调拨单只能调一个商家的商品", field="lines")
    merchant_id = owners.pop()
    for place in (from_id, to_id):
        _usable(place, merchant_id)
    wanted = _by_lot(from_id, lines)
    transfer_id = new_id()
    transfer = Transfer(
        id=transfer_id, transfer_no=f"DB{clock.business_date():%y%m%d}{transfer_id}", merchant_id=merchant_id, from_warehouse_id=from_id,
        to_warehouse_id=to_id, note=clean(note)[:120] or "-", created_by=actor.account_id, created_at=clock.now(),
    )  # fmt: skip
    session.add(transfer)
    session.add_all(
        TransferLine(id=new_id(), transfer_id=transfer_id, sku_id=sku_id, lot_id=lot_id, quantity=units)
        for (sku_id, lot_id), units in wanted.items()
    )
    session.flush()
    audit.record(actor, "transfer.requested", "transfer", transfer.transfer_no, detail={"lines": len(wanted)})
    return transfer


def _usable(warehouse_id: int, merchant_id: int) -> None:
    """Raise unless the warehouse is open and the merchant's or the platform's."""
    warehouse = session.get(Warehouse, warehouse_id)
    if warehouse is None or warehouse.merchant_id not in (0, merchant_id):
        raise NotFound("warehouse.missing", "仓库不存在")
    if warehouse.status != "active":
        raise Conflict("warehouse.closed", "仓库已停用")


def _by_lot(from_id: int, lines: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int], int]:
    """Sum wanted units by (SKU, lot); a SKU kept by lots without a named one is spread first-expired-first-out."""
    wanted: dict[tuple[int, int], int] = defaultdict(int)
    for sku_id, units, lot_id in lines:
        whole(units, field="lines")
        stock = session.scalar(select(Stock).where(Stock.warehouse_id == from_id, Stock.sku_id == sku_id))
        if stock is None or stock.on_hand - stock.allocated - stock.reserved - stock.quota_held < units:
            raise OutOfStock("stock.short", "调出仓的可用库存不足", sku_id=sku_id)
        if lot_id:
            lot = session.get(Lot, lot_id)
            if lot is None or lot.sku_id != sku_id or stock.tracking != "lot":
                raise NotFound("lot.missing", "批次不存在")
            wanted[sku_id, lot_id] += units
        elif stock.tracking == "lot":
            for row, part in lot_rows.choose(stock.id, units, clock.business_date()):
                wanted[sku_id, row.lot_id] += part
        else:
            wanted[sku_id, 0] += units
    return wanted


def ship(actor: Actor, transfer_id: int) -> None:
    """Send a requested transfer: its units leave the sending warehouse.

    Raises NotFound, also for who does not work there, Conflict(`transfer.state`, `lot.short`), OutOfStock.
    """
    transfer = get_for(actor, transfer_id)
    handled(actor, transfer.from_warehouse_id)
    number, from_id = transfer.transfer_no, transfer.from_warehouse_id
    lines = [(line.id, line.sku_id, line.lot_id, line.quantity) for line in lines_of(transfer_id)]
    cas.move(Transfer, transfer_id, from_="requested", to="shipped", code="transfer.state", shipped_at=clock.now())
    stocks = {
        row.sku_id: row.id for row in session.execute(
            select(Stock.id, Stock.sku_id).where(Stock.warehouse_id == from_id, Stock.sku_id.in_([line[1] for line in lines]))
        )
    }  # fmt: skip
    totals: dict[int, int] = defaultdict(int)
    moves = []
    for line_id, sku_id, _, units in lines:
        totals[stocks[sku_id]] += units
        moves.append(
            movement(
                stocks[sku_id], "transfer_out", "transfer", transfer_id, line_id, on_hand=-units, account_id=actor.account_id, note=number
            )
        )
    sql.add_all(Movement, moves)
    for stock_id in sorted(totals):
        if not add(stock_id, on_hand=-totals[stock_id]):
            sku_id = next(sku for sku, row in stocks.items() if row == stock_id)
            raise OutOfStock("stock.short", "调出仓的可用库存不足，请取消后重新申请", sku_id=sku_id)
    for line_id, sku_id, lot_id, units in lines:
        if lot_id:
            _lot_leaves(stocks[sku_id], lot_id, units, Cause("transfer_out", "transfer", transfer_id, line_id, actor.account_id, number))
    audit.record(actor, "transfer.shipped", "transfer", number)


def _lot_leaves(stock_id: int, lot_id: int, units: int, cause: Cause) -> None:
    """Take units of an open lot out of a stock row that is locked. Raises Conflict(`lot.short`)."""
    row_id = lot_rows.row_of(stock_id, lot_id)
    is_open = session.scalar(select(Lot.status).where(Lot.id == lot_id)) == "open"
    if not is_open or not lot_rows.change(row_id, stock_id, lot_id, cause, on_hand=-units):
        raise Conflict("lot.short", "批次已隔离或数量不足，请取消后重新申请")


def receive(actor: Actor, transfer_id: int, arrived: Mapping[int, tuple[int, str]]) -> None:
    """Receive a shipped transfer: (units, reason) by line id, by default all of it; what is missing is booked as lost.

    Raises NotFound, also for who does not work there, Invalid without a reason or above what was sent, Conflict(`transfer.state`).
    """
    transfer = get_for(actor, transfer_id)
    handled(actor, transfer.to_warehouse_id)
    number, to_id, merchant_id = transfer.transfer_no, transfer.to_warehouse_id, transfer.merchant_id
    cas.move(Transfer, transfer_id, from_="shipped", to="received", code="transfer.state", received_at=clock.now())
    lines = lines_of(transfer_id)
    stocks = ensure_stock(sorted({line.sku_id for line in lines}), merchant_id, to_id)
    lot_rows.block_late({line.sku_id for line in lines if line.lot_id})
    totals: dict[int, int] = defaultdict(int)
    moves, into = [], []
    for line in lines:
        units, reason = arrived.get(line.id, (line.quantity, ""))
        if not 0 <= units <= line.quantity:
            raise Invalid("transfer.units", "实收数量应在 0 与发出数量之间", field=f"units_{line.id}")
        line.received, line.lost = units, line.quantity - units
        if line.lost:
            line.reason = reasoned(reason, field=f"reason_{line.id}")
        note = f"{number} 在途损失 {line.lost} 件：{line.reason}" if line.lost else number
        totals[stocks[line.sku_id]] += units
        moves.append(
            movement(
                stocks[line.sku_id], "transfer_in", "transfer", transfer_id, line.id, on_hand=units, account_id=actor.account_id,
                note=note[:120],
            )
        )  # fmt: skip
        into.append((line.id, stocks[line.sku_id], line.lot_id, units))
    rows = {(stock_id, lot_id): lot_rows.row_of(stock_id, lot_id) for _, stock_id, lot_id, units in into if lot_id and units}
    session.flush()
    sql.add_all(Movement, moves)
    for stock_id in sorted(totals):
        add(stock_id, on_hand=totals[stock_id])
    for line_id, stock_id, lot_id, units in into:
        if lot_id and units:
            cause = Cause("transfer_in", "transfer", transfer_id, line_id, actor.account_id, number)
            lot_rows.change(rows[stock_id, lot_id], stock_id, lot_id, cause, on_hand=units)
    lot_rows.set_aside(sorted(totals))
    lost = sum(line.lost for line in lines)
    audit.record(actor, "transfer.received", "transfer", number, detail={"lost": lost})


def cancel(actor: Actor, transfer_id: int) -> None:
    """Cancel a transfer that has not been sent. Raises NotFound, Conflict(`transfer.state`)."""
    transfer = get_for(actor, transfer_id)
    number = transfer.transfer_no
    cas.move(Transfer, transfer_id, from_="requested", to="cancelled", code="transfer.state", message="调拨单已发出或已取消，请刷新查看")
    audit.record(actor, "transfer.cancelled", "transfer", number)


def may_ship(actor: Actor, transfer: Transfer) -> bool:
    """Tell whether the actor works in the sending warehouse."""
    return may_handle(actor, session.get_one(Warehouse, transfer.from_warehouse_id))


def may_receive(actor: Actor, transfer: Transfer) -> bool:
    """Tell whether the actor works in the receiving warehouse."""
    return may_handle(actor, session.get_one(Warehouse, transfer.to_warehouse_id))


def in_transit(sku_ids: Sequence[int]) -> dict[int, int]:
    """Return units on their way, by SKU id."""
    rows = session.execute(
        select(TransferLine.sku_id, func.sum(TransferLine.quantity))
        .join(Transfer, Transfer.id == TransferLine.transfer_id)
        .where(Transfer.status == "shipped", TransferLine.sku_id.in_(list(sku_ids)))
        .group_by(TransferLine.sku_id)
    )
    return {sku_id: int(units) for sku_id, units in rows}


def lot_of(sku_id: int, lot_no: str) -> int:
    """Return a SKU's lot by its number, 0 for none typed. Raises Invalid(`lot.unknown`)."""
    number = clean(lot_no)[:40]
    if not number:
        return 0
    found = session.scalar(select(Lot.id).where(Lot.sku_id == sku_id, Lot.lot_no == number))
    if found is None:
        raise Invalid("lot.unknown", f"没有批次“{number}”", field="lot_no")
    return found
