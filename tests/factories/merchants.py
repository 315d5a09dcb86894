"""Merchants and actors in a few lines. Callers hold the transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core import clock, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.ids import new_id
from app.identity import roles
from app.identity.models import Area
from app.merchants.models import Licence, Merchant

CREDIT_CODE = "91110000600037341L"
PASSWORD = "Orchard-2026-x"


def make_area(code: str = "a1", name: str = "云屏县") -> Area:
    """Return a district, added once."""
    found = session.scalar(select(Area).where(Area.code == code))
    if found is None:
        found = Area(id=new_id(), code=code, name=name, parent_code="-", sort=1)
        session.add(found)
    return found


def make_merchant(shop_name: str = "云顶茶叶合作社", **changes: Any) -> Merchant:
    """Add an active merchant with a valid business licence."""
    key, cipher = new_id(), runtime.current().cipher
    values: dict[str, Any] = {
        "id": key, "code": f"m{key}", "name": f"{shop_name}（示例）", "shop_name": shop_name, "area_code": "a1",
        "contact_name": "林",
        "contact_phone_enc": cipher.encrypt("13800001234", table="merchant", column="contact_phone_enc", row_id=key),
        "status": "active", "applied_at": clock.now(), **changes,
    }  # fmt: skip
    merchant = Merchant(**values)
    session.add(merchant)
    session.add(
        Licence(id=new_id(), merchant_id=key, kind="business", number=CREDIT_CODE, holder=merchant.name, file_key="-")
    )
    session.flush()
    return merchant


def role_permissions(realm: str, code: str) -> frozenset[str]:
    """Return the permissions of a built-in role."""
    return frozenset(next(r for r in roles.BUILT_IN_ROLES if (r.realm, r.code) == (realm, code)).permissions)


def owner_of(merchant: Merchant) -> Actor:
    """Return an actor that owns the shop."""
    return Actor("merchant", 7, "林", role_permissions("merchant", "owner"), merchant_id=merchant.id)


def reviewer() -> Actor:
    """Return a reviewing operator."""
    return Actor("operator", 9, "审核员", role_permissions("operator", "reviewer"))


def editor() -> Actor:
    """Return an operator who maintains categories."""
    return Actor("operator", 10, "运营员", role_permissions("operator", "operations"))
