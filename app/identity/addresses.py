"""Verbs of delivery addresses; every text column is encrypted and bound to its row (C16)."""

from __future__ import annotations

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import clock, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Invalid, TooMany
from app.core.ids import new_id
from app.core.text import clean
from app.identity import queries
from app.identity.models import Address
from app.identity.phones import normal_phone
from security.masking import mask_phone

MOST = 20


def checked_address(receiver: str, phone: str, street: str, area_code: str) -> tuple[str, str, str]:
    """Return (receiver, phone, street) in their normal form. Raises Invalid naming the field."""
    name, number, line = clean(receiver), normal_phone(phone), clean(street)
    if not 1 <= len(name) <= 20:
        raise Invalid("address.receiver", "请填写收货人姓名（20 字以内）", field="receiver")
    if not 4 <= len(line) <= 100:
        raise Invalid("address.street", "请填写详细地址（4–100 字）", field="street")
    if area_code not in {a.code for a in queries.list_areas()}:
        raise Invalid("address.area", "请选择所在县区", field="area_code")
    return name, number, line


def _sealed(value: str, column: str, address_id: int) -> str:
    return runtime.current().cipher.encrypt(value, table="identity_address", column=column, row_id=address_id)


def _clear_default(account_id: int) -> None:
    session.execute(
        update(Address).where(Address.account_id == account_id, Address.is_default == True).values(is_default=False)  # noqa: E712
    )


def add_address(
    actor: Actor, *, receiver: str, phone: str, street: str, area_code: str, is_default: bool = False
) -> Address:
    """Add a delivery address of the actor. Raises Invalid naming the field, TooMany(`address.limit`)."""
    name, number, line = checked_address(receiver, phone, street, area_code)
    existing = session.scalars(
        select(Address.id).where(Address.account_id == actor.account_id, Address.deleted_us == 0).limit(MOST)
    ).all()
    if len(existing) >= MOST:
        raise TooMany("address.limit", f"最多保存 {MOST} 个地址")
    default = is_default or not existing
    if default and existing:
        _clear_default(actor.account_id)
    address_id = new_id()
    row = Address(
        id=address_id, account_id=actor.account_id, receiver_enc=_sealed(name, "receiver_enc", address_id),
        phone_enc=_sealed(number, "phone_enc", address_id), street_enc=_sealed(line, "street_enc", address_id),
        area_code=area_code, is_default=default, deleted_us=0, created_at=clock.now(),
    )  # fmt: skip
    session.add(row)
    audit.record(actor, "address.added", "address", address_id, detail={"area_code": area_code, "phone": mask_phone(number)})
    return row


def edit_address(
    actor: Actor, address_id: int, *, receiver: str, phone: str, street: str, area_code: str, is_default: bool = False
) -> None:
    """Change one of the actor's addresses; orders keep what they copied. Raises NotFound, Invalid naming the field."""
    queries.get_address(actor.account_id, address_id)
    name, number, line = checked_address(receiver, phone, street, area_code)
    row = session.get_one(Address, address_id)
    if is_default and not row.is_default:
        _clear_default(actor.account_id)
        row.is_default = True
    row.receiver_enc = _sealed(name, "receiver_enc", address_id)
    row.phone_enc = _sealed(number, "phone_enc", address_id)
    row.street_enc = _sealed(line, "street_enc", address_id)
    row.area_code = area_code
    audit.record(actor, "address.edited", "address", address_id, detail={"area_code": area_code, "phone": mask_phone(number)})


def make_default(actor: Actor, address_id: int) -> None:
    """Make one of the actor's addresses the default. Raises NotFound."""
    queries.get_address(actor.account_id, address_id)
    _clear_default(actor.account_id)
    session.get_one(Address, address_id).is_default = True
    audit.record(actor, "address.default", "address", address_id)


def remove_address(actor: Actor, address_id: int) -> None:
    """Remove one of the actor's addresses; the newest other one takes over as default. Raises NotFound."""
    queries.get_address(actor.account_id, address_id)
    row = session.get_one(Address, address_id)
    row.deleted_us = clock.microseconds(clock.now())
    if row.is_default:
        row.is_default = False
        heir = session.scalar(
            select(Address)
            .where(Address.account_id == actor.account_id, Address.deleted_us == 0, Address.id != address_id)
            .order_by(Address.id.desc())
            .limit(1)
        )
        if heir is not None:
            heir.is_default = True
    audit.record(actor, "address.removed", "address", address_id)
