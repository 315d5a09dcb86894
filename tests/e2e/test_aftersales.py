"""After-sale from both sides in a browser: apply with a picture, approve, send back, inspect, refund; and a dispute the platform decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.test_buyer import TEA, check_out, photo


def bought(visit: Any, site: Any, phone: str, tracking: str) -> tuple[Any, Any, str]:
    """A buyer whose order arrived, and its merchant's desk; returns (buyer, merchant, the order's path)."""
    buyer = visit()
    page = buyer.page
    page.goto(f"/products/{site.product_id}")
    page.get_by_role("radio", name="250g").check()
    buyer.press("加入购物车")
    page.goto("/cart")
    with page.expect_navigation():
        page.get_by_role("button", name=f"增加 {TEA}").click()
    page.get_by_role("link", name="去结算").click()
    buyer.register(phone)
    path = check_out(buyer, tracking)
    merchant = visit(size="desk")
    merchant.sign_in("/merchant", site.logins["merchant"])
    merchant.goto(f"/merchant{path}/ship")
    merchant.page.get_by_label("快递单号").fill(tracking)
    merchant.press("确认发货")
    buyer.goto(path)
    buyer.ask("确认收货", "已收到，确认收货")
    return buyer, merchant, path


def applied(buyer: Any, path: str, name: str) -> str:
    """Apply for a return with a picture; a missing picture is refused and the words are kept. Returns the case's path."""
    page = buyer.page
    buyer.goto(path)
    page.get_by_role("link", name="申请售后").click()
    buyer.seen(f"{name}-choose")
    page.get_by_role("link", name="退货退款", exact=False).first.click()
    buyer.seen(f"{name}-apply")
    page.get_by_label("原因").select_option(label="质量问题")
    page.get_by_label("说明").fill("内袋漏气，茶叶受潮")
    buyer.press("提交申请")
    buyer.forgive(422)
    assert page.get_by_text("请上传能看清问题的图片").first.is_visible()
    assert page.get_by_label("说明").input_value() == "内袋漏气，茶叶受潮"
    buyer.seen(f"{name}-refused")
    page.locator("input[name=pictures]").set_input_files(photo())
    buyer.press("提交申请")
    page.wait_for_url("**/after-sales/*")
    assert page.get_by_text("待商家处理").first.is_visible()
    buyer.seen(f"{name}-pending")
    return str(page.url[len(buyer.site.url) :])


def test_a_return_from_application_to_refund(visit: Any, site: Any) -> None:
    buyer, merchant, path = bought(visit, site, "13811110021", "SF123456789021")
    case = applied(buyer, path, "return")
    desk, page = merchant.page, buyer.page
    merchant.goto("/merchant/after-sales", "return-queue")
    desk.get_by_role("link", name="处理", exact=True).first.click()
    merchant.seen("return-desk")
    merchant.press("同意申请")
    assert desk.get_by_text("待寄回").first.is_visible()
    buyer.goto(case, "return-sending")
    page.get_by_label("快递公司").fill("顺丰速运")
    page.get_by_label("快递单号").fill("SF123456789031")
    buyer.press("提交寄回信息")
    assert page.get_by_text("待收货质检").first.is_visible()
    desk.reload()
    merchant.seen("return-checking")
    merchant.press("质检通过并退款")
    assert desk.get_by_text("退款").first.is_visible()
    for _ in range(40):  # the worker asks the channel
        buyer.page.goto(case)
        if page.get_by_text("退款已到账").count():
            break
        page.wait_for_timeout(500)
    assert page.get_by_text("退款已到账").first.is_visible()
    buyer.seen("return-done")
    buyer.goto("/after-sales", "return-list")
    buyer.goto(path, "return-order")
    assert page.get_by_text("已退 1 件").is_visible()


def test_a_dispute_is_decided_by_the_platform(visit: Any, site: Any) -> None:
    buyer, merchant, path = bought(visit, site, "13811110022", "SF123456789022")
    case = applied(buyer, path, "dispute")
    merchant.goto(f"/merchant{case}")
    merchant.page.get_by_label("拒绝原因").fill("图片看不出问题")
    merchant.press("拒绝申请")
    buyer.goto(case, "dispute-rejected")
    buyer.page.get_by_label("理由").fill("受潮处见图，请平台判断")
    buyer.press("申请平台介入")
    judge = visit(size="desk")
    judge.sign_in("/operator", site.logins["operator"])
    judge.goto("/operator/after-sales", "dispute-queue")
    judge.goto(f"/operator{case}", "dispute-desk")
    judge.page.get_by_label("支持买家：仅退款").check()
    judge.page.get_by_label("商家责任").check()
    judge.page.get_by_label("裁决理由（双方可见）").fill("照片显示封口破损")
    judge.press("作出裁决")
    judge.seen("dispute-decided")
    buyer.goto(case)
    assert buyer.page.get_by_text("照片显示封口破损").is_visible()


@pytest.mark.parametrize("who", ["merchant", "operator"])
def test_the_queues_fit_a_telephone(visit: Any, site: Any, who: str) -> None:
    visitor = visit(size="phone")
    visitor.sign_in(f"/{who}", site.logins[who])
    visitor.goto(f"/{who}/after-sales", f"phone-{who}-after-sales")
