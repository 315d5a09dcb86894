"""Warehouses of the demo region: the platform's network, and in the first shop lots, a half-received note, a transfer on its way,
a count that waits for its review, a bundle. Everything goes through the verbs; the demo does it once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.catalog.models import Product, Sku
from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.demo import region
from app.demo.accounts import MERCHANT_LOGIN, PASSWORD
from app.identity import queries as identity
from app.identity import service as identity_service
from app.inventory import service
from app.inventory.models import Stock, Warehouse
from app.inventory.service import alerts, bundles, counts, lots, receipts, settings, transfers, warehouses

HUB = "LZ-HUB"
CLERK, KEEPER = "cangguan", "cangchu"
SKUS = 6


def load() -> int:
    """Make the warehouses and the first shop's papers; returns how many warehouses were made, 0 when they are there."""
    with transaction():
        if session.scalar(select(Warehouse.id).where(Warehouse.code == HUB)) is not None:
            return 0
        made = _network()
        owner, clerk = _people()
    with transaction():
        shop = service.warehouse_of(owner.merchant_id).id
        skus = _skus(owner.merchant_id)
        _lots(owner, clerk, shop, skus[:3])
        hub = session.scalars(select(Warehouse.id).where(Warehouse.code == HUB)).one()
        move = transfers.request(clerk, shop, hub, [(skus[0], 6, 0), (skus[3], 4, 0)], "双十二备货").id
        transfers.ship(clerk, move)
        _count(clerk, shop, skus[3:5])
        _bundle(owner, skus)
        settings.set_safety(owner, _row(shop, skus[3]), 500)
    with transaction():
        alerts.scan()
    return made


def _network() -> int:
    """The region's central warehouse, two street-front ones below it, a third-party hub; returns how many."""
    areas = [code for code, _ in region.AREAS]
    hub = warehouses.create(SYSTEM, _place(HUB, "澜州区域中心仓", "central", areas[0], priority=200))
    for number, code in enumerate(areas[:2], start=1):
        name = f"{dict(region.AREAS)[code]}街道前置仓"
        warehouses.create(SYSTEM, _place(f"LZ-ST{number}", name, "street", code, parent_id=hub.id, area_codes=(code,)))
    warehouses.create(SYSTEM, _place("LZ-3PL", "临港物流园共享仓", "third_party", areas[-1], priority=300, partner="澜州物流园（虚构）"))
    return 4


def _place(code: str, name: str, kind: str, area_code: str, **more: Any) -> warehouses.WarehouseInput:
    return warehouses.WarehouseInput(code=code, name=name, kind=kind, area_code=area_code, **more)


def _people() -> tuple[Actor, Actor]:
    """The first shop's owner, and a new clerk of its warehouse; the platform gets a keeper."""
    owner = identity.find_by_login("merchant", MERCHANT_LOGIN)
    assert owner is not None  # noqa: S101 - the loader has made it
    if identity.find_by_login("operator", KEEPER) is None:
        identity_service.create_account(SYSTEM, "operator", KEEPER, "方仓储", password=PASSWORD, roles=("warehouse",))
    clerk = identity.find_by_login("merchant", CLERK) or identity_service.create_account(
        SYSTEM, "merchant", CLERK, "马仓管", password=PASSWORD, roles=("warehouse",), merchant_id=owner.merchant_id
    )
    return tuple(Actor("merchant", a.id, a.display_name, merchant_id=owner.merchant_id) for a in (owner, clerk))  # type: ignore[return-value]


def _skus(merchant_id: int) -> list[int]:
    wanted = select(Sku.id).join(Product, Product.id == Sku.product_id).where(Sku.merchant_id == merchant_id, Product.is_listed == 1)
    return list(session.scalars(wanted.order_by(Sku.id).limit(SKUS)))


def _row(warehouse_id: int, sku_id: int) -> int:
    return session.scalars(select(Stock.id).where(Stock.warehouse_id == warehouse_id, Stock.sku_id == sku_id)).one()


def _lots(owner: Actor, clerk: Actor, place: int, skus: list[int]) -> None:
    """Three products by lots: a fresh lot, one near its expiry, one set aside; the note still waits for goods."""
    for sku in skus:
        lots.keep_by_lots(owner, sku, shelf_days=360, min_remaining_days=15)
    note = receipts.create(clerk, place, [(sku, 60) for sku in skus], supplier="东坪种植合作社（虚构）", document_no="CG-2026-118").id
    today = clock.business_date()
    arrivals = (("D261101", -20, 340), ("D251210", -330, 30), ("D260701", -140, 220))
    lines = receipts.lines_of(note)
    for line_id, (number, produced, expires) in zip([line.id for line in lines], arrivals, strict=True):
        arrival = receipts.Arrival(
            40, lot_no=number, produced_on=today + timedelta(days=produced), expires_on=today + timedelta(days=expires)
        )
        receipts.receive(clerk, note, line_id, arrival, cause_id=new_id())
    stock_id = _row(place, skus[2])
    lot_id = transfers.lot_of(skus[2], "D260701")
    lots.quarantine(clerk, stock_id, lot_id, 3, "外箱受潮，待检", cause_id=new_id())


def _count(clerk: Actor, place: int, skus: list[int]) -> None:
    sheet = counts.begin(clerk, place, skus, "月度盘点").id
    for line in counts.lines_of(sheet):
        counts.enter(clerk, sheet, line.id, max(0, line.frozen - 1 if line.stock_id == _row(place, skus[0]) else line.frozen))
    counts.submit(clerk, sheet)


def _bundle(owner: Actor, skus: list[int]) -> None:
    """The last product of the list becomes a gift box of two others, once its own units are written off."""
    stock = session.get_one(Stock, _row(service.warehouse_of(owner.merchant_id).id, skus[5]))
    if stock.allocated or stock.reserved:
        return
    if stock.on_hand:
        service.change_on_hand(owner, stock.id, -stock.on_hand, cause_id=new_id(), note="改为礼盒，散货出清")
    bundles.set_bundle(owner, skus[5], [(skus[3], 1), (skus[4], 2)])
