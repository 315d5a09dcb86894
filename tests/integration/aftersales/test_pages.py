"""The pages of after-sale: reachable, wrong input kept beside its field, pictures for the sides only."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from app.aftersales import service, states
from app.aftersales.models import Case, CaseEvent
from app.core.tx import transaction
from app.identity import service as identity_service
from app.identity.models import Account
from app.messaging.models import ShortMessage
from app.orders import queries as orders
from app.orders.models import OrderLine
from tests.clients import Browser
from tests.factories import aftersales as cases
from tests.factories import market
from tests.integration.aftersales.test_other_kinds import fresh_shop
from tests.integration.orders.test_checkout import sign_in
from tests.integration.settlement import money


@pytest.fixture
def scene(app: Any, db: Any) -> Any:
    """A shop, a signed-in buyer with an order that arrived, the owner's browser."""

    class Scene:
        shop = market.make_shop(price_fen=1_000)
        buyer = Browser(app)
        owner = Browser(app)

    sign_in(Scene.buyer, "13811112222")
    account = db.scalars(select(Account).where(Account.realm == "consumer")).one()
    actor = market.actor_of(account)
    with transaction():
        address = identity_service.add_address(actor, receiver="李四", phone="13812341234", street="幸福路 88 号", area_code="T01")
    trade_id = money.place(actor, address.id, [(Scene.shop.sku_ids[0], 3)])
    money.pay(actor, trade_id)
    Scene.actor, Scene.order_id = actor, orders.orders_of_trade(trade_id)[0].id  # type: ignore[attr-defined]
    cases.arrive(Scene.order_id)  # type: ignore[attr-defined]
    assert Scene.owner.sign_in("/merchant", Scene.shop.login, market.PASSWORD).status_code == 303
    return Scene


def test_from_the_application_to_the_refund(scene: Any, db: Any) -> None:
    buyer, owner, base = scene.buyer, scene.owner, f"/orders/{scene.order_id}/after-sale"
    assert "申请售后" in buyer.get(f"/orders/{scene.order_id}").soup.get_text()
    line = cases.line_of(scene.order_id)
    assert buyer.get(base).status_code == 200
    page = buyer.get(f"{base}?line={line}&kind=return")
    assert "退 1 件 ¥10.00；退 2 件 ¥20.00" in page.soup.get_text()
    sent = {
        "request_key": page.soup.find("input", {"name": "request_key"})["value"], "line": str(line), "kind": "return", "reason": "quality",
        "quantity": "9", "description": "果皮发霉了", "method": "self",
    }  # fmt: skip
    refused = buyer.post(f"{base}?line={line}&kind=return", sent | {"pictures": (BytesIO(cases.PICTURE), "a.png")})
    assert refused.status_code == 409
    assert "可申请的数量为 3 件" in refused.soup.get_text()
    assert refused.soup.find("textarea", {"name": "description"}).get_text() == "果皮发霉了", "what was entered is kept"
    assert refused.soup.find("option", {"value": "quality"}).has_attr("selected")
    opened = buyer.post(f"{base}?line={line}&kind=return", sent | {"quantity": "2", "pictures": (BytesIO(cases.PICTURE), "a.png")})
    assert opened.status_code == 303
    here = opened.headers["Location"]
    case_id = int(here.rsplit("/", 1)[1])
    assert "待商家处理" in buyer.get(here).soup.get_text()
    assert "售后中 2 件" in buyer.get(f"/orders/{scene.order_id}").soup.get_text()
    desk = f"/merchant/after-sales/{case_id}"
    assert db.get_one(Case, case_id).case_no in owner.get("/merchant/after-sales").soup.get_text()
    bad = owner.post(f"{desk}/reject", {"reason": " "})
    assert bad.status_code == 422
    assert "请填写拒绝原因" in bad.soup.get_text()
    assert owner.post(f"{desk}/approve", {"return_to": "测试路 2 号"}).status_code == 303
    bad = buyer.post(f"{here}/send", {"carrier": "顺丰速运", "tracking_no": "???"})
    assert (bad.status_code, bad.soup.find("input", {"name": "carrier"})["value"]) == (422, "顺丰速运")
    assert buyer.post(f"{here}/send", {"carrier": "顺丰速运", "tracking_no": "SF1234567890123"}).status_code == 303
    bad = owner.post(f"{desk}/check", {"good": "x", "scrapped": "0"})
    assert bad.status_code == 422
    assert owner.post(f"{desk}/check", {"good": "1", "scrapped": "1", "note": "一件破"}).status_code == 303
    assert owner.post(f"{desk}/check", {"good": "1", "scrapped": "1"}).status_code == 409
    money.deliver()
    shown = buyer.get(here).soup.get_text()
    assert "退款已到账" in shown
    assert "¥20.00" in shown
    assert "已退 2 件" in buyer.get(f"/orders/{scene.order_id}").soup.get_text()
    assert "优惠冲回" not in shown, "who bears what is for the shop and the platform"
    bodies = db.scalars(select(ShortMessage.dedupe_key)).all()
    assert sum(key.endswith(":buyer") for key in bodies) == 2, "asked to send back, told of the refund"
    assert sum(key.endswith(":shop") for key in bodies) == 2, "new case, goods on their way"


