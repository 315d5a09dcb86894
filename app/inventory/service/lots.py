"""Verbs of lots: keep a SKU by lots, open a lot, receive into it, block and open it again, quarantine, restore, scrap (T18).

Lock order: lot, stock rows in id order, lot rows under them.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.inventory import queries
from app.inventory.models import FOREVER, Item, Lot, LotStock, Stock
from app.inventory.service import lot_rows
from app.inventory.service.columns import OutOfStock, add, movement, once, reasoned, stock_for, whole, workable
from app.inventory.service.lot_rows import Cause
from app.inventory.service.stock import OPENING, opening_lot
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

MOST_DAYS = 3_650
BLOCK_BATCH = 200


def item_of(sku_id: int, merchant_id: int) -> Item:
    """Return how a SKU is kept, made on first use."""
    wanted = select(Item).where(Item.sku_id == sku_id)
    found = session.scalar(wanted)
    if found is not None:
        return found
    item = Item(id=new_id(), sku_id=sku_id, merchant_id=merchant_id)
    try:
        with session.begin_nested():
            session.add(item)
            session.flush()
    except UniqueViolation:
        return session.scalars(wanted).one()
    return item


def keep_by_lots(actor: Actor, sku_id: int, *, shelf_days: int = 0, min_remaining_days: int = 0) -> None:
    """Keep a SKU by lots from now on, or change its days; units already there become an opening lot without expiry.

    Raises NotFound for a foreign SKU, Invalid for absurd days, Conflict(`stock.bundle`) for a bundle.
    """
    merchant_id = queries.owner_of(actor, sku_id)
    if not (0 <= shelf_days <= MOST_DAYS and 0 <= min_remaining_days <= MOST_DAYS):
        raise Invalid("stock.days", f"请填写 0–{MOST_DAYS} 的天数", field="shelf_days")
    item = item_of(sku_id, merchant_id)
    if item.tracking == "bundle":
        raise Conflict("stock.bundle", "组合商品不单独管理批次")
    item.tracking, item.shelf_days, item.min_remaining_days = "lot", shelf_days, min_remaining_days
    session.flush()
    stock_ids = session.scalars(select(Stock.id).where(Stock.sku_id == sku_id).order_by(Stock.id)).all()
    opening = opening_lot(merchant_id, sku_id) if stock_ids else 0
    table = sql.table_of(Stock)
    for stock_id in stock_ids:
        fresh = sql.change(update(table).where(table.c.id == stock_id, table.c.tracking == "none").values(tracking="lot"), {})
        units = session.scalar(select(table.c.on_hand).where(table.c.id == stock_id)) or 0
        if fresh == 1 and units:  # the row is locked now: nobody moves units meanwhile
            cause = Cause("receive", "tracking", item.id, account_id=actor.account_id, note="启用批次管理")
            lot_rows.change(lot_rows.row_of(stock_id, opening), stock_id, opening, cause, on_hand=units)
    for lot in session.scalars(select(Lot).where(Lot.sku_id == sku_id, Lot.expires_on < FOREVER)):
        lot.last_sale_on = lot.expires_on - timedelta(days=min_remaining_days)
    session.flush()
    session.expire_all()
    detail = {"shelf_days": shelf_days, "min_remaining_days": min_remaining_days}
    audit.record(actor, "stock.tracked", "sku", sku_id, detail=detail)


def open_lot(
    actor: Actor, sku_id: int, lot_no: str, *, produced_on: date | None = None, expires_on: date | None = None,
    supplier: str = "-", document_no: str = "-",
) -> Lot:  # fmt: skip
    """Return a SKU's lot of that number, made when it is new. Without a printed expiry it is produced_on + shelf life.

    Raises NotFound, Invalid(`lot.number`, `lot.dates`), Conflict(`lot.differs`) when the lot is known with other dates.
    """
    merchant_id = queries.owner_of(actor, sku_id)
    item = item_of(sku_id, merchant_id)
    number = clean(lot_no)[:40]
    if not number or number == OPENING:
        raise Invalid("lot.number", "请填写批次号", field="lot_no")
    expires = expires_on or (produced_on + timedelta(days=item.shelf_days) if produced_on and item.shelf_days else FOREVER)
    if produced_on and (produced_on > clock.business_date() + timedelta(days=1) or expires <= produced_on):
        raise Invalid("lot.dates", "到期日应晚于生产日，生产日不能在将来", field="produced_on")
    wanted = select(Lot).where(Lot.sku_id == sku_id, Lot.lot_no == number)
    known = session.scalar(wanted)
    if known is None:
        last_sale = expires if expires == FOREVER else expires - timedelta(days=item.min_remaining_days)
        lot = Lot(
            id=new_id(), merchant_id=merchant_id, sku_id=sku_id, lot_no=number, produced_on=produced_on, expires_on=expires,
            last_sale_on=last_sale, supplier=clean(supplier)[:80] or "-", document_no=clean(document_no)[:60] or "-",
            created_at=clock.now(),
        )  # fmt: skip
        try:
            with session.begin_nested():
                session.add(lot)
                session.flush()
            audit.record(actor, "lot.opened", "lot", lot.id, detail={"lot_no": number, "expires_on": str(expires)})
            return lot
        except UniqueViolation:
            known = session.scalars(wanted).one()
    given = (produced_on or known.produced_on, expires if expires_on or produced_on else known.expires_on)
    if given != (known.produced_on or produced_on, known.expires_on):
        raise Conflict("lot.differs", f"批次 {number} 已登记为到期日 {known.expires_on}，与填写的不一致", field="expires_on")
    return known


def receive_into(actor: Actor, stock_id: int, lot: Lot, quantity: int, *, cause: Cause) -> bool:
    """Receive units of a lot into a stock row kept by lots; False when this cause was booked before.

    What arrives of a blocked lot, or too late to be sold, goes into quarantine. Raises NotFound, Invalid.
    """
    stock = stock_for(actor, stock_id)
    whole(quantity, field="quantity")
    if lot.sku_id != stock.sku_id:
        raise NotFound("lot.missing", "批次不存在")
    if stock.tracking != "lot":
        raise Conflict("stock.untracked", "该商品没有启用批次管理")
    sellable = lot.status == "open" and lot.last_sale_on >= clock.business_date()
    moved = movement(
        stock_id, cause.kind, cause.type, cause.id, cause.line_id, on_hand=quantity if sellable else 0, account_id=cause.account_id,
        note=cause.note if sellable else f"批次 {lot.lot_no} 不可售，入隔离区 {quantity} 件",
    )  # fmt: skip
    if not once([moved]):
        return False
    lot_id, row_id = lot.id, lot_rows.row_of(stock_id, lot.id)
    if not add(stock_id, on_hand=quantity if sellable else 0):
        raise RunAgain("the stock row is gone")
    columns = {"on_hand": quantity} if sellable else {"quarantined": quantity}
    lot_rows.change(row_id, stock_id, lot_id, cause, **columns)
    lot_rows.set_aside([stock_id])
    return True


def get_lot(actor: Actor, lot_id: int) -> Lot:
    """Return a lot the actor may see. Raises NotFound."""
    lot = session.get(Lot, lot_id)
    if lot is None or (actor.realm == "merchant" and lot.merchant_id != actor.merchant_id):
        raise NotFound("lot.missing", "批次不存在")
    return lot


def block(actor: Actor, lot_id: int, reason: str, *, to: str = "blocked") -> int:
    """Stop a lot from being shipped, wherever it lies; returns how many units left sale at once.

    Units that orders were promised stay counted, so that nobody else is promised them, and follow when they are freed.
    Raises NotFound, Invalid without a reason, Conflict(`lot.state`) when it is not open.
    """
    lot = get_lot(actor, lot_id)
    why = reasoned(reason)
    from_ = ("open", "blocked") if to == "recalled" else "open"
    cas.move(Lot, lot_id, from_=from_, to=to, code="lot.state", message="批次已隔离或已召回，请刷新查看", reason=why)
    rows = session.scalars(select(LotStock.stock_id).where(LotStock.lot_id == lot_id).order_by(LotStock.stock_id)).all()
    for stock_id in rows:
        add(stock_id)  # the lock: whoever ships from here now has either finished or finds the lot blocked
    moved = lot_rows.set_aside(rows)
    audit.record(actor, f"lot.{to}", "lot", lot_id, detail={"lot_no": lot.lot_no, "reason": why, "units": moved})
    return moved


def reopen(actor: Actor, lot_id: int, reason: str) -> None:
    """Let a blocked lot be shipped again; its quarantined units are restored one by one. Raises NotFound, Conflict(`lot.state`)."""
    lot = get_lot(actor, lot_id)
    why = reasoned(reason)
    if lot.last_sale_on < clock.business_date():
        raise Conflict("lot.expired", "批次已过可售期，不能解除隔离")
    cas.move(Lot, lot_id, from_="blocked", to="open", code="lot.state", message="批次不在隔离状态，请刷新查看", reason=why)
    audit.record(actor, "lot.reopened", "lot", lot_id, detail={"reason": why})


def quarantine(actor: Actor, stock_id: int, lot_id: int, quantity: int, reason: str, *, cause_id: int, kind: str = "quarantine") -> bool:
    """Take units (of one lot, 0 for a SKU without lots) out of sale; False when this cause was booked before.

    Raises NotFound, Invalid, OutOfStock when fewer are free, Conflict(`lot.short`) when the lot holds fewer.
    """
    stock = workable(actor, stock_id)
    whole(quantity)
    why = reasoned(reason)
    _fits(stock, lot_id)
    cause = Cause(kind, "quarantine", cause_id, account_id=actor.account_id, note=why)
    sku_id = stock.sku_id
    if not once([movement(stock_id, kind, cause.type, cause_id, on_hand=-quantity, account_id=actor.account_id, note=why)]):
        return False
    row_id = lot_rows.row_of(stock_id, lot_id)
    if not add(stock_id, on_hand=-quantity):
        raise OutOfStock("stock.short", "可用库存不足：已被订单占用的数量不能隔离，可先隔离整个批次", sku_id=sku_id)
    if not lot_rows.change(row_id, stock_id, lot_id, cause, on_hand=-quantity if lot_id else 0, quarantined=quantity):
        raise Conflict("lot.short", "该批次没有这么多库存", field="units")
    audit.record(actor, "stock.quarantined", "stock", stock_id, detail={"lot_id": lot_id, "units": quantity, "reason": why})
    return True


def _fits(stock: Stock, lot_id: int) -> None:
    """Raise NotFound unless the lot is of the row's SKU, or 0 for a SKU without lots."""
    lot = session.get(Lot, lot_id) if lot_id else None
    if (stock.tracking == "lot") != (lot is not None) or (lot is not None and lot.sku_id != stock.sku_id):
        raise NotFound("lot.missing", "批次不存在")


