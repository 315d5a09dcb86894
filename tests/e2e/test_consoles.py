"""Merchant, operators, authority and auditors at their desks, with scripts and without."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
import xlsxwriter

MODES = pytest.mark.parametrize("scripts", [True, False], ids=["scripts-on", "scripts-off"])


def sheet(mode: str) -> dict[str, Any]:
    """Return a merchant's spreadsheet: two good rows and one without a price."""
    out = BytesIO()
    with xlsxwriter.Workbook(out) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["商品编码", "商品名称", "类目名称", "售价", "库存数量"])
        page.write_row(1, 0, [f"{mode}1", "石磨豆腐干", "类目1", "12.50", "30"])
        page.write_row(2, 0, [f"{mode}2", "手工粉条", "类目1", "19.90", "40"])
        page.write_row(3, 0, [f"{mode}3", "没有价格的商品", "类目1", "", "1"])
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return {"name": f"{mode}.xlsx", "mimeType": kind, "buffer": out.getvalue()}


def picture(name: str) -> dict[str, Any]:
    """Return a small picture of that name."""
    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (320, 320), (180, 120, 60)).save(out, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": out.getvalue()}


@MODES
def test_merchant_imports_a_spreadsheet(visit: Any, site: Any, scripts: bool) -> None:
    mode = "ON" if scripts else "OFF"
    merchant = visit(scripts=scripts, size="desk")
    page = merchant.page
    merchant.sign_in("/merchant", site.logins["merchant"])
    merchant.goto("/merchant/", f"{mode}-workbench")
    assert page.get_by_text("店主").first.is_visible(), "the top bar names the role"
    merchant.goto("/merchant/imports", f"{mode}-imports")
    page.locator("input[name=file]").set_input_files(sheet(mode))
    page.get_by_label("正式导入").check()
    merchant.press("开始")
    assert re.search(r"/imports/\d+$", page.url)
    merchant.shot(f"{mode}-import-running")
    page.get_by_role("link", name="下载结果文件").wait_for(timeout=30_000)  # the page loads itself again
    merchant.seen(f"{mode}-import-done")
    assert page.get_by_text("有 1 行没有导入").is_visible()
    assert page.get_by_role("cell", name="售价").first.is_visible()
    with page.expect_download() as result:
        page.get_by_role("link", name="下载结果文件").click()
    assert result.value.suggested_filename.endswith(".xlsx")
    give_pictures(merchant, mode)


def give_pictures(merchant: Any, mode: str) -> None:
    """Give the drafts pictures by their codes; a name that fits no product is told."""
    page = merchant.page
    page.goto("/merchant/imports")
    page.locator("input[name=pictures]").set_input_files([picture(f"{mode}1.png"), picture("nobody.png")])
    merchant.press("上传并配图")
    assert page.get_by_text("已配图 1 张，有 1 张没有使用").is_visible()
    assert page.get_by_text("本店没有编码为“nobody”的商品").is_visible()
    merchant.goto(f"/merchant/products?view=draft&q={mode}1", f"{mode}-drafts")
    source = page.locator(".goods img").first.get_attribute("src")
    assert source
    assert source.endswith(".jpg"), "the draft has its picture"
    assert page.get_by_role("searchbox").input_value() == f"{mode}1", "the filter keeps what was typed"


def test_operators_approve_watch_and_retry(visit: Any, site: Any) -> None:
    reviewer = visit(scripts=False, size="desk")
    page = reviewer.page
    reviewer.sign_in("/operator", site.logins["reviewer"])
    assert page.get_by_role("link", name="超时未发").count() == 0, "no links to pages that would refuse"
    reviewer.goto("/operator/merchants", "operator-merchants")
    page.get_by_role("link", name="新茶合作社").click()
    assert page.get_by_label("驳回原因").get_attribute("required") is not None, "nobody is refused without a reason"
    reviewer.press("通过入驻")
    page.goto(f"/operator/merchants/{site.applicant_id}")
    assert page.get_by_text("营业中").first.is_visible()
    page.goto("/operator/products")
    page.get_by_role("link", name="山野黑木耳").click()
    reviewer.shot("operator-product")
    reviewer.press("通过审核")
    assert page.get_by_text("已通过审核").is_visible()

    operator = visit(size="desk")
    operator.sign_in("/operator", site.logins["operator"])
    operator.seen("operator-home")
    for path in ("/operator/orders", "/operator/stock", "/operator/jobs", "/operator/content", "/operator/payments"):
        operator.goto(path, "operator" + path.replace("/operator/", "-"))
    operator.page.goto("/operator/jobs")
    assert operator.page.get_by_role("button", name="重试").count() == 0, "only the engineer may retry"

    engineer = visit(size="desk")
    engineer.sign_in("/operator", site.logins["engineer"])
    engineer.goto("/operator/jobs")
    assert engineer.page.get_by_text("清理过期的游客购物车").is_visible(), "jobs have names"
    engineer.press("重试")
    assert engineer.page.get_by_text("任务已重新排队").is_visible()
    for _ in range(40):
        if not open_jobs(engineer, site.job_id):
            break
        engineer.page.wait_for_timeout(500)
    assert open_jobs(engineer, site.job_id) == [], "the worker ran it"


def open_jobs(engineer: Any, job_id: str) -> list[str]:
    """Return in which of the open states a job stands."""
    found = []
    for state in ("parked", "queued", "running"):
        engineer.page.goto(f"/operator/jobs?status={state}")
        if engineer.page.get_by_text(job_id).count():
            found.append(state)
    return found


def test_initial_password_must_be_changed(visit: Any, site: Any) -> None:
    operator = visit(size="desk")
    operator.sign_in("/operator", site.fresh_login, site.password + "x")
    page = operator.page
    assert page.url.endswith("/operator/password")
    operator.seen("password")
    page.get_by_label("当前口令").fill(site.password + "x")
    page.locator("[name=password]").fill("Another-Horse-7")
    page.get_by_label("再输一次新口令").fill("Another-Horse-8")
    operator.press("修改口令")
    assert page.get_by_text("两次输入的新口令不一致").first.is_visible()
    page.get_by_label("当前口令").fill(site.password + "x")
    page.locator("[name=password]").fill("Another-Horse-7")
    page.get_by_label("再输一次新口令").fill("Another-Horse-7")
    operator.press("修改口令")
    assert page.get_by_role("heading", name="工作台").is_visible()
    operator.forgive(422)


def test_authority_reads_the_board(visit: Any, site: Any) -> None:
    authority = visit(size="desk")
    page = authority.page
    authority.sign_in("/gov", site.logins["gov"])
    authority.seen("board")
    with page.expect_download() as table:
        page.get_by_role("link", name="县区交易额排名：查看明细").click()
    assert table.value.suggested_filename == "counties.csv"
    page.locator(".rk a", has_text="测试区").first.click()
    assert page.url.endswith("/gov/counties/T01")
    authority.seen("board-county")
    assert page.get_by_role("heading", name="商家交易额").is_visible()
    page.get_by_role("link", name="运行总览").last.click()
    page.locator("summary[aria-label*=账号菜单]").click()
    page.get_by_role("link", name="修改口令").click()
    authority.seen()
    assert page.url.endswith("/gov/password")


def test_auditor_finds_the_events_and_verifies_the_chain(visit: Any, site: Any) -> None:
    auditor = visit(size="desk")
    page = auditor.page
    auditor.sign_in("/security", site.logins["auditor"])
    auditor.goto(f"/security/audit?object_id={site.product_id}", "audit-product")
    for action in ("新建商品", "提交审核商品", "通过商品"):
        assert page.get_by_role("link", name=action).first.is_visible(), action
    page.get_by_role("link", name="详情").first.click()
    page.locator("#drawer[open] h2").wait_for()
    auditor.seen("audit-drawer")
    page.keyboard.press("Escape")
    page.goto("/security/audit")
    page.get_by_label("结果").select_option(label="成功")
    with page.expect_navigation():
        page.get_by_role("button", name="查询").click()
    assert page.get_by_label("结果").locator("option:checked").inner_text() == "成功", "the filter stays"
    auditor.goto("/security/integrity")
    auditor.press("立即校验")
    assert page.get_by_text("校验通过").is_visible()
    auditor.seen("audit-verified")
    answer = page.goto("/security/accounts")
    assert answer is not None
    assert answer.status == 403, "an auditor does not manage accounts"
    auditor.forgive(403)
    auditor.seen("forbidden")


@pytest.mark.parametrize(
    ("who", "prefix", "paths"),
    [
        ("merchant", "/merchant", ("/", "/products", "/products/new", "/imports", "/stock", "/orders", "/shop", "/reviews")),
        ("operator", "/operator", ("/", "/orders", "/merchants", "/categories", "/content", "/stock", "/reviews", "/searches")),
        ("reviewer", "/operator", ("/", "/products?view=all")),
        ("gov", "/gov", ("/",)),
        ("auditor", "/security", ("/audit", "/integrity")),
        ("sysadmin", "/security", ("/accounts", "/accounts/new")),
        ("secadmin", "/security", ("/roles", "/sessions")),
    ],
)
def test_consoles_work_on_a_telephone(visit: Any, site: Any, who: str, prefix: str, paths: tuple[str, ...]) -> None:
    visitor = visit(size="phone")
    visitor.sign_in(prefix, site.logins[who])
    for path in paths:
        visitor.goto(prefix + path, f"phone-{who}{path.split('?')[0].replace('/', '-').rstrip('-')}")
