"""Parcels and pickups of the demo region: one on its way, one half sent, one cold with a breach, orders that wait at a point."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.catalog.models import Product, Sku
from app.core import clock
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.tx import transaction
from app.delivery import points
from app.delivery.models import PickupPoint
from app.demo import region
from app.demo.settlement import BUYER, pay, work
from app.fulfilment import queries, service
from app.fulfilment.models import Parcel
from app.identity import queries as identity
from app.identity.models import Address
from app.identity.service import create_account
from app.merchants.models import Merchant
from app.orders.models import Order

CLERK = "zitidian"
POINTS = (
    ("澜城社区便民店", "人民路 8 号（虚构）", True), ("滨澜街道前置仓", "沿江路 66 号（虚构）", True),
    ("果业联营社门店", "产业园 1 号（虚构）", False),
)  # fmt: skip


def load() -> None:
    """Make the points, their clerk, the orders and parcels once."""
    if session.scalar(select(PickupPoint.id).limit(1)) is not None:
        return
    shops = session.execute(
        select(Merchant.id, Merchant.shop_name).where(Merchant.code.startswith("DEMO"), Merchant.status == "active").order_by(Merchant.code)
    ).all()
    first = shops[0].id
    farm = next((shop.id for shop in shops if "农场" in shop.shop_name), first)
    point_id = _points(first)
    account = identity.find_by_login("consumer", BUYER)
    if account is None:
        return
    permissions, roles = identity.permissions_of(account.id)
    buyer = Actor("consumer", account.id, account.display_name, permissions, roles=roles)
    address_id = session.scalars(select(Address.id).where(Address.account_id == account.id).limit(1)).one()
    _on_the_way(pay(buyer, address_id, _skus(first, 0)), half=False)
    _on_the_way(pay(buyer, address_id, _skus(first, 1)), half=True)
    _cold(farm, buyer, address_id)
    ready = pay(buyer, address_id, _skus(first, 2), {first: point_id})
    with transaction():
        service.prepare(SYSTEM, ready)
    pay(buyer, address_id, _skus(first, 3), {first: point_id})
    work()


def _points(merchant_id: int) -> int:
    with transaction():
        made = [
            points.save(SYSTEM, merchant_id, points.PointInput(name, region.AREAS[0][0], street, "0000-12345", "每天 08:00–20:00", 80, 3, shared))
            for name, street, shared in POINTS
        ]
    with transaction():
        if identity.find_by_login("merchant", CLERK) is None:
            create_account(SYSTEM, "merchant", CLERK, "王店员", roles=("pickup_clerk",), merchant_id=merchant_id)
    return made[0]


def _skus(merchant_id: int, number: int, units: int = 3) -> list[tuple[int, int]]:
    rows = session.scalars(
        select(Sku.id).join(Product, Product.id == Sku.product_id)
        .where(Product.merchant_id == merchant_id, Product.is_listed == 1, Sku.is_active == True).order_by(Sku.id)  # noqa: E712
    ).all()  # fmt: skip
    return [(rows[(number * 5 + 7) % len(rows)], units)]


def _on_the_way(order_id: int, *, half: bool) -> None:
    order = session.get_one(Order, order_id)
    units = dict.fromkeys(queries.waiting_units(order), 1) if half else None
    with transaction():
        parcel = service.ship(SYSTEM, order_id, "local", f"LZ{order_id % 10**10:010d}", units)
        carrier, number = parcel.carrier, parcel.tracking_no
    for place, (kind, text) in enumerate((("collected", "快件已揽收"), ("in_transit", "快件已到达澜州区域中心仓"))):
        with transaction():
            service.track(carrier, number, f"demo-{kind}", kind, "澜州", text, clock.now() + timedelta(minutes=place))


def _cold(merchant_id: int, buyer: Actor, address_id: int) -> None:
    picked = _skus(merchant_id, 0, 1)
    with transaction():
        product_id = session.scalars(select(Sku.product_id).where(Sku.id == picked[0][0])).one()
        session.get_one(Product, product_id).cold_chain = "chilled"
    order_id = pay(buyer, address_id, picked)
    with transaction():
        service.ship(SYSTEM, order_id, "local", f"LZ{order_id % 10**10:010d}")
    parcel_id = session.scalars(select(Parcel.id).where(Parcel.order_id == order_id)).one()
    for number, tenths in enumerate((32, 41, 95, 58)):
        with transaction():
            service.record_temperature(parcel_id, f"demo{number}", tenths, "冷藏车 澜A·0001（虚构）", clock.now() + timedelta(minutes=number))