def test_pictures_are_for_the_sides_only(scene: Any, app: Any, db: Any) -> None:
    case_id = cases.opened(scene.actor, scene.order_id)
    key = db.scalars(select(CaseEvent).where(CaseEvent.case_id == case_id)).one().data["pictures"][0]
    other = Browser(app)
    sign_in(other, "13811113333")
    stranger_shop = market.make_shop()
    rival = Browser(app)
    rival.sign_in("/merchant", stranger_shop.login, market.PASSWORD)
    judge = Browser(app)
    judge.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    for browser, prefix, status in (
        (scene.buyer, "", 200), (scene.owner, "/merchant", 200), (judge, "/operator", 200), (other, "", 404), (rival, "/merchant", 404),
    ):  # fmt: skip
        answer = browser.http.get(f"{prefix}/after-sales/{case_id}/pictures?key={key}")
        assert answer.status_code == status, prefix
        answer.close()
    assert scene.buyer.http.get(f"/after-sales/{case_id}/pictures?key=../../x").status_code == 404
    assert scene.buyer.http.get(f"/media/{key}").status_code == 404, "evidence is no public picture"
    for path in (f"/after-sales/{case_id}", f"/orders/{scene.order_id}/after-sale"):
        assert other.get(path).status_code == 404
    assert other.post(f"/after-sales/{case_id}/withdraw").status_code == 404


def test_the_platform_decides_on_its_page(scene: Any, app: Any, db: Any) -> None:
    case_id = cases.opened(scene.actor, scene.order_id)
    with transaction():
        service.reject(cases.owner(scene.shop), case_id, "图片不清楚")
    assert scene.buyer.post(f"/after-sales/{case_id}/escalate", {"note": ""}).status_code == 422
    assert scene.buyer.post(f"/after-sales/{case_id}/escalate", {"note": "已补清晰照片"}).status_code == 303
    judge = Browser(app)
    judge.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    page = judge.get("/operator/after-sales").soup.get_text()
    assert db.get_one(Case, case_id).case_no in page
    assert "48 小时内响应" in page
    bad = judge.post(f"/operator/after-sales/{case_id}/decide", {"outcome": "compensate", "fault": "merchant", "note": "酌情", "amount": "abc"})
    assert bad.status_code == 422
    assert "不是有效的金额" in bad.soup.get_text()
    sent = {"outcome": "compensate", "fault": "merchant", "note": "酌情赔付", "amount": "3.50"}
    assert judge.post(f"/operator/after-sales/{case_id}/decide", sent).status_code == 303
    db.rollback()
    db.expire_all()
    assert db.get_one(Case, case_id).refund_fen == 350
    finance = Browser(app)
    finance.sign_in("/operator", market.staff("operator", "finance"), market.PASSWORD)
    assert finance.get("/operator/after-sales").status_code == 403


def test_a_clerk_sees_and_does_not_handle(scene: Any, app: Any) -> None:
    from tests.integration.test_access_matrix import clerk_of

    case_id = cases.opened(scene.actor, scene.order_id)
    clerk = Browser(app)
    clerk.sign_in("/merchant", clerk_of(scene.shop, "clerk"), market.PASSWORD)
    page = clerk.get(f"/merchant/after-sales/{case_id}")
    assert page.status_code == 200
    assert page.soup.find("form", action=f"/merchant/after-sales/{case_id}/approve") is None
    assert clerk.post(f"/merchant/after-sales/{case_id}/approve").status_code == 403


def test_what_is_outside_the_seven_days_is_confirmed_at_checkout(app: Any, db: Any) -> None:
    shop = fresh_shop(db)
    buyer = Browser(app)
    sign_in(buyer, "13811114444")
    assert "不适用 7 天无理由" in buyer.get(f"/products/{shop.product_id}").soup.get_text()
    page = buyer.get(f"/checkout?sku={shop.sku_ids[0]}&qty=1")
    box = page.soup.find("input", {"name": "exclusions"})
    assert not box.has_attr("checked"), "nothing is ticked for the buyer"
    form = {i["name"]: i.get("value", "") for i in page.soup.select("form#checkout input[type=hidden]")}
    form |= {"address_id": "new", "new-receiver": "李四", "new-phone": "13812341234", "new-street": "幸福路 88 号", "new-area": "T01"}
    form |= {i["name"]: i.get("value", "") for i in page.soup.select("input[type=hidden]") if i.get("name", "").startswith("promise-")}
    refused = buyer.post("/checkout", form)
    assert refused.status_code == 422
    assert "不适用七天无理由退货" in refused.soup.get_text()
    assert buyer.post("/checkout", form | {"exclusions": "1"}).status_code == 303
    line = db.scalars(select(OrderLine)).one()
    assert line.exclusion == "fresh", "as the buyer confirmed it"


def test_states_and_kinds_have_words() -> None:
    assert set(states.TONES) == set(states.STATUSES)
    assert {kind for reason in states.REASONS.values() for kind in reason.kinds} == set(states.KINDS)
