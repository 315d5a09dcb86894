"""Stock-taking (盘点): frozen book figures, a blind count, review by a second person, adjustments exact while sales go on.

The clerk never sees the book. At the instant a figure is entered the book is read with it, so what is sold before or after does not
show as a difference; the review applies counted − book as a difference, not as a new value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, or_, select, update

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.inventory.models import Count, CountLine, Lot, LotStock, Movement, Stock
from app.inventory.service import lot_rows
from app.inventory.service.columns import OutOfStock, add, handled, movement, reasoned, whole
from app.inventory.service.lot_rows import Cause
from dbadapters.errors import UniqueViolation

MOST_LINES = 1_000
NOT_COUNTED = -1


def get_for(actor: Actor, count_id: int) -> Count:
    """Return a count the actor may see: merchants their warehouses', operators the platform's and all others'. Raises NotFound."""
    count = session.get(Count, count_id)
    if count is None or (actor.realm == "merchant" and count.merchant_id != actor.merchant_id):
        raise NotFound("count.missing", "盘点单不存在")
    return count


def begin(actor: Actor, warehouse_id: int, sku_ids: Collection[int] = (), note: str = "") -> Count:
    """Begin a count of a warehouse (of some SKUs, or of all that have stock there) and freeze its book figures.

    Raises NotFound, Invalid(`count.lines`) when there is nothing, or more than 1,000 lines, to count.
    """
    warehouse = handled(actor, warehouse_id)
    rows = session.execute(_to_count(warehouse_id, sku_ids).limit(MOST_LINES + 1)).all()
    if not 1 <= len(rows) <= MOST_LINES:
        raise Invalid("count.lines", f"没有可盘的库存，或超过 {MOST_LINES} 行，请按商品分批盘点", field="skus")
    count_id = new_id()
    count = Count(
        id=count_id, count_no=f"PD{clock.business_date():%y%m%d}{count_id}", merchant_id=warehouse.merchant_id, warehouse_id=warehouse_id,
        created_by=actor.account_id, note=clean(note)[:120] or "-", created_at=clock.now(),
    )  # fmt: skip
    session.add(count)
    session.flush()
    sql.add_all(
        CountLine,
        [
            {
                "id": new_id(), "count_id": count_id, "stock_id": row.stock_id, "lot_id": row.lot_id, "frozen": row.units, "book": 0,
                "counted": NOT_COUNTED, "counted_by": 0, "decision": "-",
            }
            for row in rows
        ],
    )  # fmt: skip
    audit.record(actor, "count.begun", "count", count.count_no, detail={"lines": len(rows)})
    return count


def _to_count(warehouse_id: int, sku_ids: Collection[int]) -> Any:
    """Select (stock row, lot, units): one line for each lot of a SKU kept by lots, one for any other; bundles have nothing."""
    units = func.coalesce(LotStock.on_hand, Stock.on_hand)
    lot_id = func.coalesce(LotStock.lot_id, 0)
    by_lots = (LotStock.stock_id == Stock.id) & (Stock.tracking == "lot") & (LotStock.lot_id != 0)
    statement = (
        select(Stock.id.label("stock_id"), lot_id.label("lot_id"), units.label("units"))
        .outerjoin(LotStock, by_lots)
        .where(Stock.warehouse_id == warehouse_id, Stock.tracking != "bundle", or_(Stock.tracking != "lot", LotStock.id.is_not(None)))
        .order_by(Stock.id, lot_id)
    )
    return statement.where(Stock.sku_id.in_(list(sku_ids))) if sku_ids else statement.where(units > 0)


def add_line(actor: Actor, count_id: int, stock_id: int, lot_id: int = 0) -> CountLine:
    """Add what the clerk found and the list does not name; a line already there is returned. Raises NotFound, Conflict."""
    count = _counting(actor, count_id)
    stock = session.get(Stock, stock_id)
    if stock is None or stock.warehouse_id != count.warehouse_id or stock.tracking == "bundle":
        raise NotFound("stock.missing", "该仓库没有这个商品")
    lot = session.get(Lot, lot_id) if lot_id else None
    if (stock.tracking == "lot") != (lot is not None) or (lot is not None and lot.sku_id != stock.sku_id):
        raise NotFound("lot.missing", "批次不存在")
    wanted = select(CountLine).where(CountLine.count_id == count_id, CountLine.stock_id == stock_id, CountLine.lot_id == lot_id)
    found = session.scalar(wanted)
    if found is not None:
        return found
    line = CountLine(id=new_id(), count_id=count_id, stock_id=stock_id, lot_id=lot_id, frozen=0, counted=NOT_COUNTED)
    try:
        with session.begin_nested():
            session.add(line)
            session.flush()
    except UniqueViolation:
        return session.scalars(wanted).one()
    return line


def _counting(actor: Actor, count_id: int) -> Count:
    """Return a count being taken, with its row held. Raises NotFound, Conflict(`count.state`)."""
    count = get_for(actor, count_id)
    handled(actor, count.warehouse_id)
    if not cas.change(Count, count_id, where={"status": "counting"}, values={"status": "counting"}):
        raise Conflict("count.state", "盘点单不在盘点中，请刷新查看")
    return count


def enter(actor: Actor, count_id: int, line_id: int, units: int) -> None:
    """Enter what the clerk counted; entering again replaces it. Raises NotFound, Invalid, Conflict(`count.state`)."""
    _counting(actor, count_id)
    whole(units, field=f"units_{line_id}", least=0)
    line = session.get(CountLine, line_id)
    if line is None or line.count_id != count_id:
        raise NotFound("count.missing", "盘点单不存在")
    table = sql.table_of(CountLine)
    of_lot = select(LotStock.on_hand).where(LotStock.stock_id == line.stock_id, LotStock.lot_id == line.lot_id).scalar_subquery()
    of_row = select(Stock.on_hand).where(Stock.id == line.stock_id).scalar_subquery()
    book = func.coalesce(of_lot, 0) if line.lot_id else of_row
    # One statement reads the book and keeps the figure: nothing can be sold between the two.
    values = {table.c.book: book, table.c.counted: units, table.c.counted_by: actor.account_id}
    session.execute(update(table).where(table.c.id == line_id).values(values))
    session.expire_all()


