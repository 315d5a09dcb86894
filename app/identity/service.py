"""Verbs of identity: accounts, sign-in by password or code, sessions, addresses."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import ColumnElement, delete, func, select, update

from app.audit import service as audit
from app.core import cas, clock, events, runtime
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.ids import new_id
from app.core.text import clean, half_width
from app.identity import queries
from app.identity.addresses import add_address, checked_address, edit_address, make_default, remove_address
from app.identity.credentials import (
    change_password,
    check_password_policy,
    hashed,
    require_countersign,
    reset_password,
)
from app.identity.events import AccountRegistered, SignInCodeIssued
from app.identity.models import Account, AccountRole, Role, RolePermission, Session, SmsCode
from app.identity.phones import normal_phone, phone_index
from app.identity.roles import BUILT_IN_ROLES
from dbadapters.errors import UniqueViolation
from security import passwords
from security.sm import hmac_sm3
from security.tokens import digest, random_token

CODE_TTL_S = 300
CODE_EVERY_S = 60
CODE_TRIES = 5
SignInHook = Callable[[int, str], None]
__all__ = [
    "add_address", "change_password", "check_code", "check_password_policy", "checked_address",
    "countersign", "create_account", "edit_address", "grant_roles",
    "install_roles", "make_default", "normal_phone", "on_consumer_sign_in", "phone_index", "remove_address", "request_code",
    "reset_password", "revoke_session", "revoke_sessions", "set_status", "sign_in_with_code", "sign_in_with_password", "sign_out",
]  # fmt: skip
_hooks: list[SignInHook] = []


def on_consumer_sign_in(hook: SignInHook) -> None:
    """Register what a higher tier does inside the sign-in transaction: hook(account_id, guest cart token)."""
    if hook not in _hooks:
        _hooks.append(hook)


def install_roles() -> None:
    """Write the built-in roles; repeating brings them to what the code says."""
    known = {(r.realm, r.code): r for r in session.scalars(select(Role))}
    for spec in BUILT_IN_ROLES:
        role = known.get((spec.realm, spec.code))
        if role is None:
            role = Role(id=new_id(), realm=spec.realm, code=spec.code, name=spec.name, exclusive_group=spec.exclusive_group)
            session.add(role)
            session.flush()  # the permissions below name this role
        held = set(session.scalars(select(RolePermission.permission).where(RolePermission.role_id == role.id)))
        for permission in set(spec.permissions) - held:
            session.add(RolePermission(id=new_id(), role_id=role.id, permission=permission))
        gone = held - set(spec.permissions)
        if gone:
            session.execute(
                delete(RolePermission).where(RolePermission.role_id == role.id, RolePermission.permission.in_(gone))
            )


def create_account(
    actor: Actor, realm: str, login_name: str, display_name: str, *, password: str | None = None,
    phone: str | None = None, roles: Iterable[str] = (), merchant_id: int = 0, area_code: str = "-",
    must_change: bool = False, countersigned_by: int = 0,
) -> Account:  # fmt: skip
    """Create an account with roles of its realm; one of the three administrators needs `countersigned_by` (`countersign`).

    Raises Conflict(`account.taken`), Invalid(`password.weak`), Invalid(`role.unknown`), Conflict(`role.exclusive`),
    Forbidden(`account.countersign`).
    """
    require_countersign(actor, realm, 0, countersigned_by)
    login = clean(login_name)
    if not 2 <= len(login) <= 64 or not clean(display_name):
        raise Invalid("account.login_name", "请填写登录名（至少 2 个字符）和姓名", field="login_name")
    account_id = new_id()
    account = Account(
        id=account_id, realm=realm, login_name=login, display_name=clean(display_name)[:40], status="active",
        merchant_id=merchant_id, area_code=area_code, must_change=must_change, created_at=clock.now(),
        phone_enc="-", phone_index="-", password_hash="-", failed_count=0, prefers_elder=False,  # noqa: S106 - no password yet
    )  # fmt: skip
    if password is not None:
        check_password_policy(password, login)
        account.password_hash = hashed(password)
    if phone is not None:
        number = normal_phone(phone)
        account.phone_index = phone_index(number)
        account.phone_enc = runtime.current().cipher.encrypt(
            number, table="identity_account", column="phone_enc", row_id=account_id
        )
    try:
        with session.begin_nested():
            session.add(account)
            session.flush()  # (realm, login name) is unique: the field shows it
    except UniqueViolation:
        raise Conflict("account.taken", "该登录名已被使用", field="login_name") from None
    grant_roles(account, roles)
    detail = {"realm": realm, "roles": sorted(roles)} | ({"countersigned_by": countersigned_by} if countersigned_by else {})
    audit.record(actor, "account.created", "account", account_id, detail=detail)
    return account


def grant_roles(account: Account, codes: Iterable[str]) -> None:
    """Give roles of the account's realm. Raises Conflict(`role.exclusive`) from the unique constraint."""
    for code in codes:
        role = session.scalar(select(Role).where(Role.realm == account.realm, Role.code == code))
        if role is None:
            raise Invalid("role.unknown", f"角色 {code} 不存在", field="roles")
        exclusive = role.exclusive_group if role.exclusive_group != "-" else f"role:{role.id}"
        try:
            with session.begin_nested():
                session.add(AccountRole(id=new_id(), account_id=account.id, role_id=role.id, exclusive_key=exclusive))
                session.flush()  # (account, exclusive key) is unique: the three administrators stay apart
        except UniqueViolation:
            raise Conflict("role.exclusive", "系统、安全、审计管理员互斥，同一账号不能兼任", field="roles") from None


