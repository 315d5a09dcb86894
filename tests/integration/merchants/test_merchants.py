"""Merchants: application, credit codes, review, suspension, shop, foreign ids."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock
from app.core.actor import GUEST, SYSTEM
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.tx import transaction
from app.identity import service as identity
from app.identity.models import Account
from app.merchants import queries, service
from app.merchants.models import Licence, Merchant
from tests.factories import merchants as make

CASES = Path(__file__).resolve().parents[4] / "shared" / "data" / "business_licence" / "uscc_cases_a.csv"
FORM = {
    "name": "澜州青禾果业有限公司", "shop_name": "青禾果业", "area_code": "a1", "street": "文昌街道 8 号",
    "licence_number": make.CREDIT_CODE, "contact_name": "周强", "contact_phone": "13800001234", "login_name": "qinghe",
    "password": make.PASSWORD,
}  # fmt: skip


def apply(**changes: Any) -> Merchant:
    return service.apply(GUEST, **{**FORM, **changes})


@pytest.fixture(autouse=True)
def _area(db: Any) -> None:
    with transaction():
        make.make_area()


def test_application_makes_merchant_licence_and_owner() -> None:
    with transaction():
        merchant = apply()
    licence = session.scalars(select(Licence).where(Licence.merchant_id == merchant.id)).one()
    account = session.scalars(select(Account).where(Account.merchant_id == merchant.id)).one()
    assert (merchant.status, licence.number, account.realm) == ("applied", make.CREDIT_CODE, "merchant")
    assert "13800001234" not in merchant.contact_phone_enc
    assert queries.contact_phone(make.reviewer(), merchant) == "138****1234"
    with pytest.raises(NotFound):
        queries.get_public(merchant.id)
    with transaction(), pytest.raises(Conflict, match="merchant.exists"):
        apply(login_name="another")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("licence_number", "91110000600037341A"), ("area_code", "zz"), ("contact_phone", "123"), ("shop_name", " "),
        ("password", "short"), ("licence_valid_until_on", clock.business_date() - timedelta(days=1)),
    ],
)  # fmt: skip
def test_bad_fields_are_named(field: str, value: Any) -> None:
    with transaction(), pytest.raises(Invalid) as refused:
        apply(**{field: value})
    assert refused.value.field in {field, "phone"}


def test_credit_codes_of_the_public_list() -> None:
    if not CASES.is_file():
        pytest.skip(f"{CASES} is not here")
    with CASES.open(encoding="utf-8") as handle:
        for case in csv.DictReader(handle):
            try:
                service.check_credit_code(case["uscc"])
                found = "valid"
            except Invalid:
                found = "invalid"
            assert (found == "valid") == (case["expected"] == "valid"), case


def test_review_and_wrong_moves() -> None:
    reviewer = make.reviewer()
    with transaction():
        merchant_id = apply().id
        with pytest.raises(Forbidden):
            service.approve(make.editor(), merchant_id)
        with pytest.raises(Invalid, match="merchant.reason"):
            service.reject(reviewer, merchant_id, " ")
        service.reject(reviewer, merchant_id, "执照照片不清楚")
        with pytest.raises(Conflict, match="merchant.moved"):
            service.approve(reviewer, merchant_id)
        owner = make.owner_of(session.get_one(Merchant, merchant_id))
        service.reapply(owner)
        with pytest.raises(Conflict):
            service.reapply(owner)
        service.approve(reviewer, merchant_id)
        assert queries.get_public(merchant_id).status == "active"
        assert queries.standing(merchant_id).has_licence
        service.suspend(reviewer, merchant_id, "证照存疑")
        with pytest.raises(Conflict):
            service.suspend(reviewer, merchant_id, "证照存疑")
        assert queries.shops([merchant_id])[merchant_id].status == "suspended"
        service.resume(reviewer, merchant_id)


def test_shop_profile_and_freight() -> None:
    with transaction():
        owner = make.owner_of(make.make_merchant())
        service.edit_shop(owner, shop_name="新店名", freight_fen=800, free_over_fen=9_900)
        with pytest.raises(Invalid):
            service.edit_shop(owner, shop_name="新店名", freight_fen=-1)
        with pytest.raises(Invalid, match="licence.number"):
            service.add_licence(owner, kind="business", number="123")
        service.add_licence(owner, kind="food", number="JY1234567890")
        with pytest.raises(NotFound):
            queries.get_for(owner, make.make_merchant("第二家店").id)
        with pytest.raises(NotFound):
            queries.get_for(GUEST, 0)
    shop = queries.shops([owner.merchant_id])[owner.merchant_id]
    assert (shop.shop_name, shop.freight_fen, shop.free_over_fen) == ("新店名", 800, 9_900)


def test_pages_from_application_to_approval(client: Any) -> None:
    with transaction():
        identity.create_account(SYSTEM, "operator", "rev", "审核员", password=make.PASSWORD, roles=("reviewer",))
    assert client.get("/merchant/apply").status_code == 200
    refused = client.post("/merchant/apply", {**FORM, "licence_number": "1", "agreed": "y"})
    assert (refused.status_code, "统一社会信用代码不正确" in refused.get_data(as_text=True)) == (422, True)
    assert client.post("/merchant/apply", {**FORM}).status_code == 422
    sent = client.post("/merchant/apply", {**FORM, "agreed": "y"})
    assert sent.status_code == 303
    assert client.get(sent.headers["Location"]).status_code == 200
    merchant_id = session.scalars(select(Merchant.id)).one()
    client.sign_in("/operator", "rev", make.PASSWORD)
    assert "青禾果业" in client.get("/operator/merchants").get_data(as_text=True)
    page = client.get(f"/operator/merchants/{merchant_id}").get_data(as_text=True)
    assert make.CREDIT_CODE in page
    assert "13800001234" not in page
    assert client.post(f"/operator/merchants/{merchant_id}/approve").status_code == 303
    assert client.post(f"/operator/merchants/{merchant_id}/approve").status_code == 409
    assert client.post("/operator/merchants/5/approve").status_code == 404
    client.sign_in("/merchant", "qinghe", make.PASSWORD)
    assert client.get("/merchant/shop").status_code == 200
    saved = client.post("/merchant/shop", {"shop_name": "青禾", "freight_fen": "8", "free_over_fen": "1,2.3"})
    assert saved.status_code == 422
    none = client.post("/merchant/shop", {"shop_name": "青禾", "freight_fen": "8", "free_over_fen": "99"})
    assert (none.status_code, "请至少选择一种交付方式" in none.soup.get_text()) == (422, True)
    form = {"shop_name": "青禾", "freight_fen": "8", "free_over_fen": "99", "ways": ["pickup", "express"]}
    assert client.post("/merchant/shop", form).status_code == 303
    assert [box["value"] for box in client.get("/merchant/shop").soup.select("input[name=ways][checked]")] == ["express", "pickup"]
