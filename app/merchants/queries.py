"""Reading merchants: public shops, the review queue, licences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, case, exists, func, select

from app.core import clock, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.merchants.models import Licence, Merchant
from security.masking import mask_phone

__all__ = [
    "DELIVERY_MODES", "LICENCE_KINDS", "STATUSES", "TRAVELS", "Licence", "Merchant", "Shop", "Standing", "contact_phone",
    "count_by_status", "find", "get_by_code",
    "get_for", "get_merchant", "get_public", "list_for_review", "list_licences", "missing", "shops", "standing",
]  # fmt: skip
DELIVERY_MODES = {"express": "快递", "local": "同城配送", "pickup": "到店自提"}
TRAVELS = frozenset({"express", "local"})
STATUSES = {"applied": "待审核", "active": "营业中", "rejected": "已驳回", "suspended": "已暂停", "closed": "已关闭"}
LICENCE_KINDS = {"business": "营业执照", "food": "食品经营许可证", "production": "生产许可证", "other": "其他证照"}


@dataclass(frozen=True)
class Shop:
    """What other domains show and compute with."""

    id: int
    shop_name: str
    area_code: str
    freight_fen: int
    free_over_fen: int
    status: str
    logo_key: str
    delivery_revision: int = 0
    delivery_modes: str = "express"

    @property
    def ways(self) -> tuple[str, ...]:
        """Return how buyers may get their goods, the usual way first."""
        return tuple(self.delivery_modes.split(","))


def missing() -> NotFound:
    """Return the refusal for unknown and foreign merchants alike."""
    return NotFound("merchant.missing", "商家不存在")


def get_public(merchant_id: int) -> Merchant:
    """Return a merchant that sells. Raises NotFound(`merchant.missing`) for any other."""
    row = session.get(Merchant, merchant_id)
    if row is None or row.status != "active":
        raise missing()
    return row


def find(merchant_id: int) -> Merchant | None:
    """Return a merchant in any status."""
    return session.get(Merchant, merchant_id)


def get_merchant(merchant_id: int) -> Merchant:
    """Return a merchant in any status. Raises NotFound."""
    row = session.get(Merchant, merchant_id)
    if row is None:
        raise missing()
    return row


def get_for(actor: Actor, merchant_id: int) -> Merchant:
    """Return a merchant the actor may see: one's own, or any for operators. Raises NotFound otherwise."""
    row = session.get(Merchant, merchant_id) if merchant_id else None
    foreign = actor.realm not in {"system", "operator"} and actor.merchant_id != merchant_id
    scoped_out = row is not None and actor.area_code != "-" and actor.realm == "operator" and row.area_code != actor.area_code
    if row is None or foreign or scoped_out:
        raise missing()
    return row


def get_by_code(code: str) -> Merchant:
    """Return a merchant by its code. Raises NotFound."""
    row = session.scalar(select(Merchant).where(Merchant.code == code))
    if row is None:
        raise NotFound("merchant.missing", f"没有编码为 {code} 的商家")
    return row


_SHOPS = select(
    Merchant.id, Merchant.shop_name, Merchant.area_code, Merchant.freight_fen, Merchant.free_over_fen, Merchant.status,
    Merchant.logo_key, Merchant.delivery_revision, Merchant.delivery_modes,
).where(Merchant.id.in_(bindparam("ids", expanding=True)))  # fmt: skip


def shops(ids: Sequence[int]) -> dict[int, Shop]:
    """Return shops by id, whatever their status; one query. At most 500 ids."""
    if not ids:
        return {}
    return {row[0]: Shop(*row[:7], row[7] or 0, row[8]) for row in sql.read(_SHOPS, {"ids": list(set(ids))})}


@dataclass(frozen=True)
class Standing:
    """Whether a merchant may sell: its status and whether it holds a valid business licence."""

    status: str
    shop_name: str
    has_licence: bool


def standing(merchant_id: int) -> Standing:
    """Return a merchant's standing; one query. Raises NotFound."""
    today = clock.business_date()
    licence = exists().where(
        Licence.merchant_id == Merchant.id,
        Licence.kind == "business",
        (Licence.valid_until_on >= today) | Licence.valid_until_on.is_(None),
    )
    row = session.execute(
        select(Merchant.status, Merchant.shop_name, case((licence, 1), else_=0)).where(Merchant.id == merchant_id)
    ).one_or_none()
    if row is None:
        raise missing()
    return Standing(row[0], row[1], bool(row[2]))


def list_licences(merchant_id: int) -> list[Licence]:
    """Return the licences of a merchant, the business licence first."""
    found = session.scalars(select(Licence).where(Licence.merchant_id == merchant_id).order_by(Licence.id)).all()
    return sorted(found, key=lambda row: (row.kind != "business", row.id))


def contact_phone(actor: Actor, merchant: Merchant) -> str:
    """Return the contact phone, masked unless it is the actor's own shop."""
    clear = runtime.current().cipher.decrypt(
        merchant.contact_phone_enc, table="merchant", column="contact_phone_enc", row_id=merchant.id
    )
    return clear if actor.merchant_id == merchant.id else mask_phone(clear)


def phone_in_clear(merchant: Merchant) -> str:
    """Return the contact phone for a carrier's waybill."""
    cipher = runtime.current().cipher
    return cipher.decrypt(merchant.contact_phone_enc, table="merchant", column="contact_phone_enc", row_id=merchant.id)


def list_for_review(
    actor: Actor, *, status: str = "", q: str = "", area_code: str = "", cursor: str = "", size: int = 20
) -> Page[Merchant]:
    """Return merchants for operators, newest application first. q: code or the beginning of the shop's name."""
    statement = select(Merchant)
    scope = actor.area_code if actor.area_code != "-" else area_code
    if scope:
        statement = statement.where(Merchant.area_code == scope)
    if status in STATUSES:
        statement = statement.where(Merchant.status == status)
    if q:
        statement = statement.where((Merchant.code == q) | Merchant.shop_name.startswith(q, autoescape=True))
    return paginate(statement, [Merchant.id], lambda row: [row.id], cursor=cursor, size=size)


def count_by_status() -> dict[str, int]:
    """Return how many merchants stand in each status."""
    rows = session.execute(select(Merchant.status, func.count()).group_by(Merchant.status))
    return {row[0]: row[1] for row in rows}
