"""Pages of promotions: rules by form with sample carts, approval, issue, the coupon centre (M13, K03, K26, T29)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.catalog.models import Sku
from app.core.tx import transaction
from app.promotions import scanning
from app.promotions.models import Coupon, PromotionRule
from tests.clients import Browser
from tests.factories import market, promotions

FORM = {
    "kind": "full_cut", "title": "满100减10", "starts_at": "2020-01-01T00:00", "ends_at": "2020-12-01T00:00", "scope": "all",
    "tier1_over": "100", "tier1_off": "10", "tier2_over": "200", "tier2_off": "30", "owner": "platform", "is_public": "y",
    "benefit": "off", "quantity": "0", "per_account": "0", "channel": "", "merchant_share": "0",
}  # fmt: skip


def form(**values: str) -> dict[str, str]:
    from app.core import clock

    year = clock.business_date().year
    return {**FORM, "starts_at": f"{year}-01-01T00:00", "ends_at": f"{year}-12-31T00:00", **values}


def signed_in(app: Any, surface: str, login: str) -> Browser:
    browser = Browser(app)
    assert browser.sign_in(surface, login, market.PASSWORD).status_code == 303
    browser.get(f"{surface}/promotions")
    return browser


@pytest.fixture
def shop(db: Any) -> market.Shop:
    made = market.make_shop(price_fen=6_000)
    with transaction():
        for sku in db.scalars(select(Sku).where(Sku.product_id == made.product_id)):
            sku.cost_fen = 5_500
    return made


@pytest.fixture
def desk(app: Any, shop: market.Shop) -> Browser:
    return signed_in(app, "/merchant", shop.login)


def only_rule(db: Any) -> PromotionRule:
    db.rollback()
    db.expire_all()
    return db.scalars(select(PromotionRule)).one()


@pytest.mark.parametrize("kind", ["full_cut", "timed", "scan", "coupon", "freight"])
def test_every_kind_has_a_form(desk: Browser, kind: str) -> None:
    page = desk.get(f"/merchant/promotions/new?kind={kind}")
    assert page.status_code == 200
    assert page.soup.find("input", {"name": "kind"})["value"] == kind
    assert page.soup.find("button", {"name": "intent", "value": "preview"})


def test_kinds_of_the_platform_are_not_the_merchants(desk: Browser) -> None:
    assert desk.get("/merchant/promotions/new?kind=first_order").status_code == 422
    assert desk.post("/merchant/promotions", form(kind="first_order")).status_code == 422


def test_preview_shows_three_carts_and_warns_of_the_margin_without_saving(db: Any, desk: Browser) -> None:
    page = desk.post("/merchant/promotions", form(intent="preview"))
    assert page.status_code == 200
    carts = page.soup.select("#preview .sample")
    assert [c.h3.text for c in carts] == ["小单", "刚到门槛", "大单"]
    assert "−¥10.00" in carts[1].text
    assert "亏本" not in carts[0].text
    assert "毛利低于 10%" in carts[0].text, "8% without any discount"
    assert "亏本" in carts[2].text
    assert page.soup.find("input", {"name": "title"})["value"] == "满100减10", "the input is kept"
    assert db.query(PromotionRule).count() == 0


def test_preview_names_what_is_wrong(desk: Browser) -> None:
    page = desk.post("/merchant/promotions", form(intent="preview", tier2_off="5"))
    assert page.status_code == 200
    assert "档位须由低到高" in page.soup.select_one("#preview").text


def test_a_merchant_saves_starts_pauses_edits_and_ends_a_rule(db: Any, desk: Browser) -> None:
    answer = desk.post("/merchant/promotions", form(intent="save"))
    assert answer.status_code == 303
    url = answer.headers["Location"]
    assert only_rule(db).status == "draft"
    assert desk.post(f"{url}/submit").status_code == 303
    assert only_rule(db).status == "active"
    page = desk.get(url)
    assert "满100减10，满200减30" in page.soup.text
    assert "进行中" in page.soup.h1.text
    desk.post(f"{url}/pause")
    edit = desk.get(f"{url}/edit")
    assert edit.soup.find("input", {"name": "tier2_off"})["value"] == "30.00"
    assert desk.post(url, form(intent="submit", tier2_off="50")).status_code == 303
    rule = only_rule(db)
    assert (rule.version, rule.status) == (2, "active")
    desk.post(f"{url}/end")
    assert only_rule(db).status == "ended"
    assert "已结束" in desk.get("/merchant/promotions").soup.text


def test_a_wrong_form_keeps_its_input(db: Any, desk: Browser) -> None:
    for values in ({"title": ""}, {"tier1_off": "abc"}, {"scope": "tags"}, {"ends_at": "2001-01-01T00:00"}):
        page = desk.post("/merchant/promotions", form(intent="submit", **values))
        assert page.status_code == 422, values
        assert page.soup.select_one(".esum"), values
    assert db.query(PromotionRule).count() == 0


def test_a_rate_is_read_exactly(db: Any, desk: Browser) -> None:
    for text, bps in (("8", 8_000), ("8.5", 8_500), ("9.25折", 9_250)):
        answer = desk.post("/merchant/promotions", form(kind="timed", rate=text, intent="save"))
        assert answer.status_code == 303
        from app.promotions import queries

        rule_id = int(answer.headers["Location"].rsplit("/", 1)[1])
        assert queries.spec_of(promotions.row(db, rule_id)).rate_bps == bps
    assert desk.post("/merchant/promotions", form(kind="timed", rate="八折", intent="save")).status_code == 422


def test_a_product_of_another_shop_has_no_effect_there(app: Any, db: Any, desk: Browser) -> None:
    """The scope of a merchant's rule always names its own shop, whatever product ids are posted."""
    other = market.make_shop()
    desk.post("/merchant/promotions", form(intent="submit", scope="products", products=str(other.product_id)))
    from app.promotions import queries

    spec = queries.spec_of(only_rule(db))
    assert spec.merchant_id != other.merchant_id
    assert spec.rule(1, 1).scope.merchant_id == spec.merchant_id


