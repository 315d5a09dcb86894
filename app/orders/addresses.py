"""The receiver of an order as its columns keep it: encrypted with the row bound, masked for lists, and blind for equality search."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from app.core import runtime, sql
from app.core.db import session
from app.core.text import clean
from app.identity.queries import AddressView
from app.orders.models import Order
from security.masking import mask_name, mask_phone

NONE = "-"
BATCH = 200


def phone_index(phone: str) -> str:
    """Return the blind index of a receiver's normal phone number."""
    return runtime.current().cipher.blind_index(phone, table="orders", column="phone")


def receiver_index(name: str) -> str:
    """Return the blind index of a receiver's name."""
    return runtime.current().cipher.blind_index(clean(name), table="orders", column="receiver")


def keys_of(receiver: str, phone: str, street: str, area_code: str) -> dict[str, str]:
    """Return the search columns of an address; they do not depend on the order."""
    whole = "\n".join((clean(receiver), phone, area_code, clean(street)))
    key = runtime.current().cipher.blind_index(whole, table="orders", column="address")
    return {"phone_index": phone_index(phone), "receiver_index": receiver_index(receiver), "address_key": key}


def sealed(order_id: int, receiver: str, phone: str, street: str) -> dict[str, str]:
    """Return the columns that are bound to one order."""
    cipher = runtime.current().cipher

    def seal(value: str, column: str) -> str:
        return cipher.encrypt(value, table="orders", column=column, row_id=order_id)

    return {
        "receiver_enc": seal(receiver, "receiver_enc"), "phone_enc": seal(phone, "phone_enc"), "street_enc": seal(street, "street_enc"),
        "receiver_mask": f"{mask_name(receiver)} {mask_phone(phone)}"[:40],
    }  # fmt: skip


def columns_of(order_id: int, address: AddressView, keys: dict[str, str]) -> dict[str, Any]:
    """Return every address column of a new order; keys come from `keys_of`."""
    return {**sealed(order_id, address.receiver, address.phone, address.street), **keys, "area_code": address.area_code, "address_rev": 0}


def opened(order: Order) -> tuple[str, str, str]:
    """Decrypt (receiver, phone, street) of an order."""
    cipher = runtime.current().cipher
    name, phone, street = (
        cipher.decrypt(getattr(order, column), table="orders", column=column, row_id=order.id)
        for column in ("receiver_enc", "phone_enc", "street_enc")
    )
    return name, phone, street


def index_older() -> int:
    """Periodic job: fill the search columns of orders placed before they existed; returns how many were filled."""
    rows = session.scalars(select(Order).where(Order.phone_index == NONE).order_by(Order.id).limit(BATCH)).all()
    for order in rows:
        keys = keys_of(*opened(order), order.area_code)
        sql.change(update(sql.table_of(Order)).where(Order.id == order.id, Order.phone_index == NONE).values(keys), {})
    return len(rows)