def restore(actor: Actor, row_id: int, quantity: int, reason: str, *, cause_id: int) -> bool:
    """Give quarantined units back to sale; False when booked before. Raises NotFound, Invalid, Conflict(`lot.state`, `lot.short`)."""
    row, why = _quarantined(actor, row_id, quantity, reason)
    stock_id, lot_id = row.stock_id, row.lot_id
    cause = Cause("restore", "quarantine", cause_id, account_id=actor.account_id, note=why)
    if not once([movement(stock_id, cause.kind, cause.type, cause_id, on_hand=quantity, account_id=actor.account_id, note=why)]):
        return False
    add(stock_id, on_hand=quantity)
    if lot_id:  # read under the lock: a lot blocked meanwhile stays out of sale
        lot = session.execute(select(Lot.status, Lot.last_sale_on).where(Lot.id == lot_id)).one()
        if lot.status != "open" or lot.last_sale_on < clock.business_date():
            raise Conflict("lot.state", "批次已隔离、召回或已过可售期，不能恢复销售")
    if not lot_rows.change(row_id, stock_id, lot_id, cause, on_hand=quantity if lot_id else 0, quarantined=-quantity):
        raise Conflict("lot.short", "隔离区没有这么多", field="units")
    lot_rows.set_aside([stock_id])
    audit.record(actor, "stock.restored", "stock", stock_id, detail={"lot_id": lot_id, "units": quantity, "reason": why})
    return True


