"""The desks of delivery over HTTP: forms keep what was typed, wrong input is refused beside its field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.delivery import queries
from tests.clients import Browser
from tests.factories import market


@pytest.fixture
def owner(client: Browser, db: Any) -> tuple[Browser, market.Shop]:
    shop = market.make_shop()
    client.sign_in("/merchant", shop.login, market.PASSWORD)
    client.get("/merchant/freight")
    return client, shop


TEMPLATE = {"name": "全区按重", "basis": "weight", "r0_first": "0.5", "r0_first_fen": "8", "r0_next": "1", "r0_next_fen": "2.50", "r0_free_fen": "99"}


def test_a_template_is_written_revised_and_shown(owner: tuple[Browser, market.Shop]) -> None:
    browser, shop = owner
    made = browser.post("/merchant/freight/templates", TEMPLATE)
    assert made.status_code == 303
    page = browser.get(made.headers["Location"])
    assert "0.5 kg以内 ¥8.00，每续 1 kg ¥2.50，满 ¥99.00 包邮" in page.text
    row = queries.list_templates(shop.merchant_id)[0]
    spec = queries.spec_of(row)
    assert (spec.rules[0].first_units, spec.rules[0].next_units, spec.rules[0].free_over_fen) == (500, 1_000, 9_900)
    form = browser.get(f"{made.headers['Location']}/edit")
    assert form.soup.find("input", {"name": "r0_first"})["value"] == "0.5"
    again = TEMPLATE | {"r1_areas": "T01", "r1_first": "1", "r1_first_fen": "5", "version": "1"}
    assert browser.post(made.headers["Location"], again).status_code == 303
    stale = browser.post(made.headers["Location"], again)
    assert stale.status_code == 409
    assert "模板已被他人修改" in stale.text
    assert "默认" in browser.get("/merchant/freight").text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "请填写模板名称"), ({"r0_first": "abc"}, "不是有效的数量"), ({"r0_first_fen": "1,2.3"}, "有效的金额"),
        ({"r0_first": ""}, "请至少填写一条运费规则"), ({"r0_first": "0.00001"}, "不是有效的数量"),
        ({"r1_first": "1"}, "请选择地区"), ({"r1_areas": "NOWHERE", "r1_first": "1"}, "不存在的地区"), ({"r0_next": ""}, "每续多少"),
    ],
)  # fmt: skip
def test_wrong_input_is_said_and_kept(owner: tuple[Browser, market.Shop], change: dict[str, str], message: str) -> None:
    browser, shop = owner
    refused = browser.post("/merchant/freight/templates", TEMPLATE | {"r1_first": ""} | change)
    assert refused.status_code == 422
    assert message in refused.text
    assert refused.soup.find("input", {"name": "r0_next_fen"})["value"] == "2.50"
    assert queries.list_templates(shop.merchant_id) == []


def test_goods_are_bound_and_given_back(owner: tuple[Browser, market.Shop]) -> None:
    browser, shop = owner
    here = browser.post("/merchant/freight/templates", TEMPLATE | {"basis": "volume", "r0_first": "0.02"}).headers["Location"]
    wrong = browser.post(f"{here}/goods", {"product_id": shop.product_id, "volume": ""})
    assert wrong.status_code == 422
    assert "须填写每件体积" in wrong.text
    assert browser.post(f"{here}/goods", {"product_id": "77"}).status_code == 404
    assert browser.post(f"{here}/goods", {"product_id": shop.product_id, "sku_code": "NO", "volume": "1"}).status_code == 422
    assert browser.post(f"{here}/goods", {"product_id": shop.product_id, "volume": "0.0125"}).status_code == 303
    page = browser.get(here)
    assert "0.0125 m³" in page.text
    removed = page.soup.find("form", action=lambda a: a and a.endswith("/remove"))["action"]
    assert browser.post(removed).status_code == 303
    assert browser.post(removed).status_code == 404


PROMISE = {"name": "城区当日达", "transit_days": "0", "cutoff": "16:00", "deliver_by": "21:00", "weekdays": ["1", "2", "3"], "capacity": "50"}


def test_a_promise_is_written_paused_and_shown_to_buyers(owner: tuple[Browser, market.Shop]) -> None:
    browser, shop = owner
    assert browser.post("/merchant/freight/promises", PROMISE).status_code == 303
    row = queries.list_promises(shop.merchant_id)[0]
    assert (row.cutoff_min, row.deliver_by_min, row.weekdays, row.capacity) == (960, 1_260, "123", 50)
    assert "周一、二、三" in browser.get("/merchant/freight").text
    assert "前送达" in browser.get(f"/products/{shop.product_id}").text
    edited = browser.post(f"/merchant/freight/promises/{row.id}", PROMISE | {"cutoff": "25:99"})
    assert edited.status_code == 422
    assert "请填写截单时间和送达时间" in edited.text
    assert edited.soup.find("input", {"name": "cutoff"})["value"] == "25:99"
    assert browser.post(f"/merchant/freight/promises/{row.id}/active", {"active": "0"}).status_code == 303
    assert "前送达" not in browser.get(f"/products/{shop.product_id}").text


def test_product_page_tells_freight_to_the_visitors_district(owner: tuple[Browser, market.Shop]) -> None:
    browser, shop = owner
    browser.post("/merchant/freight/templates", TEMPLATE | {"basis": "piece", "r0_first": "1", "excluded": "T01", "excluded_reason": "封路"})
    assert "请先选择收货地区" in browser.get(f"/products/{shop.product_id}").text
    browser.post("/delivery-area", {"area": "T01", "next": "/"})
    assert "不配送到测试区：封路" in browser.get(f"/products/{shop.product_id}").text
    browser.post("/delivery-area", {"area": "nowhere", "next": "//evil.example"})
    assert "不配送到测试区：封路" in browser.get(f"/products/{shop.product_id}").text


def test_the_calendar_is_kept_by_operators(client: Browser, db: Any) -> None:
    client.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    day = clock.business_date() + timedelta(days=3)
    client.get("/operator/delivery/calendar")
    assert client.post("/operator/delivery/calendar", {"day_on": day.isoformat(), "name": "停运"}).status_code == 303
    twice = client.post("/operator/delivery/calendar", {"day_on": day.isoformat(), "name": "停运"})
    assert (twice.status_code, "已在日历中" in twice.text) == (409, True)
    past = client.post("/operator/delivery/calendar", {"day_on": "2020-01-01", "name": "旧"})
    assert (past.status_code, "今天或以后" in past.text) == (422, True)
    assert client.post("/operator/delivery/calendar", {"day_on": "32", "name": ""}).status_code == 422
    assert client.post(f"/operator/delivery/calendar/{queries.list_holidays()[0].id}/remove").status_code == 303
    assert queries.list_holidays() == []
    assert "没有超时的订单" in client.get("/operator/late").text
