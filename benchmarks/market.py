"""The data the benchmarks run on: one shop and N listed products, inserted in bulk."""

from __future__ import annotations

from app.catalog import queries as catalog_queries
from app.catalog.models import Product, Sku
from app.core import clock, runtime
from app.core.db import session
from app.core.ids import new_id
from app.core.tx import transaction
from app.inventory.models import Movement, Stock
from app.inventory.service import warehouse_of
from app.merchants import queries as merchants
from dbadapters.portable import bulk_insert
from tests.factories import market

CHUNK = 5_000


def grow(shop: market.Shop, count: int) -> None:
    """Add `count` listed products with one SKU and stock each to the shop."""
    with transaction():
        merchant = merchants.shops([shop.merchant_id])[shop.merchant_id]
        warehouse_id = warehouse_of(shop.merchant_id).id
    category_id = catalog_queries.list_categories()[0].id
    picture, at = runtime.current().storage.put(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"), clock.now()
    for start in range(0, count, CHUNK):
        products, skus, stocks, movements = [], [], [], []
        for number in range(start, min(count, start + CHUNK)):
            product_id, sku_id, stock_id = new_id(), new_id(), new_id()
            products.append(
                {
                    "id": product_id, "merchant_id": shop.merchant_id, "category_id": category_id, "external_code": f"B{product_id}",
                    "title": f"澜州脐橙{number % 997} 精选 {number} 号", "subtitle": None, "area_code": merchant.area_code, "unit": "件",
                    "image_key": picture, "gallery": [], "blocks": [], "attributes": {}, "option_names": [], "tag_names": ["助农"],
                    "review": "approved", "shelf": "on", "is_listed": 1, "cold_chain": "ambient", "price_min_fen": 1_000 + number,
                    "price_max_fen": 1_000 + number, "sold_count": number % 3_001, "rating_sum": 0, "rating_count": 0, "version": 1,
                    "reject_reason": None, "submitted_at": None, "created_at": at, "updated_at": at,
                }
            )  # fmt: skip
            skus.append(
                {
                    "id": sku_id, "product_id": product_id, "merchant_id": shop.merchant_id, "code": f"K{sku_id}", "option_key": "-",
                    "options": {}, "price_fen": 1_000 + number, "cost_fen": 0, "weight_g": 500, "barcode": "-", "safety_stock": 0,
                    "is_active": True, "sort": 0,
                }
            )  # fmt: skip
            stocks.append(
                {
                    "id": stock_id, "warehouse_id": warehouse_id, "sku_id": sku_id, "merchant_id": shop.merchant_id,
                    "on_hand": 100_000, "allocated": 0, "reserved": 0, "quota_held": 0,
                }
            )  # fmt: skip
            movements.append(
                {
                    "id": new_id(), "stock_id": stock_id, "kind": "receive", "cause_type": "bench", "cause_id": stock_id, "line_id": 0,
                    "on_hand_delta": 100_000, "allocated_delta": 0, "reserved_delta": 0, "quota_delta": 0, "note": "-", "account_id": 0,
                    "at": at,
                }
            )  # fmt: skip
        with transaction():
            connection = session.connection()
            for table, rows in ((Product, products), (Sku, skus), (Stock, stocks), (Movement, movements)):
                bulk_insert(connection, table.__table__, rows)