def test_operator_rule_goes_through_approval(app: Any, db: Any, shop: market.Shop) -> None:
    author = signed_in(app, "/operator", market.staff("operator", "operations"))
    reviewer = signed_in(app, "/operator", market.staff("operator", "reviewer"))
    url = author.post("/operator/promotions", form(intent="submit", merchant_share="30")).headers["Location"]
    assert only_rule(db).status == "submitted"
    assert author.post(f"{url}/approve").status_code == 403
    reviewer.post(f"{url}/reject", {"reason": "预算未批"})
    assert "预算未批" in author.get(url).soup.text
    author.post(f"{url}/submit")
    assert "通过" in reviewer.get(url).soup.text
    reviewer.post(f"{url}/approve")
    assert only_rule(db).status == "active"


def test_operators_stop_a_merchants_rule_but_do_not_rewrite_it(app: Any, db: Any, shop: market.Shop) -> None:
    rule_id = promotions.start(merchant_id=shop.merchant_id)
    operator = signed_in(app, "/operator", market.staff("operator", "operations"))
    assert shop.login not in operator.get("/operator/promotions").soup.text
    assert operator.get(f"/operator/promotions/{rule_id}/edit").status_code == 422
    assert operator.post(f"/operator/promotions/{rule_id}", form()).status_code == 422
    operator.post(f"/operator/promotions/{rule_id}/pause")
    assert promotions.row(db, rule_id).status == "paused"


def test_coupons_are_issued_by_telephone_number(app: Any, db: Any, shop: market.Shop) -> None:
    rule_id = promotions.start("coupon", is_public=False)
    buyer, _ = market.make_buyer(77)
    operator = signed_in(app, "/operator", market.staff("operator", "operations"))
    url = f"/operator/promotions/{rule_id}"
    assert operator.post(f"{url}/issue", {"phones": "123"}).status_code == 422
    assert operator.post(f"{url}/issue", {"phones": "13800000077，13999999999"}).status_code == 303
    assert "已发放 1 张；1 个号码" in operator.get(url).soup.text
    assert [c.account_id for c in db.query(Coupon)] == [buyer.account_id]
    operator.post(f"{url}/void", {"reason": "发错了"})
    db.rollback()
    db.expire_all()
    assert [c.status for c in db.query(Coupon)] == ["void"]


def test_coupon_centre_is_for_everybody_and_claiming_is_not(app: Any, db: Any, shop: market.Shop) -> None:
    promotions.start("coupon", title="新人券")
    promotions.start("coupon", merchant_id=shop.merchant_id, title="店铺券")
    hidden = promotions.start("coupon", title="定向券", is_public=False)
    visitor = Browser(app)
    page = visitor.get("/coupons")
    titles = [t.p.text.strip() for t in page.soup.select(".ticket")]
    assert titles == ["新人券", "店铺券"]
    action = page.soup.select_one(".ticket form")["action"]
    assert visitor.post(action).headers["Location"].startswith("/sign-in?next=")
    assert visitor.get(f"/promotions/{hidden}").status_code == 404
    assert db.query(Coupon).count() == 0


def test_goods_of_a_promotion_are_its_goods(app: Any, db: Any, shop: market.Shop) -> None:
    other = market.make_shop()
    rule_id = promotions.start(merchant_id=shop.merchant_id)
    page = Browser(app).get(f"/promotions/{rule_id}?need=3420")
    links = {a["href"] for a in page.soup.select(".pcard__a")}
    assert links == {f"/products/{shop.product_id}"}
    assert f"/products/{other.product_id}" not in links
    assert "再买 ¥34.20" in page.soup.text
    assert Browser(app).get("/promotions/999").status_code == 404