def set_status(actor: Actor, account_id: int, status: str) -> None:
    """Disable or enable an account; disabling ends its sessions. Raises NotFound, Conflict for one's own account."""
    account = session.get(Account, account_id)
    if account is None or status not in {"active", "disabled"}:
        raise NotFound("account.missing", "账号不存在")
    if account_id == actor.account_id:
        raise Conflict("account.self", "不能停用自己的账号")
    account.status = status
    if status == "disabled":
        revoke_sessions(account_id)
    audit.record(actor, f"account.{status}", "account", account_id)


def revoke_sessions(account_id: int) -> None:
    """End all sessions of an account."""
    at_us = clock.microseconds(clock.now())
    session.execute(
        update(Session).where(Session.account_id == account_id, Session.revoked_us == 0).values(revoked_us=at_us)
    )


def revoke_session(actor: Actor, session_id: int) -> None:
    """End one session. Raises NotFound."""
    row = session.get(Session, session_id)
    if row is None:
        raise NotFound("session.missing", "会话不存在")
    row.revoked_us = clock.microseconds(clock.now())
    audit.record(actor, "session.revoked", "session", session_id)


@lru_cache(maxsize=1)
def _decoy(iterations: int) -> str:
    return passwords.hash_password("no such account", iterations=iterations)


def sign_in_with_password(
    surface: str, realm: str, login_name: str, password: str, *, address: str, agent: str
) -> tuple[str | None, Account | None]:
    """Check a password; returns (session token, account), (None, None) when refused.

    Counts failures and locks; the caller commits in either case so that failures stay counted. Unknown names cost the
    same time as known ones.
    """
    account = _authenticated(realm, login_name, password, address)
    if account is None:
        return None, None
    return _open_session(account, surface, address, agent), account


def _authenticated(realm: str, login_name: str, password: str, address: str) -> Account | None:
    """Return the usable account whose password this is; counts and records a refusal."""
    security = runtime.current().settings.security
    account = queries.find_by_login(realm, clean(login_name))
    at = clock.now()
    stored = account.password_hash if account is not None else _decoy(security.password_iterations)
    right = passwords.verify_password(password, stored)
    usable = account is not None and account.status == "active"
    locked = account is not None and account.locked_until is not None and account.locked_until > at
    if account is None or not (right and usable) or locked:
        _refuse(account, login_name, realm, address, locked=bool(locked), right=right)
        return None
    account.failed_count, account.locked_until = 0, None
    if passwords.needs_rehash(stored, security.password_iterations):
        account.password_hash = hashed(password)
    return account


