"""Reads of the warehouse pages, scoped by who asks: merchants see their goods, operators everybody's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select

from app.catalog.models import Product, Sku
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Invalid
from app.core.paging import Page, cut, decode_cursor, paginate
from app.core.text import clean, half_width
from app.inventory.models import FOREVER, Alert, Component, Count, Item, Lot, LotStock, Movement, Receipt, Stock, Transfer, Warehouse
from app.inventory.service import alerts
from app.merchants.models import Merchant

MOVEMENTS = {
    "receive": "收货", "adjust": "调整", "reserve": "下单占用", "release": "占用释放", "allocate": "付款占用", "ship": "发货",
    "unallocate": "取消发货", "return_good": "退货入库", "return_bad": "退货不良", "transfer_out": "调拨出库", "transfer_in": "调拨入库",
    "stocktake": "盘点差异", "damage": "破损", "quarantine": "隔离", "restore": "解除隔离", "scrap": "报废", "hold": "活动预留",
    "unhold": "活动归还", "sell_quota": "活动下单",
}  # fmt: skip
SIZE = 30


@dataclass(frozen=True)
class Ware:
    """How a SKU reads on a warehouse page."""

    sku_id: int
    title: str
    option: str
    code: str
    barcode: str


def wares(sku_ids: Collection[int]) -> dict[int, Ware]:
    """Return the words for SKUs; one query for 500."""
    ids, found = sorted(sku_ids), dict[int, Ware]()
    statement = select(Sku.id, Product.title, Sku.option_key, Sku.code, Sku.barcode).join(Product, Product.id == Sku.product_id)
    for start in range(0, len(ids), 500):
        for row in session.execute(statement.where(Sku.id.in_(ids[start : start + 500]))):
            found[row[0]] = Ware(row[0], row[1], "" if row[2] == "-" else row[2], row[3], "" if row[4] == "-" else row[4])
    return found


def find_sku(merchant_id: int, text: str, *, field: str = "code") -> int:
    """Return a merchant's SKU by what a scanner or a hand typed: barcode first, then SKU code. Raises Invalid naming the text."""
    code = half_width(clean(text))[:64]
    if code:
        by_barcode = session.scalars(
            select(Sku.id).where(Sku.merchant_id == merchant_id, Sku.barcode == code, Sku.is_active == True).limit(2)  # noqa: E712 - SQL, not Python
        ).all()
        if len(by_barcode) > 1:
            raise Invalid("sku.ambiguous", f"条码 {code} 对应多个规格，请改填规格编码", field=field)
        found = by_barcode or session.scalars(select(Sku.id).where(Sku.merchant_id == merchant_id, Sku.code == code)).all()
        if found:
            return found[0]
    raise Invalid("sku.unknown", f"没有条码或规格编码为“{code}”的商品" if code else "请扫描或填写商品条码", field=field)


def _mine(statement: Select[Any], actor: Actor, column: Any) -> Select[Any]:
    return statement.where(column == actor.merchant_id) if actor.realm == "merchant" else statement


