"""A resident's way through the shop, with scripts, without, and in elder mode: search, cart, registration, payment, receipt, review."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

MODES = pytest.mark.parametrize(
    ("name", "scripts", "elder", "phone"),
    [("on", True, False, "13811110001"), ("off", False, False, "13811110002"), ("elder", True, True, "13811110004")],
    ids=["scripts-on", "scripts-off", "elder"],
)  # fmt: skip
TEA = "高山云雾绿茶"


def photo() -> dict[str, Any]:
    """Return a picture as a telephone's camera would hand it over."""
    out = BytesIO()
    Image.new("RGB", (640, 480), (90, 140, 80)).save(out, "JPEG")
    return {"name": "晒图.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


@MODES
def test_buy_follow_confirm_review(visit: Any, site: Any, name: str, scripts: bool, elder: bool, phone: str) -> None:
    buyer = visit(scripts=scripts, elder=elder)
    page = buyer.page
    find(buyer, name, elder)
    page.get_by_text(TEA).first.click()
    page.wait_for_url(f"**/products/{site.product_id}")
    buyer.seen(f"{name}-product")
    page.get_by_role("radio", name=re.compile("250g")).check()
    buyer.press("放进购物车" if elder else "加入购物车")
    buyer.goto("/cart", f"{name}-cart")
    assert page.get_by_text("250g").first.is_visible()
    with page.expect_navigation():
        page.get_by_role("button", name=f"增加 {TEA}").click()
    assert page.get_by_label("数量").inner_text() == "2"
    page.get_by_role("link", name="去结算").click()
    buyer.register(phone)
    assert page.url.endswith("/checkout"), "signing in leads back to where the guest was going"
    assert page.get_by_text(TEA).first.is_visible(), "the guest's cart came along"
    order_path = check_out(buyer, name)
    ship(visit, site, order_path, scripts, name)
    receive_and_review(buyer, order_path, name)
    me(buyer, site, name)


def find(buyer: Any, name: str, elder: bool) -> None:
    """Find the tea by its name, by its sound and with a wrong character."""
    buyer.goto("/", f"{name}-home")
    for number, words in enumerate(["云雾绿茶", "gaoshanyunwu", "高山云务绿茶"]):
        buyer.page.goto("/")
        buyer.page.get_by_role("searchbox").fill(words)
        with buyer.page.expect_navigation():
            buyer.page.get_by_role("searchbox").press("Enter")
        assert elder or buyer.page.get_by_role("searchbox").input_value() == words, "the words stay in the box"
        assert buyer.page.get_by_role("link", name=re.compile(TEA)).first.is_visible(), words
        buyer.seen(f"{name}-search-{number}")


def check_out(buyer: Any, name: str) -> str:
    """Place the order with a new address and pay; returns the order's path."""
    page = buyer.page
    buyer.press("提交订单")
    assert page.get_by_role("alert").or_(page.get_by_role("status")).first.is_visible(), "an order without an address is refused"
    buyer.forgive(422)
    page.get_by_label("收货人").fill("林小满")
    page.get_by_label("手机号").fill("13812341234")
    page.get_by_label("所在县区").select_option("T01")
    page.get_by_label("详细地址").fill("文昌街道 88 号")
    buyer.seen(f"{name}-checkout")
    buyer.press("提交订单")
    buyer.seen(f"{name}-pay")
    buyer.press("去支付")
    buyer.seen(f"{name}-cashier")
    buyer.press("支付成功")
    assert page.get_by_role("heading", name="付款成功").is_visible()
    buyer.seen(f"{name}-paid")
    path = page.locator("a.rw[href^='/orders/']").first.get_attribute("href")
    assert path
    buyer.goto(path, f"{name}-order-paid")
    assert page.get_by_role("heading", name="等待商家发货").is_visible()
    return str(path)


def ship(visit: Any, site: Any, order_path: str, scripts: bool, name: str) -> None:
    """Ship the order as its merchant; a wrong number is refused and kept."""
    merchant = visit(scripts=scripts, size="desk")
    merchant.sign_in("/merchant", site.logins["merchant"])
    merchant.goto("/merchant/orders?status=paid")
    merchant.goto(f"/merchant{order_path}/ship")
    assert merchant.page.get_by_text("文昌街道 88 号").is_visible(), "the parcel's address stands beside the form"
    number = merchant.page.get_by_label("快递单号")
    number.fill("!")
    with merchant.page.expect_navigation():
        merchant.page.get_by_role("button", name="确认发货").click()
    merchant.forgive(422)
    assert merchant.page.get_by_label("快递单号").input_value() == "!"
    assert merchant.page.locator(".field__e").first.is_visible()
    merchant.seen()
    merchant.page.get_by_label("快递单号").fill({"on": "SF123456789011", "off": "SF123456789012", "elder": "SF123456789013"}[name])
    merchant.press("确认发货")
    merchant.page.wait_for_url("**/merchant/parcels/*")
    merchant.seen(f"{name}-shipped")


def receive_and_review(buyer: Any, order_path: str, name: str) -> None:
    """Follow the parcel, confirm receipt and review with a picture; afterwards nothing waits for a review."""
    page = buyer.page
    buyer.goto(f"{order_path}/tracking", f"{name}-tracking")
    assert page.get_by_text("SF12345678901", exact=False).first.is_visible()
    buyer.goto(order_path)
    buyer.ask("确认收货", "已收到，确认收货")
    assert page.get_by_role("heading", name="交易完成").is_visible()
    buyer.seen(f"{name}-completed")
    page.get_by_role("link", name="去评价").click()
    page.get_by_label("非常满意").check()
    page.get_by_label("评价内容").fill("香气足，包装严实，送得也快。")
    page.locator("input[type=file]").set_input_files(photo())
    if buyer.scripts:
        assert page.get_by_text("晒图.jpg").is_visible(), "the chosen file is named in our words"
    buyer.press("提交评价")
    assert page.get_by_text("感谢您的评价").is_visible()
    assert page.get_by_role("img", name="买家图片 1").is_visible()
    buyer.seen(f"{name}-reviewed")
    buyer.goto(order_path)
    assert page.get_by_role("link", name="查看评价").is_visible()
    assert page.get_by_role("link", name="去评价").count() == 0


def me(buyer: Any, site: Any, name: str) -> None:
    """The personal centre counts what is the buyer's; the product shows the review."""
    buyer.goto("/me", f"{name}-me")
    waiting = buyer.page.get_by_role("link", name=re.compile("待评价"))
    assert waiting.inner_text().split() == ["0", "待评价"]
    buyer.goto(f"/products/{site.product_id}/reviews", f"{name}-reviews")
    assert buyer.page.get_by_text("香气足，包装严实，送得也快。").first.is_visible()


def test_wrong_codes_and_addresses_are_told(visit: Any, site: Any) -> None:
    buyer = visit(scripts=False)
    page = buyer.page
    page.goto("/sign-in?next=/me/addresses")
    page.get_by_label("手机号").fill("12345")
    buyer.press("获取验证码")
    assert page.locator(".field__e, .esum").first.is_visible()
    assert page.get_by_label("手机号").input_value() == "12345"
    page.get_by_label("手机号").fill("13811110003")
    buyer.press("获取验证码")
    page.get_by_label("验证码").fill("000000")
    page.get_by_role("checkbox").check()
    right = re.search(r"验证码为 (\d{6})", page.content())
    assert right
    buyer.press("登录")
    assert page.get_by_text("验证码不正确或已过期").first.is_visible()
    page.get_by_label("验证码").fill(right[1])
    page.get_by_role("checkbox").check()
    buyer.press("登录")
    assert page.url.endswith("/me/addresses")
    page.locator("details.paste > summary").click()
    page.get_by_label("整段地址").fill("王小明 13912345678 测试区文昌街道 12 号")
    buyer.press("识别并填写")
    assert page.get_by_label("收货人").input_value() == "王小明"
    page.get_by_label("手机号").fill("1391")
    buyer.press("保存地址")
    assert page.get_by_label("收货人").input_value() == "王小明", "what was typed stays"
    assert page.locator(".field__e").first.is_visible()
    page.get_by_label("手机号").fill("13912345678")
    buyer.press("保存地址")
    assert page.get_by_text("地址已保存").is_visible()
    buyer.ask("删除", "确认删除")
    assert page.get_by_text("还没有收货地址").is_visible()
    buyer.forgive(422)
