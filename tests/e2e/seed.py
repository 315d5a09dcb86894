"""Fill an empty home with a small market and its accounts; prints them as JSON. Run: python -m tests.e2e.seed."""

from __future__ import annotations

import json
import sys
from typing import Any

from sqlalchemy import select, update
from stdnum.cn import uscc

from app import boot
from app.catalog import queries as catalog_queries
from app.catalog import service as catalog
from app.catalog.models import Sku
from app.cli import prepare_schema
from app.content import service as content
from app.core import cache_reset, jobs, runtime
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.tx import transaction
from app.delivery import points
from app.fulfilment import service as fulfilment
from app.identity import service as identity
from app.identity.models import Account
from app.inventory import service as inventory
from app.inventory.service import lots, warehouses
from app.merchants import service as merchants
from config.sources import load_settings
from tests.factories import market
from tests.factories import orders as paid_orders

PICTURE = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><rect width='8' height='8' fill='#dcebdd'/>"
    "<circle cx='4' cy='4' r='2' fill='#1a7a48'/></svg>"
)


def main() -> None:
    """Seed the home named in the environment."""
    settings = load_settings()
    boot.start(settings)
    prepare_schema(settings)
    shop = market.make_shop(stock=50, free_over_fen=5_000)
    tea = _product(shop, "高山云雾绿茶", ("125g", "250g"), 5_800)
    waiting = _product(shop, "山野黑木耳", (), 3_900, approve=False)
    applicant = _applicant()
    with transaction():
        content.publish_agreement(SYSTEM, "terms", title="用户协议", body="请遵守约定。")
        content.publish_agreement(SYSTEM, "privacy", title="隐私政策", body="只收集必要的信息。")
        content.publish_agreement(SYSTEM, "trading", title="交易规则", body="商家须在 48 小时内发货。")
        notice = content.draft_notice(SYSTEM, title="冬季配送时效说明", body="## 时效\n山区多一天。")
        session.flush()
        content.publish_notice(SYSTEM, notice.id)
        job = jobs.enqueue("carts.purge_expired", {}, key="e2e-parked")
    with transaction():
        row = session.get_one(jobs.Job, job)
        row.status, row.attempts, row.last_error = jobs.PARKED, 8, "OperationalError: database is locked"
    logins = {
        "merchant": shop.login, "gov": market.staff("government", "supervisor"), "reviewer": market.staff("operator", "reviewer"),
        "operator": market.staff("operator", "operations"), "engineer": market.staff("operator", "system"),
        "auditor": market.staff("security", "audit_admin"), "sysadmin": market.staff("security", "system_admin"),
        "secadmin": market.staff("security", "security_admin"),
    }  # fmt: skip
    to_send, pickup_code = _dispatch(logins)
    logins["keeper"] = _keeper(shop)
    fresh = _staff_with_initial_password()
    facts = {
        "product_id": str(tea), "waiting_id": str(waiting), "applicant_id": str(applicant), "job_id": str(job), "logins": logins,
        "to_send": to_send, "pickup_code": pickup_code, "fresh_login": fresh, "password": market.PASSWORD,
    }  # fmt: skip
    boot.stop()
    json.dump(facts, sys.stdout)


def _dispatch(logins: dict[str, str]) -> tuple[list[int], str]:
    """Make a shop with two orders to send and one on a pickup point's shelf, its clerks; returns the orders and the code."""
    shop = market.make_shop(stock=30)
    with transaction():
        point_id = points.save(SYSTEM, shop.merchant_id, points.PointInput("社区自提点", "T01", "测试路 2 号", "0000-1", "每天", 9))
        for role in ("clerk", "pickup_clerk"):
            login = f"{role.replace('_', '')}-e2e"
            identity.create_account(SYSTEM, "merchant", login, "店员", password=market.PASSWORD, roles=(role,), merchant_id=shop.merchant_id)
            logins[{"clerk": "warehouse", "pickup_clerk": "pickup"}[role]] = login
    to_send = [paid_orders.paid(shop).id for _ in range(2)]
    waiting = paid_orders.paid(shop, points={shop.merchant_id: point_id})
    with transaction():
        return to_send, fulfilment.prepare(SYSTEM, waiting.id)


def _product(shop: Any, title: str, sizes: tuple[str, ...], price_fen: int, *, approve: bool = True) -> int:
    """Make one product of the shop with stock; on the shelf, or waiting for its review."""
    skus = [catalog.SkuInput((size,), price_fen + 5_000 * i) for i, size in enumerate(sizes)] or [catalog.SkuInput((), price_fen)]
    with transaction():
        category = catalog_queries.list_categories()[0].id
        data = catalog.ProductInput(
            category_id=category, title=title, skus=skus, option_names=("净含量",) if sizes else (),
            image_key=runtime.current().storage.put(PICTURE.encode(), "svg"), subtitle="产地直发",
            blocks=({"kind": "heading", "text": "产地"}, {"kind": "paragraph", "text": "海拔八百米。"}),
        )  # fmt: skip
        product = catalog.create_product(SYSTEM, data, merchant_id=shop.merchant_id)
        session.flush()
        catalog.submit(SYSTEM, product.id)
        if approve:
            catalog.approve(SYSTEM, product.id)
            catalog.put_on_shelf(SYSTEM, product.id)
        ids = [s.id for s in catalog_queries.skus_of(product.id)]
        inventory.receive_declared(shop.merchant_id, ids, [40] * len(ids), product.id)
        return product.id


def _applicant() -> int:
    """Make a merchant that waits for the operators."""
    body = "91999900MB0009999"
    with transaction():
        merchant = merchants.apply(
            SYSTEM, name="测试区新茶合作社", shop_name="新茶合作社", area_code="T01", contact_name="陈新", contact_phone="13700009999",
            licence_number=body + uscc.calc_check_digit(body), login_name="newshop", password=market.PASSWORD, street="新路 9 号",
            code="NEW9",
        )  # fmt: skip
        session.flush()
        return merchant.id


def _keeper(shop: Any) -> str:
    """Make the shop's warehouse clerk, a platform warehouse and a product kept by lots."""
    login = "keeper1"
    with transaction():
        identity.create_account(
            SYSTEM, "merchant", login, "马仓管", password=market.PASSWORD, roles=("warehouse",), merchant_id=shop.merchant_id
        )
        warehouses.create(SYSTEM, warehouses.WarehouseInput("HUB", "区域中心仓", "central", "T01", priority=200))
        lots.keep_by_lots(SYSTEM, shop.sku_ids[0], shelf_days=180, min_remaining_days=10)
        session.execute(update(Sku).where(Sku.id == shop.sku_ids[0]).values(barcode="6901234567892"))
        session.execute(update(Sku).where(Sku.id == shop.sku_ids[1]).values(barcode="6901234567908"))
    return login


def _staff_with_initial_password() -> str:
    """Make an operator whose password an administrator set, so that it must be changed first."""
    login = market.staff("operator", "operations")
    with transaction():
        account = session.scalars(select(Account).where(Account.login_name == login)).one()
        identity.reset_password(SYSTEM, account.id, market.PASSWORD + "x")
    cache_reset.reset_all()
    return login


if __name__ == "__main__":
    main()
