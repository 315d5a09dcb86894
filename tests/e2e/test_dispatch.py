"""Warehouse clerk and pickup clerk at work, with scripts and without: pick, pack, print; hand over on a phone."""

from __future__ import annotations

from typing import Any

import pytest

MODES = pytest.mark.parametrize("scripts", [True, False], ids=["scripts-on", "scripts-off"])


@MODES
def test_warehouse_clerk_picks_packs_and_prints(visit: Any, site: Any, scripts: bool) -> None:
    clerk, order_id = visit(scripts=scripts, size="desk"), site.to_send[int(scripts)]
    page = clerk.page
    clerk.sign_in("/merchant", site.logins["warehouse"])
    clerk.goto("/merchant/waves")
    page.locator(f"input[name=order][value='{order_id}']").check()
    clerk.press("生成波次")
    clerk.seen()
    with clerk.context.expect_page() as opened:
        page.get_by_role("button", name="打印拣货单").click()
    paper = opened.value
    paper.wait_for_load_state()
    assert paper.locator("svg.bar").count() == 1
    assert "¥" not in paper.locator("main").inner_text()
    clerk.press("拣货完成")
    page.get_by_role("link", name="打包发货").click()
    clerk.seen()
    page.get_by_label("快递单号").fill(f"SF12345678{int(scripts)}000")
    clerk.press("确认发货")
    clerk.seen()
    with clerk.context.expect_page() as opened:
        page.get_by_role("button", name="打印面单").click()
    label = opened.value
    label.wait_for_load_state()
    assert label.get_by_text("收 李四").is_visible()
    assert label.locator("svg.bar").count() == 1


@MODES
def test_pickup_clerk_hands_over_on_a_phone(visit: Any, site: Any, scripts: bool) -> None:
    clerk = visit(scripts=scripts, size="phone")
    page = clerk.page
    clerk.sign_in("/merchant", site.logins["pickup"])
    clerk.goto("/merchant/verify")
    page.get_by_label("核销码").fill("123456789012")
    clerk.press("查询订单")
    clerk.forgive(422)
    assert page.get_by_text("核销码不正确").is_visible()
    clerk.seen()
    page.get_by_label("核销码").fill(site.pickup_code)
    clerk.press("查询订单")
    assert page.get_by_text("请核对后交付").is_visible()
    clerk.seen()
    clerk.press("确认交付")
    assert page.get_by_text("核销成功").is_visible()
    clerk.ask("撤销", "确认撤销")
    assert page.get_by_text("核销已撤销").is_visible()
    clerk.seen()
