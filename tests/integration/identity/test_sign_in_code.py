"""Consumers: registration, codes and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core import clock, runtime
from app.core.errors import Conflict, Invalid, TooMany
from app.core.jobs import Job
from app.core.tx import transaction
from app.identity import queries, service
from app.identity.models import Account, Session, SmsCode
from tests.clients import Browser

PHONE = "13800001111"


def issue(phone: str = PHONE) -> str:
    with transaction():
        return service.request_code(phone, "10.0.0.1")[1]


def check(code: str, phone: str = PHONE) -> bool:
    with transaction():
        return service.check_code(phone, code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_code_is_kept_as_a_digest_only(db: Any) -> None:
    code = issue()
    row = db.scalars(select(SmsCode)).one()
    assert code not in row.code_digest
    payloads = [str(p) for p in db.scalars(select(Job.payload))]
    assert not any(code in p or PHONE in p for p in payloads), "the event carries both encrypted"


def test_a_right_code_works_once(db: Any) -> None:
    code = issue()
    assert check(code)
    assert not check(code)


def test_full_width_digits_are_read(db: Any) -> None:
    code = issue()
    assert check("".join(chr(ord(c) + 0xFEE0) for c in code))


def test_a_code_belongs_to_its_phone(db: Any) -> None:
    code = issue()
    other = issue("13800002222")
    assert code == other or not check(code, "13800002222")


def test_five_tries(db: Any) -> None:
    code = issue()
    for _ in range(5):
        assert not check(wrong(code))
    assert not check(code), "the right one comes too late"


def test_an_expired_code_is_refused(db: Any) -> None:
    code = issue()
    with clock.travel(timedelta(seconds=299)):
        assert not check(wrong(code))
    with clock.travel(timedelta(seconds=301)):
        assert not check(code)


def test_only_the_newest_code_counts(db: Any) -> None:
    old = issue()
    with clock.travel(timedelta(seconds=61)):
        new = issue()
        assert old == new or not check(old)
        assert check(new)


def test_one_a_minute_and_twenty_a_day(db: Any) -> None:
    issue()
    with pytest.raises(TooMany) as soon:
        issue()
    assert soon.value.code == "sms.too_soon"
    for minute in range(1, 20):
        with clock.travel(timedelta(seconds=61 * minute)):
            issue()
    with clock.travel(timedelta(seconds=61 * 20)), pytest.raises(TooMany) as daily:
        issue()
    assert daily.value.code == "sms.daily"
    with clock.travel(timedelta(days=1, minutes=30)):
        issue()


def many(count: int, first: int = 0, **where: str) -> None:
    """Ask for codes of as many phones, all from one place."""
    for number in range(first, first + count):
        with transaction():
            service.request_code(f"138{number:08d}", **{"address": "10.0.0.9", **where})


@pytest.fixture
def limits() -> Iterator[Any]:
    """Small limits: five codes an hour for an address, three for a device."""
    settings = runtime.current().settings
    before = settings.sms
    object.__setattr__(settings, "sms", before.model_copy(update={"codes_per_address_hour": 5, "codes_per_device_hour": 3}))
    yield
    object.__setattr__(settings, "sms", before)


def test_an_address_has_its_share_of_codes(db: Any, limits: None) -> None:
    many(5)
    with pytest.raises(TooMany) as refused:
        many(1, first=5)
    assert (refused.value.code, refused.value.field) == ("sms.address", "phone")
    many(1, first=5, address="10.0.0.10")
    many(8, first=10, address="-")
    with clock.travel(timedelta(minutes=59)), pytest.raises(TooMany):
        many(1, first=30)
    with clock.travel(timedelta(minutes=61)):
        many(1, first=30)


def test_a_device_has_its_share_of_codes_at_any_address(db: Any, limits: None) -> None:
    for number in range(3):
        many(1, first=number, address=f"10.0.1.{number}", device="seed-one")
    with pytest.raises(TooMany) as refused:
        many(1, first=3, address="10.0.1.3", device="seed-one")
    assert refused.value.code == "sms.device"
    many(1, first=3, address="10.0.1.3", device="seed-two")
    assert "seed-one" not in {row.device for row in db.scalars(select(SmsCode))}, "kept as a digest"
    with clock.travel(timedelta(minutes=61)):
        many(1, first=4, address="10.0.1.4", device="seed-one")


def test_refused_codes_do_not_count(db: Any, limits: None) -> None:
    many(5)
    for _ in range(3):
        with pytest.raises(TooMany):
            many(1, first=5)
    assert db.scalar(select(func.count()).select_from(SmsCode)) == 5


def test_the_page_counts_by_browser(app: Any, db: Any, client: Browser, limits: None) -> None:
    client.get("/sign-in")
    for number in range(3):
        assert client.post("/sign-in", {"phone": f"1390000000{number}"}).status_code == 200
    refused = client.post("/sign-in", {"phone": "13900000003"})
    assert refused.status_code == 429
    assert "本设备获取验证码过于频繁" in refused.soup.get_text()
    other = Browser(app)
    other.get("/sign-in")
    assert other.post("/sign-in", {"phone": "13900000003"}).status_code == 200, "another browser at the same address"


def test_first_sign_in_registers_and_needs_agreement(db: Any) -> None:
    with pytest.raises(Invalid) as refused, transaction():
        service.sign_in_with_code(PHONE, address="-", agent="-")
    assert refused.value.code == "agreement.required"
    with transaction():
        token, account = service.sign_in_with_code(PHONE, address="-", agent="-", agreed=True)
    assert account.login_name == service.phone_index(PHONE)
    assert PHONE not in account.phone_enc
    assert queries.phone_of(account) == "138****1111"
    actor = queries.load_session("storefront", token, "10.0.0.1")
    assert actor is not None
    assert actor.can("order.own")
    with transaction():
        again = service.sign_in_with_code(PHONE, address="-", agent="-")[1]
    assert again.id == account.id


def test_a_disabled_consumer_stays_out(db: Any) -> None:
    with transaction():
        account = service.sign_in_with_code(PHONE, address="-", agent="-", agreed=True)[1]
        account.status = "disabled"
    with pytest.raises(Conflict), transaction():
        service.sign_in_with_code(PHONE, address="-", agent="-")


def shown(page: Any) -> str:
    found = re.search(r"验证码为 (\d{6})", page.get_data(as_text=True))
    assert found
    return found[1]


def test_pages_without_scripts(app: Any, db: Any, client: Browser) -> None:
    client.get("/sign-in?next=/orders")
    bad = client.post("/sign-in", {"phone": "123", "next": "/orders"})
    assert bad.status_code == 422
    assert "请输入 11 位手机号" in bad.soup.get_text()
    page = client.post("/sign-in", {"phone": "138 0000 3333", "next": "/orders"})
    code = shown(page)
    fields = {"phone": "138 0000 3333", "code": code, "next": "/orders"}
    early = client.post("/sign-in/code", fields | {"code": wrong(code)})
    assert early.status_code == 422
    assert "验证码不正确" in early.soup.get_text(), "a wrong code does not tell whether the phone is registered"
    unticked = client.post("/sign-in/code", fields)
    assert unticked.status_code == 422
    assert "请先阅读并同意" in unticked.soup.get_text()
    done = client.post("/sign-in/code", fields | {"agreed": "1"})
    assert done.status_code == 303, "the right code survives the forgotten tick"
    assert done.headers["Location"].endswith("/orders")
    cookie = next(c for c in done.headers.getlist("Set-Cookie") if c.startswith("rm_storefront="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert client.get("/me").status_code == 200
    assert client.get("/sign-in").status_code == 303
    assert client.post("/sign-out").status_code == 303
    assert client.get("/me").status_code == 303, "to the sign-in page"


def test_the_code_is_not_shown_by_other_channels(app: Any, db: Any, client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = runtime.current().settings
    object.__setattr__(settings, "sms", settings.sms.model_copy(update={"channel": "gateway"}))
    try:
        client.get("/sign-in")
        page = client.post("/sign-in", {"phone": "13800004444"})
        assert "验证码为" not in page.get_data(as_text=True)
    finally:
        object.__setattr__(settings, "sms", settings.sms.model_copy(update={"channel": "development"}))


def test_no_open_redirect(app: Any, db: Any, client: Browser) -> None:
    for target in ("https://evil.example", "//evil.example", "/\\evil.example"):
        page = client.get("/sign-in", query_string={"next": target})
        assert page.soup.find("input", {"name": "next"})["value"] == "/me"


def test_a_refused_guess_opens_nothing(app: Any, db: Any, client: Browser) -> None:
    client.get("/sign-in")
    code = shown(client.post("/sign-in", {"phone": "13800005555"}))
    for _ in range(6):
        client.post("/sign-in/code", {"phone": "13800005555", "code": wrong(code), "agreed": "1"})
    last = client.post("/sign-in/code", {"phone": "13800005555", "code": code, "agreed": "1"})
    assert last.status_code == 422
    assert db.scalar(select(func.count()).select_from(Account)) == 0
    assert db.scalar(select(func.count()).select_from(Session)) == 0
