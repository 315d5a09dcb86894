"""The first complete journey in a real browser, with and without scripts, and axe on its pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe


def buy(visitor: Any, site: Any, phone: str, name: str) -> str:
    """Buy as a guest who registers on the way; returns the order's path."""
    page = visitor.page
    page.goto(f"/products/{site.product_id}")
    visitor.shot(f"{name}-product")
    page.get_by_role("button", name=re.compile("加入购物车|放进购物车")).last.click()
    page.goto("/cart")
    assert page.get_by_text("测试商品").first.is_visible()
    visitor.shot(f"{name}-cart")
    page.get_by_role("link", name="去结算").click()
    page.get_by_label("手机号").fill(phone)
    page.get_by_role("button", name="获取验证码").click()
    code = re.search(r"验证码为 (\d{6})", page.content())
    assert code
    page.get_by_label("验证码").fill(code[1])
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="登录").click()
    page.goto("/me/addresses?next=/checkout")
    page.get_by_label("收货人").fill("林小满")
    page.locator("form input[name=phone]").fill("13812341234")
    page.locator("form select[name=area_code]").first.select_option("T01")
    page.locator("form input[name=street]").fill("文昌街道 88 号")
    page.get_by_role("button", name="保存地址").click()
    page.goto("/checkout")
    visitor.shot(f"{name}-checkout")
    page.get_by_role("button", name="提交订单").click()
    page.get_by_role("button", name="去支付").click()
    page.get_by_role("button", name="支付成功", exact=True).click()
    assert page.get_by_text("付款成功").is_visible()
    visitor.shot(f"{name}-paid")
    page.goto("/orders")
    path = page.locator("a[href^='/orders/']").first.get_attribute("href")
    assert path
    return path


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts-on", "scripts-off"])
def test_buy_ship_receive(visit: Any, site: Any, scripts: bool) -> None:
    name = "on" if scripts else "off"
    buyer = visit(scripts=scripts)
    path = buy(buyer, site, "13811110001" if scripts else "13811110002", name)
    merchant = visit(scripts=scripts, phone=False)
    merchant.sign_in("/merchant", site.logins["merchant"], site.password)
    merchant.page.goto(f"/merchant{path}/ship")
    merchant.page.get_by_label("快递单号").fill("SF12345678901" + ("1" if scripts else "2"))
    merchant.page.get_by_role("button", name="确认发货").click()
    merchant.page.wait_for_url(f"**/merchant{path}")
    merchant.shot(f"{name}-shipped")
    buyer.page.goto(path)
    buyer.page.get_by_role("button", name="确认收货").click()
    assert buyer.page.get_by_text("已完成").first.is_visible()
    buyer.shot(f"{name}-completed")


@pytest.mark.parametrize(
    ("surface", "prefix", "path"),
    [
        ("operator", "/operator", "/operator/orders"),
        ("gov", "/gov", "/gov/"),
        ("security", "/security", "/security/audit"),
        ("merchant", "/merchant", "/merchant/products"),
    ],
)
def test_consoles_open_and_are_accessible(visit: Any, site: Any, surface: str, prefix: str, path: str) -> None:
    visitor = visit(phone=False)
    visitor.sign_in(prefix, site.logins[surface], site.password)
    visitor.page.goto(path)
    assert visitor.page.locator("h1, .board__t, [role=heading]").first.is_visible()
    visitor.shot(f"console-{surface}")
    assert serious(visitor.page) == []


@pytest.mark.parametrize("path", ["/", "/categories", "/cart", "/sign-in", "/search?q=测试", "/products/{product}"])
def test_storefront_is_accessible_and_fits_320_px(visit: Any, site: Any, path: str) -> None:
    visitor = visit()
    visitor.page.set_viewport_size({"width": 320, "height": 640})
    visitor.page.goto(path.replace("{product}", site.product_id))
    width = visitor.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320, f"the page scrolls sideways ({width} px)"
    assert serious(visitor.page) == []


def serious(page: Any) -> list[str]:
    """Return axe's serious and critical findings."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in {"serious", "critical"}]
