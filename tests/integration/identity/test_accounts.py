"""Accounts, exclusive administrators, their pages and permissions."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.core.actor import SYSTEM
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.tx import transaction
from app.identity import service
from app.identity.models import Account, AccountRole, Role
from dbadapters.errors import UniqueViolation
from tests.clients import Browser
from tests.factories import market

ADMINS = ("system_admin", "security_admin", "audit_admin")


def signed_in(app: Any, role: str, realm: str = "security", prefix: str = "/security") -> Browser:
    browser = Browser(app)
    assert browser.sign_in(prefix, market.staff(realm, role), market.PASSWORD).status_code == 303
    return browser


@pytest.mark.parametrize("pair", [ADMINS[:2], ADMINS[1:], ADMINS[::2]])
def test_the_three_administrators_exclude_each_other(db: Any, pair: tuple[str, str]) -> None:
    with pytest.raises(Conflict) as refused, transaction():
        service.create_account(SYSTEM, "security", "two-hats", "兼任", password=market.PASSWORD, roles=pair)
    assert refused.value.code == "role.exclusive"
    assert db.scalar(select(Account.id).where(Account.login_name == "two-hats")) is None, "nothing is left behind"


def test_the_constraint_itself_keeps_them_apart(db: Any) -> None:
    with transaction():
        account = service.create_account(SYSTEM, "security", "auditor1", "审计", password=market.PASSWORD, roles=("audit_admin",))
    role = db.scalars(select(Role).where(Role.code == "system_admin")).one()
    with pytest.raises(UniqueViolation), transaction():
        db.add(AccountRole(id=new_id(), account_id=account.id, role_id=role.id, exclusive_key="three_administrators"))
        db.flush()


def test_ordinary_roles_combine_but_not_twice(db: Any) -> None:
    with transaction():
        account = service.create_account(
            SYSTEM, "operator", "both", "双岗", password=market.PASSWORD, roles=("operations", "reviewer")
        )
    assert {"order.view", "product.audit"} <= market.actor_of(account).permissions
    with pytest.raises(Conflict), transaction():
        service.grant_roles(account, ("reviewer",))


def test_roles_belong_to_their_realm(db: Any) -> None:
    with pytest.raises(Invalid), transaction():
        service.create_account(SYSTEM, "operator", "x1", "岗", password=market.PASSWORD, roles=("audit_admin",))


def test_login_names_are_unique_per_realm(db: Any) -> None:
    with transaction():
        service.create_account(SYSTEM, "operator", "same", "一", password=market.PASSWORD)
        service.create_account(SYSTEM, "government", "same", "二", password=market.PASSWORD)
    with pytest.raises(Conflict) as taken, transaction():
        service.create_account(SYSTEM, "operator", "same", "三", password=market.PASSWORD)
    assert (taken.value.code, taken.value.field) == ("account.taken", "login_name")


def test_installing_roles_again_changes_nothing(db: Any) -> None:
    before = {(r.id, r.code) for r in db.scalars(select(Role))}
    with transaction():
        service.install_roles()
    assert {(r.id, r.code) for r in db.scalars(select(Role))} == before


PAGES = {
    "system_admin": ("/security/accounts", "/security/accounts/new"),
    "security_admin": ("/security/accounts", "/security/roles", "/security/sessions"),
    "audit_admin": ("/security/audit", "/security/integrity"),
}
ALL_PAGES = sorted({page for pages in PAGES.values() for page in pages})


@pytest.mark.parametrize("role", ADMINS)
def test_each_administrator_sees_own_pages_only(app: Any, db: Any, role: str) -> None:
    browser = signed_in(app, role)
    for page in ALL_PAGES:
        assert browser.get(page).status_code == (200 if page in PAGES[role] else 403), page
    assert browser.get("/security/").headers["Location"] in PAGES[role]


def test_guests_are_sent_to_the_sign_in_page(app: Any, db: Any) -> None:
    browser = Browser(app)
    for page in ALL_PAGES:
        answer = browser.get(page)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/security/sign-in?next=")


def test_wrong_password_page_says_nothing_special(app: Any, db: Any) -> None:
    browser = Browser(app)
    known = browser.sign_in("/security", market.staff("security", "audit_admin"), "Wrong-Horse-9")
    unknown = browser.sign_in("/security", "nobody", "Wrong-Horse-9")
    assert known.status_code == unknown.status_code == 422
    assert known.soup.find("main").get_text() == unknown.soup.find("main").get_text()


def test_new_account_must_change_its_password(app: Any, db: Any) -> None:
    boss = signed_in(app, "system_admin")
    boss.get("/security/accounts/new")
    form = {"role": "operator/reviewer", "login_name": "newcomer", "display_name": "新同事", "password": market.PASSWORD}
    weak = boss.post("/security/accounts/new", form | {"password": "weak"})
    assert weak.status_code == 422
    assert "口令至少 10 位" in weak.soup.get_text()
    forged = boss.post("/security/accounts/new", form | {"role": "merchant/owner"})
    assert forged.status_code == 422, "merchants' accounts come with the merchant"
    assert boss.post("/security/accounts/new", form).status_code == 303
    assert "新同事" in boss.get("/security/accounts?realm=operator").soup.get_text()

    browser = Browser(app)
    first = browser.sign_in("/operator", "newcomer", market.PASSWORD)
    assert first.headers["Location"] == "/operator/password"
    assert browser.get("/operator/orders").status_code == 403, "nothing opens before the change"
    page = browser.get("/operator/password")
    assert page.status_code == 200
    new = {"current": market.PASSWORD, "password": "Better-Horse-9", "repeated": "Better-Horse-8"}
    assert "不一致" in browser.post("/operator/password", new).soup.get_text()
    assert browser.post("/operator/password", new | {"repeated": "Better-Horse-9"}).status_code == 303
    assert browser.get("/operator/merchants").status_code == 200


def test_resetting_and_disabling(app: Any, db: Any) -> None:
    login = market.staff("operator", "reviewer")
    account_id = db.scalars(select(Account.id).where(Account.login_name == login)).one()
    boss = signed_in(app, "system_admin")
    url = f"/security/accounts/{account_id}"
    assert login in boss.get(f"{url}/password").soup.get_text()
    assert boss.post(f"{url}/password", {"password": "weak"}).status_code == 422
    assert boss.post(f"{url}/password", {"password": "Temporary-77"}).status_code == 303
    assert Browser(app).sign_in("/operator", login, market.PASSWORD).status_code == 422
    assert boss.post(f"{url}/status", {"status": "disabled"}).status_code == 303
    assert Browser(app).sign_in("/operator", login, "Temporary-77").status_code == 422
    assert boss.post(f"{url}/status", {"status": "nonsense"}).status_code == 404
    assert boss.get("/security/accounts/1/password").status_code == 404
    other = signed_in(app, "security_admin")
    assert other.post(f"{url}/status", {"status": "active"}).status_code == 403


def test_sessions_page_ends_a_session(app: Any, db: Any) -> None:
    victim, officer = signed_in(app, "system_admin"), signed_in(app, "security_admin")
    page = officer.get("/security/sessions")
    forms = page.soup.select("form[action*='/revoke']")
    assert len(forms) == 2
    row = next(f for f in forms if "system_admin用户" in f.find_parent("tr").get_text())
    assert officer.post(row["action"]).status_code == 303
    assert victim.get("/security/accounts").status_code == 303


def test_forms_need_their_token(app: Any, db: Any) -> None:
    boss = signed_in(app, "system_admin")
    answer = boss.post("/security/accounts/1/status", {"status": "disabled"}, token=False)
    assert answer.status_code == 422