def stock_page(actor: Actor, *, warehouse_id: int = 0, code: str = "", cursor: str = "", size: int = SIZE) -> Page[Any]:
    """Return (stock, title, option, threshold, warehouse name, shop name), filtered by warehouse and barcode or code."""
    statement = _stock_rows(actor)
    if warehouse_id:
        statement = statement.where(Stock.warehouse_id == warehouse_id)
    if code:
        statement = statement.where(or_(Sku.barcode == code, Sku.code == code))
    return paginate(statement, [Stock.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def _stock_rows(actor: Actor) -> Select[Any]:
    statement = (
        select(Stock, Product.title, Sku.option_key, alerts.THRESHOLD, Warehouse.name, Merchant.shop_name)
        .join(Sku, Sku.id == Stock.sku_id)
        .join(Product, Product.id == Sku.product_id)
        .join(Warehouse, Warehouse.id == Stock.warehouse_id)
        .join(Merchant, Merchant.id == Stock.merchant_id)
    )
    return _mine(statement, actor, Stock.merchant_id)


def export_rows(actor: Actor, after: int, size: int = 1_000) -> list[Any]:
    """Return the next stock rows in id order for an export: (stock, title, option, SKU code, barcode, threshold, warehouse, shop)."""
    statement = _stock_rows(actor).add_columns(Sku.code, Sku.barcode).where(Stock.id > after)
    return list(session.execute(statement.order_by(Stock.id).limit(size)))


def ledger(stock: Stock, cursor: str = "", size: int = 50) -> Page[tuple[Movement, int]]:
    """Return (movement, units on hand after it), newest first; two queries, whatever the page."""
    balance = stock.on_hand
    statement = select(Movement).where(Movement.stock_id == stock.id)
    if cursor:
        last = int(decode_cursor(cursor, 1)[0])
        statement = statement.where(Movement.id < last)
        newer = select(func.sum(Movement.on_hand_delta)).where(Movement.stock_id == stock.id, Movement.id >= last)
        balance -= int(session.scalar(newer) or 0)
    rows = list(session.scalars(statement.order_by(Movement.id.desc()).limit(size + 1)))
    shown = []
    for row in rows:
        shown.append((row, balance))
        balance -= row.on_hand_delta
    return cut(shown, size, lambda pair: [pair[0].id])


def lots_page(actor: Actor, view: str, cursor: str = "") -> Page[Any]:
    """Return (lot, on hand, quarantined); view: near (expiring first) | blocked | all (newest first)."""
    sums = (
        select(LotStock.lot_id, func.sum(LotStock.on_hand).label("on_hand"), func.sum(LotStock.quarantined).label("quarantined"))
        .group_by(LotStock.lot_id)
        .subquery()
    )
    units, aside = func.coalesce(sums.c.on_hand, 0), func.coalesce(sums.c.quarantined, 0)
    statement = _mine(select(Lot, units, aside).outerjoin(sums, sums.c.lot_id == Lot.id), actor, Lot.merchant_id)
    if view == "near":
        near = statement.where(Lot.status == "open", Lot.expires_on < FOREVER, units > 0).order_by(Lot.expires_on, Lot.id).limit(200)
        return Page(list(session.execute(near)), "")
    if view == "blocked":
        statement = statement.where(or_(Lot.status != "open", aside > 0))
    return paginate(statement, [Lot.id], lambda r: [r[0].id], cursor=cursor, size=SIZE, scalars=False)


def lot_places(actor: Actor, lot_id: int) -> list[Any]:
    """Return (lot row, stock, warehouse name) of a lot the actor may see."""
    statement = (
        select(LotStock, Stock, Warehouse.name)
        .join(Stock, Stock.id == LotStock.stock_id)
        .join(Warehouse, Warehouse.id == Stock.warehouse_id)
        .where(LotStock.lot_id == lot_id)
        .order_by(LotStock.id)
    )
    return list(session.execute(_mine(statement, actor, Stock.merchant_id)))


def lots_in(stock_id: int) -> list[Any]:
    """Return (lot row, lot or None) of a stock row that hold anything; the lot is None for quarantine of a SKU without lots."""
    statement = (
        select(LotStock, Lot)
        .outerjoin(Lot, Lot.id == LotStock.lot_id)
        .where(LotStock.stock_id == stock_id, or_(LotStock.on_hand > 0, LotStock.quarantined > 0))
        .order_by(LotStock.id)
    )
    return list(session.execute(statement))


def alerts_page(actor: Actor, kind: str, cursor: str = "") -> Page[Any]:
    """Return (alert, stock, title, option, warehouse name, lot number) of open warnings, newest first."""
    statement = (
        select(Alert, Stock, Product.title, Sku.option_key, Warehouse.name, Lot.lot_no)
        .join(Stock, Stock.id == Alert.stock_id)
        .join(Sku, Sku.id == Stock.sku_id)
        .join(Product, Product.id == Sku.product_id)
        .join(Warehouse, Warehouse.id == Stock.warehouse_id)
        .outerjoin(Lot, Lot.id == Alert.lot_id)
        .where(Alert.closed_key == 0)
    )
    if kind in alerts.KINDS:
        statement = statement.where(Alert.kind == kind)
    statement = _mine(statement, actor, Alert.merchant_id)
    return paginate(statement, [Alert.id], lambda r: [r[0].id], cursor=cursor, size=SIZE, scalars=False)


def papers(actor: Actor, model: type[Receipt] | type[Transfer] | type[Count], status: str, cursor: str = "") -> Page[Any]:
    """Return purchase notes, transfers or counts, newest first, of one status or all."""
    statement = _mine(select(model), actor, model.merchant_id)
    if status:
        statement = statement.where(model.status == status)
    return paginate(statement, [model.id], lambda r: [r.id], cursor=cursor, size=SIZE)


def names_of(warehouse_ids: Collection[int]) -> dict[int, str]:
    """Return warehouse names by id."""
    rows = session.execute(select(Warehouse.id, Warehouse.name).where(Warehouse.id.in_(sorted(warehouse_ids))))
    return {row.id: row.name for row in rows}


def lot_numbers(lot_ids: Collection[int]) -> dict[int, Lot]:
    """Return lots by id."""
    return {lot.id: lot for lot in session.scalars(select(Lot).where(Lot.id.in_(sorted(lot_ids))))}


def item(sku_id: int) -> Item | None:
    """Return how a SKU is kept, None when nobody has said."""
    return session.scalar(select(Item).where(Item.sku_id == sku_id))


def bundles_page(actor: Actor, cursor: str = "") -> Page[Any]:
    """Return the bundle SKUs' items, newest first."""
    statement = _mine(select(Item).where(Item.tracking == "bundle"), actor, Item.merchant_id)
    return paginate(statement, [Item.id], lambda r: [r.id], cursor=cursor, size=SIZE)


def parts_of(sku_ids: Collection[int]) -> dict[int, list[Component]]:
    """Return components by bundle SKU."""
    found: dict[int, list[Component]] = {sku_id: [] for sku_id in sku_ids}
    for part in session.scalars(select(Component).where(Component.bundle_sku_id.in_(sorted(found))).order_by(Component.id)):
        found[part.bundle_sku_id].append(part)
    return found


def skus_of_rows(stock_ids: Collection[int]) -> dict[int, int]:
    """Return the SKU of each stock row, read in pieces."""
    ids, found = sorted(stock_ids), dict[int, int]()
    for start in range(0, len(ids), 500):
        rows = session.execute(select(Stock.id, Stock.sku_id).where(Stock.id.in_(ids[start : start + 500])))
        found |= {row.id: row.sku_id for row in rows}
    return found
