"""Verbs of passwords: the rule, changing one's own, resetting somebody else's (GB/T 22239 8.1.4.1)."""

from __future__ import annotations

import re

from sqlalchemy import update

from app.audit import service as audit
from app.core import clock, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.identity.models import Account, Session
from security import passwords


def check_password_policy(password: str, login_name: str) -> None:
    """Raise Invalid(`password.weak`) unless it has ten characters of three kinds and does not hold the login name."""
    kinds = sum(bool(re.search(p, password)) for p in (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9]"))
    if len(password) < 10 or kinds < 3 or login_name.lower() in password.lower():
        raise Invalid(
            "password.weak", "口令至少 10 位，含大写、小写、数字、符号中的三种，且不含登录名", field="password"
        )


def hashed(password: str) -> str:
    """Return the storable hash at the configured cost."""
    return passwords.hash_password(password, iterations=runtime.current().settings.security.password_iterations)


def _end_sessions(account_id: int, keep: int = 0) -> None:
    at_us = clock.microseconds(clock.now())
    session.execute(
        update(Session)
        .where(Session.account_id == account_id, Session.revoked_us == 0, Session.id != keep)
        .values(revoked_us=at_us)
        .execution_options(synchronize_session=False)
    )


def change_password(actor: Actor, current: str, password: str) -> None:
    """Change the actor's own password; its other sessions end.

    Raises Invalid(`password.wrong`), Invalid(`password.weak`), Invalid(`password.same`).
    """
    account = session.get_one(Account, actor.account_id)
    if not passwords.verify_password(current, account.password_hash):
        raise Invalid("password.wrong", "当前口令不正确", field="current")
    if current == password:
        raise Invalid("password.same", "新口令不能与当前口令相同", field="password")
    check_password_policy(password, account.login_name)
    account.password_hash, account.must_change = hashed(password), False
    _end_sessions(account.id, keep=actor.session_id)
    audit.record(actor, "password.changed", "account", account.id)


def require_countersign(actor: Actor, realm: str, account_id: int, countersigned_by: int) -> None:
    """Refuse what would give the actor the account of one of the three administrators without a second one's consent.

    The console on the host acts as the system and needs none. Raises Forbidden(`account.countersign`), Conflict when the
    second administrator would consent to a change of the own account.
    """
    if realm != "security" or actor.realm == "system":
        return
    if not countersigned_by or countersigned_by == actor.account_id:
        raise Forbidden("account.countersign", "三员账号的新建与口令重置须由安全管理员现场复核", field="approver_login")
    if countersigned_by == account_id:
        raise Conflict("account.countersign_self", "不能复核自己的账号，请由另一名安全管理员复核", field="approver_login")


def reset_password(actor: Actor, account_id: int, password: str, *, countersigned_by: int = 0) -> None:
    """Give an account a temporary password: unlocks it, ends its sessions, and it must be changed at the next sign-in.

    For one of the three administrators `countersigned_by` names who consented (`service.countersign`). Raises NotFound,
    Conflict for one's own account, Invalid(`password.weak`), Forbidden(`account.countersign`).
    """
    account = session.get(Account, account_id)
    if account is None or account.password_hash == "-":  # noqa: S105 - the mark of accounts without one
        raise NotFound("account.missing", "账号不存在或不使用口令登录")
    if account_id == actor.account_id:
        raise Conflict("account.self", "请在“修改口令”中更换自己的口令")
    require_countersign(actor, account.realm, account_id, countersigned_by)
    check_password_policy(password, account.login_name)
    account.password_hash, account.must_change = hashed(password), True
    account.failed_count, account.locked_until = 0, None
    _end_sessions(account_id)
    audit.record(
        actor, "password.reset", "account", account_id, detail={"countersigned_by": countersigned_by} if countersigned_by else None
    )
