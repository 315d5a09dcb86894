"""The data of a benchmark and the check after it; runs as a script inside the tree under test.

    python -P benchmarks/market.py seed|grow|index|importer|pending|check  < arguments.json

Reads the arguments as JSON from standard input, answers with one line of JSON. Nothing else of this package is imported, so
that an older tree can be seeded by it (`--against`); columns an older or newer table has beside these get their defaults.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table, func, or_, select

from app import boot
from app.catalog import queries as catalog_queries
from app.catalog import service as catalog
from app.catalog.models import Product, Sku
from app.core import clock, runtime
from app.core.actor import SYSTEM
from app.core.db import release_session, session
from app.core.ids import new_id
from app.core.jobs import Job
from app.core.tx import transaction
from app.identity import service as identity
from app.inventory.models import Movement, Stock
from app.inventory.service import warehouse_of
from app.merchants import queries as merchants
from app.merchants.models import Merchant
from app.migrations import run as migrations
from app.orders.models import Order, OrderLine, Trade
from app.search import replica
from config.sources import load_settings
from dbadapters.portable import bulk_insert
from tests.factories import market

CHUNK = 5_000
STOCK = 1_000_000
SAMPLE = 400
WORDS = ("脐橙", "绿茶", "香菇", "蜂蜜", "大米", "腊肉", "土鸡蛋", "菜籽油", "茶油", "木耳")
KINDS = ("精选", "一级", "特级", "农家", "当季", "手工", "老字号", "有机")


def fitted(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with exactly the columns of the table; what is not given takes the model's default."""
    missing: dict[str, Any] = {}
    for column in table.c:
        if column.name not in rows[0]:
            default = column.default
            if default is None and not column.nullable:
                raise LookupError(f"{table.name}.{column.name} has no default: tell the benchmark what it is")
            missing[column.name] = getattr(default, "arg", None)
    return [{**{k: v for k, v in row.items() if k in table.c}, **missing} for row in rows]


def seed(users: int) -> dict[str, Any]:
    """Make the schema, one shop, consumers with an address and a session; returns how to use them."""
    migrations.upgrade()
    boot.take_node()
    with transaction():
        identity.install_roles()
    shop = market.make_shop(stock=STOCK, price_fen=1_990)
    made = []
    for number in range(users):
        phone = f"139{number:08d}"
        with transaction():
            _, code = identity.request_code(phone, "-")
        with transaction():
            if not identity.check_code(phone, code):
                raise RuntimeError("the code just issued is refused")
            token, account = identity.sign_in_with_code(phone, address="127.0.0.1", agent="bench", agreed=True)
        with transaction():
            address = identity.add_address(
                market.actor_of(account), receiver="李四", phone=phone, street="幸福路 88 号", area_code="T01"
            )
            made.append({"token": token, "address_id": address.id})
        release_session()
    category = catalog_queries.list_categories()[0]
    return {"users": made, "merchant_id": shop.merchant_id, "category_id": category.id, "category": category.name}


def grow(total: int) -> dict[str, Any]:
    """Bring the shop to `total` listed products with one SKU and stock each; returns a sample to visit and to buy."""
    boot.take_node()
    merchant_id = session.scalars(select(Merchant.id).order_by(Merchant.id)).first() or 0
    present = session.scalar(select(func.count()).select_from(Product)) or 0
    for start in range(present, total, CHUNK):
        with transaction():
            connection = session.connection()
            for model, rows in zip((Product, Sku, Stock, Movement), _rows(merchant_id, start, min(total, start + CHUNK)), strict=True):
                table: Any = model.__table__  # type: ignore[attr-defined]
                bulk_insert(connection, table, fitted(table, rows))
        release_session()
    found = session.execute(
        select(Sku.product_id, Sku.id).where(Sku.merchant_id == merchant_id).order_by(Sku.id.desc()).limit(SAMPLE)
    ).all()
    return {"products": [p for p, _ in found], "skus": [s for _, s in found], "words": WORDS}