def submit(actor: Actor, count_id: int) -> None:
    """Hand a finished count to the review. Raises NotFound, Invalid(`count.open_lines`), Conflict(`count.state`)."""
    count = _counting(actor, count_id)
    number = count.count_no
    left = session.scalar(
        select(func.count()).select_from(CountLine).where(CountLine.count_id == count_id, CountLine.counted == NOT_COUNTED)
    )
    if left:
        raise Invalid("count.open_lines", f"还有 {left} 行没有盘，没有货请填 0", field="lines")
    cas.move(Count, count_id, from_="counting", to="review", code="count.state", counted_by=actor.account_id)
    audit.record(actor, "count.submitted", "count", number)


def _reviewing(actor: Actor, count_id: int) -> Count:
    """Return a count the actor may review. Raises NotFound, Forbidden(`count.same_person`) for anybody who counted."""
    count = get_for(actor, count_id)
    handled(actor, count.warehouse_id)
    counters = set(session.scalars(select(CountLine.counted_by).where(CountLine.count_id == count_id).distinct()))
    if actor.account_id in counters | {count.counted_by}:
        raise Forbidden("count.same_person", "盘点与复核须由不同的人完成")
    return count


def approve(actor: Actor, count_id: int) -> int:
    """Book the differences of a count; returns how many lines differed. The reviewer is not who counted.

    Raises NotFound, Forbidden(`count.same_person`), Conflict(`count.state`, `lot.short`), OutOfStock when a shortage would leave
    less than orders were promised: those are to be cancelled first.
    """
    count = _reviewing(actor, count_id)
    number = count.count_no
    values = {"reviewed_by": actor.account_id, "closed_at": clock.now()}
    cas.move(Count, count_id, from_="review", to="closed", code="count.state", message="盘点单不在复核中，请刷新查看", **values)
    lines = [(x.id, x.stock_id, x.lot_id, x.counted - x.book) for x in differences(count_id)]
    totals: dict[int, int] = defaultdict(int)
    for _, stock_id, _, units in lines:
        totals[stock_id] += units
    sql.add_all(
        Movement,
        [
            movement(stock_id, "stocktake", "count", count_id, line_id, on_hand=units, account_id=actor.account_id, note=number)
            for line_id, stock_id, _, units in lines
        ],
    )
    for stock_id in sorted(totals):
        if not add(stock_id, on_hand=totals[stock_id]):
            sku_id = session.scalar(select(Stock.sku_id).where(Stock.id == stock_id)) or 0
            raise OutOfStock("stock.short", "盘亏后不足以满足已下单的数量，请先取消部分订单或重新盘点", sku_id=sku_id)
    for line_id, stock_id, lot_id, units in sorted(lines):
        if lot_id:
            cause = Cause("stocktake", "count", count_id, line_id, actor.account_id, number)
            if not lot_rows.change(lot_rows.row_of(stock_id, lot_id), stock_id, lot_id, cause, on_hand=units):
                raise Conflict("lot.short", "批次数量在盘点后已变化，请退回重新盘点")
    lot_rows.set_aside(sorted(totals))
    audit.record(actor, "count.approved", "count", number, detail={"lines": len(lines), "units": sum(x[3] for x in lines)})
    return len(lines)


def send_back(actor: Actor, count_id: int, reason: str) -> None:
    """Have a count taken again from empty lines. Raises NotFound, Forbidden(`count.same_person`), Invalid, Conflict(`count.state`)."""
    count = _reviewing(actor, count_id)
    number, why = count.count_no, reasoned(reason)
    cas.move(Count, count_id, from_="review", to="counting", code="count.state", note=why, counted_by=0)
    fresh = {"counted": NOT_COUNTED, "book": 0, "counted_by": 0}
    table = sql.table_of(CountLine)
    session.execute(update(table).where(table.c.count_id == count_id).values(**fresh))
    session.expire_all()
    audit.record(actor, "count.rejected", "count", number, detail={"reason": why})


def cancel(actor: Actor, count_id: int) -> None:
    """Give a count up; nothing was changed by it. Raises NotFound, Conflict(`count.state`)."""
    count = get_for(actor, count_id)
    handled(actor, count.warehouse_id)
    number = count.count_no
    cas.move(Count, count_id, from_=("counting", "review"), to="cancelled", code="count.state", closed_at=clock.now())
    audit.record(actor, "count.cancelled", "count", number)


def lines_of(count_id: int) -> Sequence[CountLine]:
    """Return a count's lines in stock order."""
    return session.scalars(select(CountLine).where(CountLine.count_id == count_id).order_by(CountLine.stock_id, CountLine.lot_id)).all()


def differences(count_id: int) -> Sequence[CountLine]:
    """Return the lines whose figure is not the book's."""
    rows = select(CountLine).where(CountLine.count_id == count_id, CountLine.counted >= 0, CountLine.counted != CountLine.book)
    return session.scalars(rows.order_by(CountLine.stock_id, CountLine.lot_id)).all()


def row_in(warehouse_id: int, sku_id: int) -> int:
    """Return the stock row of a SKU in a warehouse, 0 when there is none."""
    return session.scalar(select(Stock.id).where(Stock.warehouse_id == warehouse_id, Stock.sku_id == sku_id)) or 0
