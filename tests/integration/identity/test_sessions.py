"""Passwords, lockout, session life, housekeeping."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.audit.models import AuditEvent
from app.core import clock, runtime
from app.core.actor import SYSTEM
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.identity import housekeeping, queries, service
from app.identity.models import Account, Session, SmsCode
from tests.factories.market import PASSWORD, actor_of


def make(login: str = "reviewer1", realm: str = "operator", role: str = "reviewer") -> Account:
    with transaction():
        return service.create_account(SYSTEM, realm, login, "审核员", password=PASSWORD, roles=(role,))


def sign_in(password: str = PASSWORD, login: str = "reviewer1", realm: str = "operator") -> str | None:
    with transaction():
        return service.sign_in_with_password(realm, realm, login, password, address="10.0.0.9", agent="test")[0]


def newest_refusal(db: Any) -> str:
    event = db.scalars(select(AuditEvent).where(AuditEvent.action == "session.refused").order_by(AuditEvent.id.desc()).limit(1)).one()
    assert event.result == "refused"
    return event.payload


def test_password_opens_a_session_and_nothing_else(db: Any) -> None:
    make()
    token = sign_in()
    assert token
    row = db.scalars(select(Session)).one()
    assert token not in row.token_digest
    assert queries.load_session("operator", token, "-") is not None
    assert queries.load_session("security", token, "-") is None, "a session counts on its own surface only"
    assert queries.load_session("operator", token[:-1], "-") is None


@pytest.mark.parametrize(("login", "realm"), [("reviewer1", "security"), ("nobody", "operator")])
def test_unknown_names_are_refused_alike(db: Any, login: str, realm: str) -> None:
    make()
    assert sign_in(login=login, realm=realm) is None
    assert '"reason":"unknown"' in newest_refusal(db)


def test_unknown_names_cost_a_hash(db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from security import passwords

    seen, real = [], passwords.verify_password
    monkeypatch.setattr(passwords, "verify_password", lambda given, stored: seen.append(stored) or real(given, stored))
    sign_in(login="nobody")
    assert len(seen) == 1
    iterations = runtime.current().settings.security.password_iterations
    assert not passwords.needs_rehash(seen[0], iterations), "the decoy costs what a real one does"


def test_lockout_and_its_end(db: Any) -> None:
    make()
    security = runtime.current().settings.security
    for _ in range(security.lockout_failures):
        assert sign_in("Wrong-Horse-9") is None
    assert sign_in() is None, "locked: the right password does not help"
    assert '"reason":"locked"' in newest_refusal(db)
    with clock.travel(timedelta(seconds=security.lockout_s + 1)):
        assert sign_in() is not None


def test_a_success_clears_the_count(db: Any) -> None:
    account = make()
    for _ in range(runtime.current().settings.security.lockout_failures - 1):
        sign_in("Wrong-Horse-9")
    assert sign_in() is not None
    assert db.get_one(Account, account.id, populate_existing=True).failed_count == 0


def test_disabled_accounts_lose_their_sessions(db: Any) -> None:
    account, boss = make(), make("root1", "security", "system_admin")
    token = sign_in()
    with transaction():
        service.set_status(actor_of(boss), account.id, "disabled")
    assert queries.load_session("operator", token or "", "-") is None
    assert sign_in() is None
    with pytest.raises(Conflict), transaction():
        service.set_status(actor_of(boss), boss.id, "disabled")
    with transaction():
        service.set_status(actor_of(boss), account.id, "active")
    assert sign_in() is not None


def test_idle_and_absolute_ends(db: Any) -> None:
    make()
    token = sign_in() or ""
    idle_s, absolute_s = queries.idle_and_absolute("operator")
    with clock.travel(timedelta(seconds=idle_s + 1)):
        assert queries.load_session("operator", token, "-") is None
    for step in range(1, absolute_s // (idle_s - 60) + 1):
        with clock.travel(timedelta(seconds=step * (idle_s - 60))):
            assert queries.load_session("operator", token, "-") is not None, "activity keeps it alive"
    with clock.travel(timedelta(seconds=absolute_s + 1)):
        assert queries.load_session("operator", token, "-") is None, "but never past the absolute end"


def test_looking_writes_at_most_once_a_minute(db: Any) -> None:
    make()
    token = sign_in() or ""
    first = db.scalars(select(Session.seen_at)).one()
    with clock.travel(timedelta(seconds=30)):
        queries.load_session("operator", token, "-")
        assert db.scalars(select(Session.seen_at)).one() == first
    with clock.travel(timedelta(seconds=90)):
        queries.load_session("operator", token, "-")
        assert db.scalars(select(Session.seen_at)).one() > first


def test_loading_inside_a_transaction_does_not_nest(db: Any) -> None:
    make()
    token = sign_in() or ""
    with clock.travel(timedelta(seconds=90)), transaction():
        assert queries.load_session("operator", token, "-") is not None


def test_sign_out_and_revocation(db: Any) -> None:
    make()
    one, other = sign_in() or "", sign_in() or ""
    actor = queries.load_session("operator", one, "-")
    assert actor is not None
    with transaction():
        service.sign_out(actor)
    assert queries.load_session("operator", one, "-") is None
    left = queries.load_session("operator", other, "-")
    assert left is not None
    with transaction():
        service.revoke_session(SYSTEM, left.session_id)
    assert queries.load_session("operator", other, "-") is None
    with pytest.raises(NotFound), transaction():
        service.revoke_session(SYSTEM, 1)


def test_changing_the_password_ends_the_other_sessions(db: Any) -> None:
    make()
    here, there = sign_in() or "", sign_in() or ""
    actor = queries.load_session("operator", here, "-")
    assert actor is not None
    for current, new, code in (
        ("Wrong-Horse-9", "Better-Horse-9", "password.wrong"), (PASSWORD, PASSWORD, "password.same"),
        (PASSWORD, "weak", "password.weak"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused, transaction():
            service.change_password(actor, current, new)
        assert refused.value.code == code
    with transaction():
        service.change_password(actor, PASSWORD, "Better-Horse-9")
    assert queries.load_session("operator", here, "-") is not None
    assert queries.load_session("operator", there, "-") is None
    assert sign_in() is None
    assert sign_in("Better-Horse-9") is not None


def test_a_reset_password_opens_only_the_page_that_changes_it(db: Any) -> None:
    account, boss = make(), make("root1", "security", "system_admin")
    old = sign_in() or ""
    with transaction():
        service.reset_password(actor_of(boss), account.id, "Temporary-77")
    assert queries.load_session("operator", old, "-") is None
    actor = queries.load_session("operator", sign_in("Temporary-77") or "", "-")
    assert actor is not None
    assert not actor.permissions
    with transaction():
        service.change_password(actor, "Temporary-77", "Better-Horse-9")
    actor = queries.load_session("operator", sign_in("Better-Horse-9") or "", "-")
    assert actor is not None
    assert actor.can("product.audit")
    with pytest.raises(Conflict), transaction():
        service.reset_password(actor_of(boss), boss.id, "Temporary-77")
    with pytest.raises(NotFound), transaction():
        service.reset_password(actor_of(boss), 1, "Temporary-77")


def test_old_codes_and_sessions_are_tidied_away(db: Any) -> None:
    make()
    sign_in()
    with transaction():
        service.request_code("13800001111", "-")
        housekeeping.tidy()
    counts = [db.scalar(select(func.count()).select_from(m)) for m in (SmsCode, Session)]
    assert counts == [1, 1]
    with clock.travel(timedelta(days=9)), transaction():
        housekeeping.tidy()
    counts = [db.scalar(select(func.count()).select_from(m)) for m in (SmsCode, Session)]
    assert counts == [0, 0]
