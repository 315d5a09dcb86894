"""Reads of identity: sessions, areas, addresses, account lists."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select, update

from app.core import clock, runtime, sql
from app.core.actor import Actor
from app.core.cache_reset import on_reset
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.core.tx import in_transaction, transaction
from app.identity.models import Account, AccountRole, Address, Area, Role, RolePermission, Session
from app.identity.phones import normal_phone, phone_index
from security.masking import mask_phone
from security.tokens import digest

SEEN_EVERY_S = 60
CACHE_S = 30.0
_roles: dict[int, tuple[float, frozenset[str], tuple[str, ...]]] = {}
_areas: list[tuple[float, list[Area]]] = []


@on_reset
def forget() -> None:
    """Empty the in-process caches of roles and areas."""
    _roles.clear()
    _areas.clear()


def idle_and_absolute(surface: str) -> tuple[int, int]:
    """Return (idle, absolute) lifetime in seconds of a surface's sessions."""
    security = runtime.current().settings.security
    if surface == "storefront":
        return security.consumer_idle_s, security.consumer_absolute_s
    return security.session_idle_s, security.session_absolute_s


_SESSION = (
    select(
        Session.id.label("session_id"), Session.revoked_us, Session.idle_until, Session.expires_at, Session.seen_at,
        Account.id.label("account_id"), Account.status, Account.must_change, Account.realm, Account.display_name, Account.merchant_id,
        Account.area_code,
    )
    .join(Account, Account.id == Session.account_id)
    .where(Session.token_digest == bindparam("token_digest"), Session.surface == bindparam("surface"))
)  # fmt: skip


def load_session(surface: str, token: str, address: str) -> Actor | None:
    """Return the actor of a live session, None for an unknown, expired or revoked one; one query.

    Moves the idle limit at most once a minute, in its own transaction.
    """
    at = clock.now()
    row = sql.read(_SESSION, {"token_digest": digest(token), "surface": surface}).one_or_none()
    if row is None or row.revoked_us or at >= row.idle_until or at >= row.expires_at or row.status != "active":
        return None
    permissions, names = permissions_of(row.account_id)
    if row.must_change:
        permissions = frozenset()  # a temporary password opens nothing but the page that changes it
    actor = Actor(
        realm=row.realm, account_id=row.account_id, name=row.display_name, permissions=permissions,
        merchant_id=row.merchant_id, area_code=row.area_code, session_id=row.session_id, address=address, roles=names,
    )  # fmt: skip
    if at - row.seen_at >= timedelta(seconds=SEEN_EVERY_S):
        _touch(row.session_id, surface)
    return actor


def _touch(session_id: int, surface: str) -> None:
    at = clock.now()
    idle_until = at + timedelta(seconds=idle_and_absolute(surface)[0])
    statement = update(Session).where(Session.id == session_id).values(seen_at=at, idle_until=idle_until)
    if in_transaction():  # a public view may ask for its actor inside its own transaction
        session.execute(statement)
        return
    with transaction():
        session.execute(statement)


def permissions_of(account_id: int) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return an account's permissions and role names, cached for 30 seconds per process."""
    cached = _roles.get(account_id)
    if cached is not None and cached[0] > time.monotonic():
        return cached[1], cached[2]
    rows = session.execute(
        select(Role.name, RolePermission.permission)
        .select_from(AccountRole)
        .join(Role, Role.id == AccountRole.role_id)
        .join(RolePermission, RolePermission.role_id == Role.id)
        .where(AccountRole.account_id == account_id)
    ).all()
    if len(_roles) > 20_000:
        _roles.clear()
    names = tuple(dict.fromkeys(r.name for r in rows))
    _roles[account_id] = (time.monotonic() + CACHE_S, frozenset(r.permission for r in rows), names)
    return _roles[account_id][1], names


def list_areas() -> list[Area]:
    """Return the region's districts and counties in order; cached for a minute per process."""
    if _areas and _areas[0][0] > time.monotonic():
        return _areas[0][1]
    rows = list(session.scalars(select(Area).order_by(Area.sort, Area.code)))
    for row in rows:
        session.expunge(row)
    _areas[:] = [(time.monotonic() + 60, rows)]
    return rows


def area_name(code: str) -> str:
    """Return a district's name, the code itself when unknown."""
    return next((a.name for a in list_areas() if a.code == code), code)


@dataclass(frozen=True)
class AddressView:
    """A delivery address in clear; shown to its owner only."""

    id: int
    receiver: str
    phone: str
    street: str
    area_code: str
    area_name: str
    is_default: bool


