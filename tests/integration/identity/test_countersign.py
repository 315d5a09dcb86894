"""Nobody gets the account of one of the three administrators alone: system and security administrator act together."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from app.audit.models import AuditEvent
from app.core import runtime
from app.core.errors import Conflict, Forbidden
from app.core.tx import transaction
from app.identity import service
from app.identity.models import Account
from tests.clients import Browser
from tests.factories import market

ADMINS = ("system_admin", "security_admin", "audit_admin")
TEMPORARY = "Temporary-77"


def signed_in(app: Any, role: str) -> Browser:
    browser = Browser(app)
    assert browser.sign_in("/security", market.staff("security", role), market.PASSWORD).status_code == 303
    return browser


def account_of(db: Any, login: str) -> Account:
    return db.scalars(select(Account).where(Account.login_name == login)).one()


def newest(db: Any, action: str) -> AuditEvent:
    return db.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id.desc()).limit(1)).one()


@pytest.mark.parametrize("role", ADMINS)
def test_the_verb_refuses_the_system_administrator_alone(db: Any, role: str) -> None:
    boss = market.actor_of(account_of(db, market.staff("security", "system_admin")))
    target = account_of(db, market.staff("security", role))
    before = target.password_hash
    for beside in (0, boss.account_id):
        with pytest.raises(Forbidden) as refused, transaction():
            service.reset_password(boss, target.id, TEMPORARY, countersigned_by=beside)
        assert refused.value.code == "account.countersign"
    with pytest.raises(Conflict), transaction():
        service.reset_password(boss, target.id, TEMPORARY, countersigned_by=target.id)
    with pytest.raises(Forbidden), transaction():
        service.create_account(boss, "security", "hidden-eye", "暗门", password=market.PASSWORD, roles=("audit_admin",))
    db.expire_all()
    assert account_of(db, target.login_name).password_hash == before
    assert db.scalar(select(Account.id).where(Account.login_name == "hidden-eye")) is None


def test_reset_of_the_auditor_page_by_page(app: Any, db: Any) -> None:
    target, officer = market.staff("security", "audit_admin"), market.staff("security", "security_admin")
    boss, url = signed_in(app, "system_admin"), f"/security/accounts/{account_of(db, target).id}/password"
    assert boss.get(url).soup.find("input", {"name": "approver_password"})["type"] == "password"
    alone = boss.post(url, {"password": TEMPORARY})
    assert alone.status_code == 422
    assert "须由安全管理员现场复核" in alone.soup.get_text()
    for login, password in ((officer, "Wrong-Horse-9"), (target, market.PASSWORD), ("nobody", market.PASSWORD)):
        refused = boss.post(url, {"password": TEMPORARY, "approver_login": login, "approver_password": password})
        assert refused.status_code == 422, login
        assert "复核未通过" in refused.soup.get_text()
        assert password not in refused.get_data(as_text=True)
    assert Browser(app).sign_in("/security", target, market.PASSWORD).status_code == 303, "still the old password"
    both = {"password": TEMPORARY, "approver_login": officer, "approver_password": market.PASSWORD}
    assert boss.post(url, both).status_code == 303
    assert Browser(app).sign_in("/security", target, TEMPORARY).headers["Location"] == "/security/password"
    event = newest(db, "password.reset")
    assert str(account_of(db, officer).id) in event.payload
    assert event.object_id == str(account_of(db, target).id)


def test_a_security_administrator_does_not_sign_for_the_own_account(app: Any, db: Any) -> None:
    target = market.staff("security", "security_admin")
    boss, url = signed_in(app, "system_admin"), f"/security/accounts/{account_of(db, target).id}/password"
    own = {"password": TEMPORARY, "approver_login": target, "approver_password": market.PASSWORD}
    refused = boss.post(url, own)
    assert refused.status_code == 422
    assert "不能复核自己的账号" in refused.soup.get_text()
    assert Browser(app).sign_in("/security", target, market.PASSWORD).status_code == 303


def test_guessing_the_second_password_locks_that_account(app: Any, db: Any) -> None:
    target, officer = market.staff("security", "audit_admin"), market.staff("security", "security_admin")
    boss, url = signed_in(app, "system_admin"), f"/security/accounts/{account_of(db, target).id}/password"
    form = {"password": TEMPORARY, "approver_login": officer, "approver_password": "Wrong-Horse-9"}
    for _ in range(runtime.current().settings.security.lockout_failures):
        assert boss.post(url, form).status_code == 422
    assert boss.post(url, form | {"approver_password": market.PASSWORD}).status_code == 422, "locked"
    db.expire_all()
    assert account_of(db, officer).locked_until is not None


def test_a_new_administrator_needs_both_and_others_need_one(app: Any, db: Any) -> None:
    officer, boss = market.staff("security", "security_admin"), signed_in(app, "system_admin")
    form = {"role": "security/audit_admin", "login_name": "auditor-2", "display_name": "审计二", "password": TEMPORARY}
    page = boss.post("/security/accounts/new", form)
    assert page.status_code == 422
    assert "须由安全管理员现场复核" in page.soup.get_text()
    assert boss.post("/security/accounts/new", form | {"approver_login": officer, "approver_password": market.PASSWORD}).status_code == 303
    assert str(account_of(db, officer).id) in newest(db, "account.created").payload
    plain = form | {"role": "operator/reviewer", "login_name": "reviewer-2"}
    assert boss.post("/security/accounts/new", plain).status_code == 303
    assert boss.post(f"/security/accounts/{account_of(db, 'reviewer-2').id}/password", {"password": TEMPORARY}).status_code == 303


def test_a_temporary_password_does_not_sign(app: Any, db: Any) -> None:
    target, officer = market.staff("security", "audit_admin"), market.staff("security", "security_admin")
    with transaction():
        account_of(db, officer).must_change = True
    boss, url = signed_in(app, "system_admin"), f"/security/accounts/{account_of(db, target).id}/password"
    form = {"password": TEMPORARY, "approver_login": officer, "approver_password": market.PASSWORD}
    assert boss.post(url, form).status_code == 422
    assert newest(db, "account.countersign_refused").result == "refused"


def test_the_console_on_the_host_recovers_a_lost_password(app: Any, db: Any) -> None:
    from app.core import console
    from app.identity.commands import user_group

    console.use_opener(lambda: None)
    login = market.staff("security", "security_admin")
    arguments = ["reset-password", "--realm", "security", "--login", login]
    done = CliRunner().invoke(user_group, arguments, input=f"{TEMPORARY}\n{TEMPORARY}\n")
    assert done.exit_code == 0, done.output
    assert TEMPORARY not in done.output
    assert Browser(app).sign_in("/security", login, TEMPORARY).headers["Location"] == "/security/password"
    assert newest(db, "password.reset").realm == "system"
    unknown = CliRunner().invoke(user_group, [*arguments[:-1], "nobody"], input=f"{TEMPORARY}\n{TEMPORARY}\n")
    assert unknown.exit_code != 0