def _rows(merchant_id: int, start: int, end: int) -> tuple[list[dict[str, Any]], ...]:
    merchant = merchants.shops([merchant_id])[merchant_id]
    with_stock, at = warehouse_of(merchant_id).id, clock.now()
    category_id = catalog_queries.list_categories()[0].id
    picture = runtime.current().storage.put(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg")
    products, skus, stocks, movements = [], [], [], []
    none: list[Any] = []
    for number in range(start, end):
        product_id, sku_id, stock_id = new_id(), new_id(), new_id()
        title = f"澜州{WORDS[number % len(WORDS)]}{number % 997} {KINDS[number // 7 % len(KINDS)]} {number} 号"
        products.append(
            {
                "id": product_id, "merchant_id": merchant_id, "category_id": category_id, "external_code": f"B{product_id}",
                "title": title, "subtitle": None, "area_code": merchant.area_code, "unit": "件", "image_key": picture, "gallery": none,
                "blocks": none, "attributes": {}, "option_names": none, "tag_names": ["助农"], "review": "approved", "shelf": "on",
                "is_listed": 1, "cold_chain": "ambient", "price_min_fen": 1_000 + number % 9_000, "price_max_fen": 1_000 + number % 9_000,
                "sold_count": number % 3_001, "rating_sum": 0, "rating_count": 0, "version": 1, "reject_reason": None,
                "submitted_at": None, "created_at": at, "updated_at": at,
            }
        )  # fmt: skip
        skus.append(
            {
                "id": sku_id, "product_id": product_id, "merchant_id": merchant_id, "code": f"K{sku_id}", "option_key": "-",
                "options": {}, "price_fen": 1_000 + number % 9_000, "cost_fen": 0, "weight_g": 500, "barcode": "-", "safety_stock": 0,
                "is_active": True, "sort": 0,
            }
        )  # fmt: skip
        stocks.append(
            {
                "id": stock_id, "warehouse_id": with_stock, "sku_id": sku_id, "merchant_id": merchant_id, "on_hand": STOCK,
                "allocated": 0, "reserved": 0, "quota_held": 0,
            }
        )  # fmt: skip
        movements.append(
            {
                "id": new_id(), "stock_id": stock_id, "kind": "receive", "cause_type": "bench", "cause_id": stock_id, "line_id": 0,
                "on_hand_delta": STOCK, "allocated_delta": 0, "reserved_delta": 0, "quota_delta": 0, "note": "-", "account_id": 0,
                "at": at,
            }
        )  # fmt: skip
    return products, skus, stocks, movements


def index() -> dict[str, int]:
    """Build the search replica of this node anew; returns the products in it."""
    return {"products": replica.current().rebuild()}


def pending() -> dict[str, int]:
    """Return how many jobs are due or running."""
    due = (Job.status == "queued") & (Job.due_at <= clock.now())
    number = session.scalar(select(func.count()).select_from(Job).where(due | (Job.status == "running")))
    return {"due": number or 0}


def check(accepted: list[str], unknown: int) -> dict[str, Any]:
    """Compare what buyers were told with what the database holds; problems is empty when all agree.

    accepted: trade numbers seen in answers, each once; unknown: attempts that never got an answer.
    """
    problems = []
    if len(set(accepted)) != len(accepted):
        problems.append(f"{len(accepted) - len(set(accepted))} trade numbers were given out twice")
    known = set(session.scalars(select(Trade.trade_no)))
    lost = set(accepted) - known
    if lost:
        problems.append(f"{len(lost)} accepted trades are not in the database, {sorted(lost)[0]} among them")
    unseen = len(known - set(accepted))
    if unseen > unknown:
        problems.append(f"{unseen} trades nobody was told of, but only {unknown} attempts without an answer")
    orders_of = dict(session.execute(select(Order.trade_id, func.count()).group_by(Order.trade_id)).tuples().all())
    trades = set(session.scalars(select(Trade.id)))
    if trades - set(orders_of):
        problems.append(f"{len(trades - set(orders_of))} trades have no order")
    with_lines = set(session.scalars(select(OrderLine.order_id).distinct()))
    without = set(session.scalars(select(Order.id))) - with_lines
    if without:
        problems.append(f"{len(without)} orders have no line")
    problems += _stock_problems()
    return {"trades": len(known), "accepted": len(accepted), "unseen": unseen, "unknown": unknown, "problems": problems}


def _stock_problems() -> list[str]:
    """Return where the units that left the free stock are not the units on standing orders, or columns differ from movements."""
    bought: Mapping[int, int] = {
        sku: int(units)
        for sku, units in session.execute(
            select(OrderLine.sku_id, func.sum(OrderLine.quantity))
            .join(Order, Order.id == OrderLine.order_id)
            .where(Order.status != "cancelled")
            .group_by(OrderLine.sku_id)
        )
    }
    taken = {
        sku: int(units)
        for sku, units in session.execute(
            select(Stock.sku_id, Stock.allocated + Stock.reserved).where((Stock.allocated > 0) | (Stock.reserved > 0))
        )
    }
    wrong = {sku for sku in {*bought, *taken} if bought.get(sku, 0) != taken.get(sku, 0)}
    problems = [f"{len(wrong)} variants hold other units than their orders say, SKU {min(wrong)} among them"] if wrong else []
    different = _columns_off()
    return problems + ([f"{different} stock rows differ from the sum of their movements"] if different else [])


def _columns_off() -> int:
    """Return how many stock rows are not the sum of their movements; counted by the database, since there may be a million."""
    pairs = (
        (Stock.on_hand, Movement.on_hand_delta), (Stock.allocated, Movement.allocated_delta),
        (Stock.reserved, Movement.reserved_delta), (Stock.quota_held, Movement.quota_delta),
    )  # fmt: skip
    sums = select(Movement.stock_id, *(func.sum(moved).label(column.key) for column, moved in pairs)).group_by(Movement.stock_id).subquery()
    off = or_(*(column != func.coalesce(sums.c[column.key], 0) for column, _ in pairs))
    return session.scalar(select(func.count()).select_from(Stock).outerjoin(sums, sums.c.stock_id == Stock.id).where(off)) or 0


def importer() -> dict[str, str]:
    """Make the category the generated sheet names; returns the code of the merchant that imports it."""
    boot.take_node()
    merchant = session.scalars(select(Merchant).order_by(Merchant.id).limit(1)).one()
    with transaction():
        catalog.create_category(SYSTEM, code="bench-import", name="导入类目")
    return {"code": merchant.code}


COMMANDS: dict[str, Callable[..., Any]] = {
    "seed": seed, "grow": grow, "index": index, "pending": pending, "check": check, "importer": importer,
}  # fmt: skip


def main() -> None:
    """Run one command."""
    command, arguments = sys.argv[1], json.loads(sys.stdin.read() or "{}")
    boot.start(load_settings())
    try:
        answer = COMMANDS[command](**arguments)
    finally:
        release_session()
        boot.stop()
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