def countersign(actor: Actor, login_name: str, password: str) -> int:
    """Check the security administrator who stands beside the actor; returns the account id, 0 when refused.

    What gives somebody the account of one of the three administrators needs the system and a security administrator
    together (compliance.md §1.3). The caller commits in either case: a wrong password counts and locks as at sign-in.
    """
    account = _authenticated("security", login_name, password, actor.address)
    if account is None:
        return 0
    if account.id == actor.account_id or account.must_change or not queries.holds_role(account.id, "security", "security_admin"):
        audit.record(actor, "account.countersign_refused", "account", account.id, result="refused")
        return 0
    return account.id


def _refuse(account: Account | None, login: str, realm: str, address: str, *, locked: bool, right: bool) -> None:
    security = runtime.current().settings.security
    if account is not None and not locked and not right:
        session.execute(  # counted by the database: guesses made at the same moment all count
            update(Account).where(Account.id == account.id).values(failed_count=Account.failed_count + 1)
        )
        session.refresh(account)
        if account.failed_count >= security.lockout_failures:
            account.locked_until = clock.now() + timedelta(seconds=security.lockout_s)
            account.failed_count = 0
    who = Actor(realm=realm, account_id=account.id if account else 0, name=clean(login)[:40] or "-", address=address)
    reason = "locked" if locked else "unknown" if account is None else "disabled" if right else "password"
    audit.record(who, "session.refused", "account", account.id if account else "-", result="refused", detail={"reason": reason})


def _open_session(account: Account, surface: str, address: str, agent: str) -> str:
    token, at = random_token(), clock.now()
    idle_s, absolute_s = queries.idle_and_absolute(surface)
    session.add(
        Session(
            id=new_id(), token_digest=digest(token), account_id=account.id, surface=surface, address=address or "-",
            agent=(agent or "-")[:200], created_at=at, seen_at=at, idle_until=at + timedelta(seconds=idle_s),
            expires_at=at + timedelta(seconds=absolute_s), revoked_us=0,
        )
    )  # fmt: skip
    account.last_seen_at = at
    who = Actor(
        realm=account.realm, account_id=account.id, name=account.display_name, merchant_id=account.merchant_id, address=address
    )
    audit.record(who, "session.opened", "account", account.id, detail={"surface": surface})
    return token


def sign_out(actor: Actor) -> None:
    """End the actor's own session."""
    row = session.get(Session, actor.session_id)
    if row is not None:
        row.revoked_us = clock.microseconds(clock.now())
        audit.record(actor, "session.closed", "account", actor.account_id)


def _code_digest(index: str, code: str) -> str:
    return hmac_sm3(runtime.current().keyring.primary("token").key, f"sms|{index}|{code}".encode()).hex()


def _codes_since(at: datetime, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(SmsCode).where(SmsCode.created_at > at, *where)) or 0


def _limit_codes(index: str, purpose: str, address: str, device: str) -> None:
    """Refuse another code for a phone, from an address or from a device that has had its share."""
    limits, at = runtime.current().settings.sms, clock.now()
    last = session.scalar(
        select(SmsCode.created_at).where(SmsCode.phone_index == index, SmsCode.purpose == purpose).order_by(SmsCode.id.desc()).limit(1)
    )
    if last is not None and at - last < timedelta(seconds=CODE_EVERY_S):
        raise TooMany("sms.too_soon", f"验证码已发送，请 {CODE_EVERY_S} 秒后再试", field="phone")
    if _codes_since(at - timedelta(days=1), SmsCode.phone_index == index) >= limits.codes_per_phone_day:
        raise TooMany("sms.daily", "今天的验证码次数已用完，请明天再试", field="phone")
    hour = at - timedelta(hours=1)
    if device and _codes_since(hour, SmsCode.device == device) >= limits.codes_per_device_hour:
        raise TooMany("sms.device", "本设备获取验证码过于频繁，请一小时后再试", field="phone")
    if address and _codes_since(hour, SmsCode.address == address) >= limits.codes_per_address_hour:
        raise TooMany("sms.address", "当前网络获取验证码过于频繁，请一小时后再试", field="phone")


