"""Delivery addresses: encrypted, one default, nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import AuditEvent
from app.core.errors import Invalid, NotFound, TooMany
from app.core.tx import transaction
from app.identity import queries, service
from app.identity.models import Address
from tests.clients import Browser
from tests.factories import market
from tests.integration.identity.test_sign_in_code import shown

GOOD = {"receiver": "王小明", "phone": "13912345678", "street": "文昌街道 12 号", "area_code": "T01"}


def add(actor: Any, **changes: Any) -> int:
    with transaction():
        return service.add_address(actor, **(GOOD | changes)).id


def test_columns_are_encrypted_and_bound_to_their_row(db: Any) -> None:
    actor, _ = market.make_buyer()
    one, other = add(actor), add(actor)
    row, second = db.get_one(Address, one), db.get_one(Address, other)
    for column in ("receiver_enc", "phone_enc", "street_enc"):
        assert not any(word in getattr(row, column) for word in ("王小明", "13912345678", "文昌"))
        assert getattr(row, column) != getattr(second, column)
    with transaction():
        row.phone_enc = second.phone_enc
    with pytest.raises(Exception, match=r"."):
        queries.get_address(actor.account_id, one)


def test_one_default_whatever_happens(db: Any) -> None:
    actor, first = market.make_buyer()

    def default() -> list[int]:
        db.expire_all()
        return [a.id for a in queries.list_addresses(actor.account_id) if a.is_default]

    assert default() == [first]
    second = add(actor)
    assert default() == [first]
    third = add(actor, is_default=True)
    assert default() == [third]
    with transaction():
        service.make_default(actor, second)
    assert default() == [second]
    with transaction():
        service.edit_address(actor, first, **GOOD, is_default=True)
    assert default() == [first]
    assert queries.get_address(actor.account_id, first).receiver == "王小明"
    with transaction():
        service.remove_address(actor, first)
    assert default() == [third], "the newest takes over"


def test_somebody_elses_address_does_not_exist(db: Any) -> None:
    (mine, address_id), (other, _) = market.make_buyer(), market.make_buyer()
    assert queries.get_address(mine.account_id, address_id)
    for verb in (service.remove_address, service.make_default):
        with pytest.raises(NotFound), transaction():
            verb(other, address_id)
    with pytest.raises(NotFound), transaction():
        service.edit_address(other, address_id, **GOOD)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"receiver": ""}, "receiver"), ({"receiver": "长" * 21}, "receiver"), ({"phone": "1"}, "phone"), ({"street": "短"}, "street"),
     ({"area_code": "X"}, "area_code")],
)  # fmt: skip
def test_refusals_name_their_field(db: Any, changes: dict[str, str], field: str) -> None:
    actor, _ = market.make_buyer()
    with pytest.raises(Invalid) as refused:
        add(actor, **changes)
    assert refused.value.field == field


def test_twenty_at_most_and_no_clear_text_in_the_log(db: Any) -> None:
    actor, _ = market.make_buyer()
    for _ in range(19):
        add(actor)
    with pytest.raises(TooMany):
        add(actor)
    payloads = db.scalars(select(AuditEvent.payload).where(AuditEvent.account_id == actor.account_id)).all()
    assert len(payloads) == 20
    assert not any("王小明" in p or "13912345678" in p or "文昌" in p for p in payloads)


def test_pages(app: Any, db: Any, client: Browser) -> None:
    with transaction():
        market.area()
    client.get("/sign-in")
    code = shown(client.post("/sign-in", {"phone": "13800006666"}))
    client.post("/sign-in/code", {"phone": "13800006666", "code": code, "agreed": "1"})
    assert "还没有收货地址" in client.get("/me/addresses").soup.get_text()
    pasted = client.post("/me/addresses/paste", {"text": "王小明 13912345678 某市测试区文昌街道 12 号", "next": "/checkout"})
    form = pasted.soup.select_one("form[action='/me/addresses']")
    values = {i["name"]: i.get("value", "") for i in form.select("input[name]")}
    assert (values["receiver"], values["phone"], values["street"]) == ("王小明", "13912345678", "文昌街道12号")
    assert form.select_one("option[selected]")["value"] == "T01"
    assert client.post("/me/addresses", GOOD | {"street": ""}).status_code == 422
    saved = client.post("/me/addresses", GOOD | {"next": "/checkout"})
    assert saved.headers["Location"].endswith("/checkout")
    row = db.scalars(select(Address)).one()
    edit = client.get(f"/me/addresses/{row.id}")
    assert edit.soup.find("input", {"name": "receiver"})["value"] == "王小明"
    assert client.post(f"/me/addresses/{row.id}", GOOD | {"receiver": "王大明"}).status_code == 303
    page = client.get("/me/addresses").soup.get_text()
    assert "王大明" in page
    assert "13912345678" not in page, "phones are masked in the list"
    assert client.post(f"/me/addresses/{row.id}/default").status_code == 303
    assert client.post(f"/me/addresses/{row.id}/remove").status_code == 303
    assert client.get(f"/me/addresses/{row.id}").status_code == 404
