"""Listed products in a few lines, written as rows: search needs no approval flow. Callers hold the transaction."""

from __future__ import annotations

from typing import Any

from app.catalog.models import Category, Product, Sku
from app.core import clock
from app.core.db import session
from app.core.ids import new_id
from app.identity.models import Area
from app.inventory.models import Stock, Warehouse
from app.merchants.models import Licence, Merchant


def make_area(code: str = "a1", name: str = "云屏县") -> Area:
    """Add a district."""
    area = Area(id=new_id(), code=code, name=name, parent_code="-", sort=1)
    session.add(area)
    return area


def make_category(name: str = "茶叶", parent_id: int = 0, code: str = "") -> Category:
    """Add a category."""
    key = new_id()
    category = Category(
        id=key, code=code or f"c{key}", name=name, parent_id=parent_id, icon="leaf", sort=1,
        document_required="-", product_count=0,
    )  # fmt: skip
    session.add(category)
    return category


def make_shop(name: str = "云顶茶叶合作社", **changes: Any) -> Merchant:
    """Add an active merchant with its business licence."""
    key = new_id()
    values: dict[str, Any] = {
        "id": key, "code": f"m{key}", "name": f"{name}（示例）", "shop_name": name, "area_code": "a1", "contact_name": "林",
        "contact_phone_enc": "-", "status": "active", "applied_at": clock.now(), **changes,
    }  # fmt: skip
    merchant = Merchant(**values)
    session.add(merchant)
    session.add(
        Licence(
            id=new_id(), merchant_id=merchant.id, kind="business", number="91350000MA2XN0AB1C", holder=merchant.name,
            file_key="-",
        )
    )  # fmt: skip
    return merchant


def make_listed(
    merchant: Merchant,
    category: Category,
    title: str,
    skus: tuple[tuple[dict[str, str], int, int], ...] = (({}, 5_800, 10),),
    **changes: Any,
) -> Product:
    """Add a listed product; skus: (options, price in fen, stock)."""
    key, at = new_id(), clock.now()
    prices = [price for _, price, _ in skus]
    values: dict[str, Any] = {
        "id": key, "merchant_id": merchant.id, "category_id": category.id, "external_code": f"-{key}", "title": title,
        "area_code": "a1", "gallery": [], "blocks": [], "attributes": {}, "option_names": list(skus[0][0]),
        "tag_names": [], "review": "approved", "shelf": "on", "is_listed": 1, "price_min_fen": min(prices),
        "price_max_fen": max(prices), "created_at": at, "updated_at": at, **changes,
    }  # fmt: skip
    product = Product(**values)
    session.add(product)
    house = Warehouse(id=new_id(), merchant_id=merchant.id, code=f"w{key}", name="仓", kind="merchant", area_code="a1")
    session.add(house)
    for number, (options, price, stock) in enumerate(skus):
        sku = Sku(
            id=new_id(), product_id=key, merchant_id=merchant.id, code=f"s{key}-{number}", price_fen=price,
            option_key=" / ".join(options.values()) or "-", options=options, sort=number, is_active=True,
        )  # fmt: skip
        session.add(sku)
        session.add(
            Stock(
                id=new_id(), warehouse_id=house.id, sku_id=sku.id, merchant_id=merchant.id, on_hand=stock,
                allocated=0, reserved=0, quota_held=0,
            )
        )  # fmt: skip
    return product