def test_holders_of_a_coupon_find_its_goods_when_the_rule_is_over(app: Any, db: Any, shop: market.Shop) -> None:
    from app.core.actor import SYSTEM, Actor
    from app.promotions import service
    from tests.integration.orders.test_checkout import sign_in

    rule_id = promotions.start("coupon", merchant_id=shop.merchant_id, is_public=False, title="老客券")
    holder, other = Browser(app), Browser(app)
    account = sign_in(holder, "13820000051")
    sign_in(other, "13820000052")
    with transaction():
        service.issue(SYSTEM, rule_id, [account])
        service.end(Actor("merchant", merchant_id=shop.merchant_id), rule_id)
    link = holder.get("/me/coupons").soup.select_one(".ticket__a a")["href"]
    assert link == f"/promotions/{rule_id}"
    assert "老客券" in holder.get(link).soup.h1.text
    assert other.get(link).status_code == 404
    assert Browser(app).get(link).status_code == 404


def test_a_shops_code_opens_its_price_for_two_hours(app: Any, db: Any, shop: market.Shop, desk: Browser) -> None:
    from datetime import timedelta

    from app.core import clock

    answer = Browser(app).get(f"/scan/{scanning.poster_token(shop.merchant_id)}")
    assert answer.headers["Location"] == f"/shops/{shop.merchant_id}"
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith(scanning.COOKIE))
    assert "HttpOnly" in cookie
    value = cookie.split("=", 1)[1].split(";", 1)[0]
    assert scanning.scanned(value) == shop.merchant_id
    assert scanning.scanned(value[:-2]) == 0
    assert scanning.scanned(scanning.poster_token(shop.merchant_id)) == 0, "a poster is not a visit"
    with clock.travel(timedelta(hours=3)):
        assert scanning.scanned(value) == 0
    assert Browser(app).get("/scan/forged.token").status_code == 404
    rule_id = promotions.start("scan", merchant_id=shop.merchant_id)
    assert desk.get(f"/merchant/promotions/{rule_id}").soup.select_one("svg path") is not None


def test_a_product_shows_its_offers(app: Any, db: Any, shop: market.Shop) -> None:
    promotions.start(merchant_id=shop.merchant_id, title="店铺满减")
    promotions.start("coupon", merchant_id=shop.merchant_id, title="店铺券")
    promotions.start(merchant_id=market.make_shop().merchant_id, title="别家满减")
    page = Browser(app).get(f"/products/{shop.product_id}")
    block = page.soup.select_one("#offers")
    assert "店铺满减：满10减2" in block.text
    assert "别家" not in block.text
    assert block.select_one("form")["action"].endswith("/claim")
    assert not page.soup.select(".pr__row .was")
    assert Browser(app).get(f"/products/{market.make_shop().product_id}").soup.select_one("#offers") is None


@pytest.mark.parametrize(
    ("history", "earlier_rule", "was"),
    [
        ([(-30, 8_000), (-3, 6_000)], False, "60.00"),  # the lowest of the seven days, not the highest ever
        ([(-30, 9_000), (-10, 6_500)], False, "65.00"),  # the price in force at the beginning of the period counts
        ([(-30, 4_000)], False, None),  # the promotion is dearer than before: nothing is struck through
        ([], False, None),  # no proof, no reference
        ([(-30, 8_000)], True, None),  # another item price ran in the period: the list price was not the deal price
    ],
)
def test_reference_price_is_the_lowest_of_the_seven_days_before(
    app: Any, db: Any, shop: market.Shop, history: list[tuple[int, int]], earlier_rule: bool, was: str | None
) -> None:
    """划线价 comes from the price history only (commerce.md §2.22)."""
    from datetime import timedelta

    from sqlalchemy import delete

    from app.catalog.models import PriceHistory
    from app.core import clock
    from app.core.ids import new_id

    at = clock.now()
    with transaction():
        db.execute(delete(PriceHistory))
        for days, fen in history:
            db.add(PriceHistory(id=new_id(), sku_id=shop.sku_ids[0], price_fen=fen, changed_by=0, at=at + timedelta(days=days)))
    if earlier_rule:
        with clock.travel(timedelta(days=-9)):
            promotions.start("timed", merchant_id=shop.merchant_id, ends_at=at - timedelta(days=2))
    promotions.start("timed", merchant_id=shop.merchant_id, title="限时八折", starts_at=at - timedelta(hours=1))
    row = Browser(app).get(f"/products/{shop.product_id}").soup.select_one(".pr__row")
    assert "48.00" in row.text, "80% of 60.00"
    struck = row.select_one(".was s")
    assert (struck.text if struck else None) == (f"¥{was}" if was else None)