_ADDRESS_COLUMNS = (
    Address.id, Address.receiver_enc, Address.phone_enc, Address.street_enc, Address.area_code, Address.is_default,
)  # fmt: skip
_ADDRESS = select(*_ADDRESS_COLUMNS).where(
    Address.id == bindparam("address_id"), Address.account_id == bindparam("account_id"), Address.deleted_us == 0
)


def _view(row: Any) -> AddressView:
    cipher = runtime.current().cipher

    def clear(column: str) -> str:
        return cipher.decrypt(getattr(row, column), table="identity_address", column=column, row_id=row.id)

    return AddressView(
        row.id, clear("receiver_enc"), clear("phone_enc"), clear("street_enc"), row.area_code, area_name(row.area_code),
        bool(row.is_default),
    )  # fmt: skip


_ADDRESSES = (
    select(*_ADDRESS_COLUMNS)
    .where(Address.account_id == bindparam("account_id"), Address.deleted_us == 0)
    .order_by(Address.is_default.desc(), Address.id.desc())
    .limit(50)
)


def list_addresses(account_id: int) -> list[AddressView]:
    """Return an account's addresses, the default first."""
    return [_view(row) for row in sql.read(_ADDRESSES, {"account_id": account_id})]


def default_area(account_id: int) -> str:
    """Return the district of an account's default address, '' without one; one query."""
    own = (Address.account_id == account_id, Address.deleted_us == 0)
    return session.scalar(select(Address.area_code).where(*own).order_by(Address.is_default.desc(), Address.id.desc()).limit(1)) or ""


def get_address(account_id: int, address_id: int) -> AddressView:
    """Return one of an account's addresses. Raises NotFound."""
    row = sql.read(_ADDRESS, {"address_id": address_id, "account_id": account_id}).one_or_none()
    if row is None:
        raise NotFound("address.missing", "收货地址不存在")
    return _view(row)


def list_accounts(realm: str = "", cursor: str = "", size: int = 20) -> Page[Account]:
    """Return accounts newest first."""
    statement = select(Account)
    if realm:
        statement = statement.where(Account.realm == realm)
    return paginate(statement, [Account.id], lambda a: [a.id], cursor=cursor, size=size)


def get_account(account_id: int) -> Account:
    """Return an account. Raises NotFound."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account.missing", "账号不存在")
    return account


def holds_role(account_id: int, realm: str, code: str) -> bool:
    """Tell whether an account holds a built-in role now; not from the cache."""
    statement = (
        select(AccountRole.id)
        .join(Role, Role.id == AccountRole.role_id)
        .where(AccountRole.account_id == account_id, Role.realm == realm, Role.code == code)
    )
    return session.scalar(statement.limit(1)) is not None


def is_locked(account: Account) -> bool:
    """Tell whether failed sign-ins lock the account at this moment."""
    return account.locked_until is not None and account.locked_until > clock.now()


def clear_phone(account: Account) -> str:
    """Return an account's phone for sending a message, '-' when it has none; pages show `phone_of`."""
    if account.phone_enc == "-":
        return "-"
    return runtime.current().cipher.decrypt(account.phone_enc, table="identity_account", column="phone_enc", row_id=account.id)


def phone_of(account: Account) -> str:
    """Return an account's masked phone, '-' when it has none."""
    clear = clear_phone(account)
    return clear if clear == "-" else mask_phone(clear)


def list_sessions(cursor: str = "", size: int = 30) -> Page[Any]:
    """Return live sessions with their account, newest first."""
    statement = (
        select(Session, Account)
        .join(Account, Account.id == Session.account_id)
        .where(Session.revoked_us == 0, Session.expires_at > clock.now(), Session.idle_until > clock.now())
    )
    return paginate(statement, [Session.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def list_roles() -> list[tuple[Role, list[str]]]:
    """Return all roles with their permissions."""
    rows = session.execute(
        select(Role, RolePermission.permission)
        .join(RolePermission, RolePermission.role_id == Role.id)
        .order_by(Role.realm, Role.code, RolePermission.permission)
    ).all()
    grouped: dict[int, tuple[Role, list[str]]] = {}
    for role, permission in rows:
        grouped.setdefault(role.id, (role, []))[1].append(permission)
    return list(grouped.values())


def find_by_login(realm: str, login_name: str) -> Account | None:
    """Return an account by its login name, or None."""
    return session.scalar(select(Account).where(Account.realm == realm, Account.login_name == login_name))


def consumers_by_phone(phones: Sequence[str]) -> list[int]:
    """Return the ids of active consumers with these numbers; unknown ones are absent. One query. Raises Invalid(`phone.format`)."""
    indexes = [phone_index(normal_phone(phone)) for phone in phones]
    if not indexes:
        return []
    a = Account
    found = select(a.id).where(a.realm == "consumer", a.phone_index.in_(indexes), a.status == "active").order_by(a.id)
    return list(session.scalars(found))
