"""Freight templates, promises and the calendar of the demo region; what exists is left alone."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.catalog.models import Category, Product
from app.core import clock
from app.core.actor import SYSTEM
from app.core.db import session
from app.delivery import queries, service
from app.delivery.models import Holiday
from app.delivery.spec import RegionRule, TemplateSpec
from app.demo import region
from app.merchants.models import Merchant

CITY = tuple(code for code, name in region.AREAS if name.endswith("区"))
FAR = tuple(code for code, name in region.AREAS if name.endswith("县"))
BY_WEIGHT = TemplateSpec(
    "全域按重计费", "weight",
    (RegionRule((), 1_000, 800, 1_000, 200, 9_900), RegionRule(CITY, 1_000, 500, 1_000, 100, 5_900)),
)  # fmt: skip
FRESH = TemplateSpec(
    "生鲜冷链", "weight", (RegionRule(CITY, 2_000, 1_200, 1_000, 300, 15_900), RegionRule(FAR[:3], 2_000, 1_800, 1_000, 400)), FAR[-1:],
    "冷链车暂未通达",
)  # fmt: skip
FURNITURE = TemplateSpec(
    "家具专线", "piece", (RegionRule(CITY, 1, 8_000, 1, 4_000), RegionRule(FAR, 1, 15_000, 1, 8_000)), (), ""
)
PROMISES = (
    service.PromiseInput("城区当日达", 0, 16 * 60, 21 * 60, CITY, capacity=200),
    service.PromiseInput("全域次日达", 1, 18 * 60, 20 * 60),
)
SLOW = service.PromiseInput("家具专线 3 日达", 3, 17 * 60, 18 * 60)


def load() -> None:
    """Give the demo shops their rules: fresh farms a cold chain, workshops furniture lines, all others weight."""
    if not session.scalars(select(Holiday.id)).first():
        service.add_holiday(SYSTEM, clock.business_date() + timedelta(days=20), "仓配中心年度盘点")
    shops = session.execute(
        select(Merchant.id, Merchant.shop_name).where(Merchant.code.startswith("DEMO"), Merchant.status == "active").order_by(Merchant.id)
    ).all()
    for shop in shops:
        if not queries.list_templates(shop.id):
            _shop(shop.id, shop.shop_name)


def _shop(merchant_id: int, name: str) -> None:
    default = FRESH if "农场" in name else BY_WEIGHT
    service.add_template(SYSTEM, merchant_id, default)
    heavy = session.scalars(
        select(Product.id)
        .join(Category, Category.id == Product.category_id)
        .where(Product.merchant_id == merchant_id, Category.code == "furniture")
    ).all()
    if heavy:
        template = service.add_template(SYSTEM, merchant_id, FURNITURE)
        for product_id in heavy:
            service.bind(SYSTEM, template.id, product_id)
        service.add_promise(SYSTEM, merchant_id, SLOW)
    for promise in PROMISES:
        service.add_promise(SYSTEM, merchant_id, promise)