def request_code(phone: str, address: str, purpose: str = "sign_in", *, device: str = "") -> tuple[int, str]:
    """Issue a six-digit code for a phone; returns (row id, code). The code is sent by an event.

    address: of the client, '' or '-' when unknown. device: the browser's random cookie, kept as its digest.
    Raises Invalid(`phone.format`), TooMany(`sms.too_soon`, `sms.daily`, `sms.device`, `sms.address`).
    """
    number, at = normal_phone(phone), clock.now()
    index, place, browser = phone_index(number), address.strip("-")[:64], digest(device) if device else ""
    _limit_codes(index, purpose, place, browser)
    code_id, code = new_id(), f"{secrets.randbelow(10**6):06d}"
    session.add(
        SmsCode(
            id=code_id, phone_index=index, purpose=purpose, code_digest=_code_digest(index, code), tries=0, created_at=at,
            expires_at=at + timedelta(seconds=CODE_TTL_S), used_us=0, address=place or None, device=browser or None,
        )
    )  # fmt: skip
    cipher = runtime.current().cipher
    phone_enc = cipher.encrypt(number, table="messaging_sms", column="phone_enc", row_id=code_id)
    code_enc = cipher.encrypt(code, table="messaging_sms", column="code", row_id=code_id)
    events.publish(SignInCodeIssued(code_id, index, phone_enc, code_enc))
    return code_id, code


def check_code(phone: str, code: str, purpose: str = "sign_in") -> bool:
    """Tell whether a code is right, unused and in time; counts the try. The caller commits in either case."""
    index = phone_index(normal_phone(phone))
    row = session.scalar(
        select(SmsCode).where(SmsCode.phone_index == index, SmsCode.purpose == purpose).order_by(SmsCode.id.desc()).limit(1)
    )
    if row is None or row.used_us or row.tries >= CODE_TRIES or row.expires_at <= clock.now():
        return False
    wanted, tries = row.code_digest, row.tries
    if not cas.change(SmsCode, row.id, where={"tries": tries, "used_us": 0}, values={"tries": tries + 1}):
        return False  # another try at the same moment took this one's place
    if not hmac.compare_digest(wanted, _code_digest(index, half_width(code).strip())):
        return False
    return cas.change(SmsCode, row.id, where={"used_us": 0}, values={"used_us": clock.microseconds(clock.now())})


def sign_in_with_code(phone: str, *, address: str, agent: str, guest_token: str = "", agreed: bool = False) -> tuple[str, Account]:
    """Open a storefront session for a phone whose code was right; registers the phone at its first use.

    Raises Invalid(`agreement.required`) when a new consumer has not agreed, Conflict(`account.disabled`).
    """
    number = normal_phone(phone)
    account = queries.find_by_login("consumer", phone_index(number))
    if account is None:
        if not agreed:
            raise Invalid("agreement.required", "首次登录请先阅读并同意《用户协议》和《隐私政策》", field="agreed")
        name = f"用户{number[-4:]}"
        account = create_account(SYSTEM, "consumer", phone_index(number), name, phone=number, roles=("consumer",))
        events.publish(AccountRegistered(account.id, address or "-"))
    if account.status != "active":
        raise Conflict("account.disabled", "该账号已停用，请联系客服")
    token = _open_session(account, "storefront", address, agent)
    for hook in _hooks:
        hook(account.id, guest_token)
    return token, account