def scrap(actor: Actor, row_id: int, quantity: int, reason: str, *, cause_id: int) -> bool:
    """Write quarantined units off (报废); False when booked before. Raises NotFound, Invalid, Conflict(`lot.short`)."""
    row, why = _quarantined(actor, row_id, quantity, reason)
    stock_id, lot_id = row.stock_id, row.lot_id
    cause = Cause("scrap", "quarantine", cause_id, account_id=actor.account_id, note=why)
    if not once([movement(stock_id, cause.kind, cause.type, cause_id, account_id=actor.account_id, note=f"{quantity} 件：{why}"[:120])]):
        return False
    add(stock_id)
    if not lot_rows.change(row_id, stock_id, lot_id, cause, quarantined=-quantity):
        raise Conflict("lot.short", "隔离区没有这么多", field="units")
    audit.record(actor, "stock.scrapped", "stock", stock_id, detail={"lot_id": lot_id, "units": quantity, "reason": why})
    return True


def _quarantined(actor: Actor, row_id: int, quantity: int, reason: str) -> tuple[LotStock, str]:
    row = session.get(LotStock, row_id)
    if row is None:
        raise NotFound("lot.missing", "批次不存在")
    workable(actor, row.stock_id)
    whole(quantity)
    return row, reasoned(reason)


def block_expired() -> int:
    """Periodic job: block lots that can no longer be sold with enough days left; returns how many. Repeating changes nothing."""
    today = clock.business_date()
    late = session.execute(
        select(Lot.id, Lot.expires_on).where(Lot.status == "open", Lot.last_sale_on < today).order_by(Lot.last_sale_on).limit(BLOCK_BATCH)
    ).all()
    for lot_id, expires_on in late:
        block(SYSTEM, lot_id, "已过期" if expires_on < today else "剩余效期不足，不再销售")
    return len(late)


def damage(actor: Actor, stock_id: int, lot_id: int, quantity: int, reason: str, *, cause_id: int) -> bool:
    """Note damaged units (破损): they go into quarantine, to be scrapped or restored after a look. Raises as `quarantine`."""
    return quarantine(actor, stock_id, lot_id, quantity, reason, cause_id=cause_id, kind="damage")
