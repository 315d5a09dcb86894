"""A warehouse clerk's day on the phone: receive a lot with the scanner, count blind, send goods on; the owner reviews."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from app.core import clock

TEA, PLAIN = "6901234567892", "6901234567908"


def scan(page: Any, label: str, text: str) -> None:
    """Type as a scanner does, without its Enter."""
    page.get_by_label(label, exact=True).first.fill(text)


def test_a_clerk_receives_counts_and_transfers(visit: Any, site: Any) -> None:
    clerk = visit()
    page = clerk.page
    clerk.sign_in("/merchant", site.logins["keeper"])
    clerk.goto("/merchant/stock/receipts/new")
    page.get_by_label("供应商").fill("东坪合作社")
    scan(page, "第 1 行条码", TEA)
    scan(page, "第 1 行应收数量", "20")
    clerk.press("建立收货单")
    clerk.seen("warehouse-receipt")
    page.locator("#f-code").fill(TEA)
    page.locator("#f-units").fill("12")
    clerk.press("收货入库")
    assert page.get_by_text("请填写批次号").first.is_visible()
    assert page.locator("#f-units").input_value() == "12", "what was typed is kept"
    clerk.forgive(422)
    page.locator("#f-lot_no").fill("T261125")
    page.locator("#f-produced_on").fill((clock.business_date() - timedelta(days=3)).strftime("%Y%m%d"))
    clerk.press("收货入库")
    assert page.get_by_text("已收货入库").is_visible()
    page.locator("input[name^=reason_]").first.fill("供应商欠 8 件")
    clerk.press("完成收货单")
    clerk.seen("warehouse-received")
    clerk.goto("/merchant/stock/lots")
    assert page.get_by_text("T261125").first.is_visible()
    count(clerk)
    transfer(clerk)
    review(visit, site)


def count(clerk: Any) -> None:
    """Count one product, one short; the sheet does not tell the book."""
    page = clerk.page
    clerk.goto("/merchant/stock/counts")
    page.get_by_label("只盘这些商品").fill(PLAIN)
    clerk.press("开始盘点")
    clerk.seen("warehouse-count")
    page.locator("#f-code").fill(PLAIN)
    page.locator("#f-units").fill("49")
    clerk.press("登记")
    clerk.press("提交复核")
    assert page.get_by_text("待复核").first.is_visible()
    assert page.get_by_role("button", name="复核通过").count() == 0
    clerk.seen("warehouse-counted")


def transfer(clerk: Any) -> None:
    """Send part of the lot to the platform's warehouse."""
    page = clerk.page
    clerk.goto("/merchant/stock/transfers/new", "warehouse-transfer-new")
    scan(page, "第 1 行条码", TEA)
    scan(page, "第 1 行数量", "5")
    scan(page, "第 1 行批次号", "T261125")
    clerk.press("申请调拨")
    clerk.ask("发出", "确认发出")
    assert page.get_by_text("由调入仓的人员收货").is_visible()
    clerk.seen("warehouse-transfer")


def review(visit: Any, site: Any) -> None:
    """The owner sees the difference, books it and finds it in the ledger; without scripts."""
    owner = visit(scripts=False, size="desk")
    page = owner.page
    owner.sign_in("/merchant", site.logins["merchant"])
    owner.goto("/merchant/stock/counts?status=review")
    page.locator("main table a").first.click()
    assert page.get_by_text("盘亏").first.is_visible()
    owner.ask("复核通过", "确认复核通过")
    owner.goto(f"/merchant/stock?q={PLAIN}")
    page.locator("main table a").first.click()
    assert page.get_by_role("cell", name="盘点差异").first.is_visible()
    assert re.search(r"变化后在库", page.content())
    owner.seen("warehouse-ledger")
