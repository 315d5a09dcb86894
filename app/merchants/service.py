"""Verbs of merchants: application, review, suspension, shop profile (M01 M04)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select, update
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from app.audit import service as audit
from app.core import cas, clock, events, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.text import clean, half_width
from app.identity import queries as identity_queries
from app.identity import service as identity
from app.merchants import queries
from app.merchants.events import MerchantApplied, MerchantApproved, MerchantRejected, MerchantSuspended
from app.merchants.models import Licence, Merchant
from app.merchants.uploads import store_evidence, store_picture

__all__ = [
    "add_licence", "apply", "approve", "change_product_count", "check_credit_code", "edit_shop", "reapply", "reject",
    "resume", "store_evidence", "store_picture", "suspend",
]  # fmt: skip
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MAX_FREIGHT_FEN = 100_000


def check_credit_code(text: str) -> str:
    """Return a unified social credit code in its canonical form. Raises Invalid(`licence.number`); GB 32100-2015."""
    try:
        return str(uscc.validate(half_width(clean(text)).upper()))
    except ValidationError:
        raise Invalid("licence.number", "统一社会信用代码不正确，请核对营业执照上的 18 位代码", field="licence_number") from None


def _text(value: str | None, field: str, label: str, low: int, high: int) -> str:
    text = clean(value)
    if not low <= len(text) <= high:
        raise Invalid(f"merchant.{field}", f"{label}须为 {low}–{high} 个字", field=field)
    return text


def _code_of(merchant_id: int) -> str:
    digits = ""
    while merchant_id:
        merchant_id, rest = divmod(merchant_id, 36)
        digits = _DIGITS[rest] + digits
    return f"m{digits}"


def apply(
    actor: Actor, *, name: str, shop_name: str, area_code: str, contact_name: str, contact_phone: str,
    licence_number: str, login_name: str, password: str | None, street: str = "-", intro: str | None = None,
    licence_valid_until_on: date | None = None, licence_file_key: str = "-", code: str = "",
) -> Merchant:  # fmt: skip
    """Create a merchant in `applied` with its business licence and the owner's account (M01); None: no password yet.

    Raises Invalid naming the field, Conflict(`merchant.exists`) when the credit code trades already,
    Conflict(`account.taken`).
    """
    number = check_credit_code(licence_number)
    if area_code not in {a.code for a in identity_queries.list_areas()}:
        raise Invalid("merchant.area_code", "请选择所在县区", field="area_code")
    if licence_valid_until_on is not None and licence_valid_until_on < clock.business_date():
        raise Invalid("licence.expired", "营业执照已过有效期", field="licence_valid_until_on")
    _refuse_known(number)
    merchant_id, phone = new_id(), identity.normal_phone(contact_phone)
    holder = _text(name, "name", "主体名称", 2, 80)
    merchant = Merchant(
        id=merchant_id, code=code or _code_of(merchant_id), name=holder,
        shop_name=_text(shop_name, "shop_name", "店铺名称", 2, 40), intro=clean(intro)[:500] or None, logo_key="-",
        area_code=area_code, street=clean(street)[:120] or "-",
        contact_name=_text(contact_name, "contact_name", "联系人", 2, 40), status="applied", freight_fen=0,
        free_over_fen=0, product_count=0, applied_at=clock.now(), decided_by=0,
        contact_phone_enc=runtime.current().cipher.encrypt(
            phone, table="merchant", column="contact_phone_enc", row_id=merchant_id
        ),
    )  # fmt: skip
    session.add(merchant)
    session.add(
        Licence(
            id=new_id(), merchant_id=merchant_id, kind="business", number=number, holder=holder,
            valid_until_on=licence_valid_until_on, file_key=licence_file_key,
        )
    )  # fmt: skip
    identity.create_account(
        actor, "merchant", login_name, merchant.contact_name, password=password, phone=phone, roles=("owner",),
        merchant_id=merchant_id, area_code=area_code,
    )  # fmt: skip
    audit.record(actor, "merchant.applied", "merchant", merchant_id, detail={"licence": number})
    events.publish(MerchantApplied(merchant_id))
    return merchant


def _refuse_known(number: str) -> None:
    taken = session.scalar(
        select(Merchant.id)
        .join(Licence, Licence.merchant_id == Merchant.id)
        .where(Licence.number == number, Licence.kind == "business", Merchant.status.in_(("applied", "active", "suspended")))
        .limit(1)
    )
    if taken is not None:
        raise Conflict("merchant.exists", "该统一社会信用代码已经入驻或正在审核", field="licence_number")


def _decide(actor: Actor, merchant_id: int, from_: str, to: str, reason: str | None) -> None:
    actor.require("merchant.review")
    queries.get_for(actor, merchant_id)
    cas.move(
        Merchant, merchant_id, from_=from_, to=to, code="merchant.moved", message="商家状态已变化，请刷新后再试",
        decided_at=clock.now(), decided_by=actor.account_id, reject_reason=reason,
    )  # fmt: skip
    audit.record(actor, f"merchant.{to}", "merchant", merchant_id, detail={"reason": reason} if reason else None)


def approve(actor: Actor, merchant_id: int) -> None:
    """Let an applicant sell. Raises Conflict(`merchant.moved`) unless it is waiting, NotFound."""
    _decide(actor, merchant_id, "applied", "active", None)
    events.publish(MerchantApproved(merchant_id))


def reject(actor: Actor, merchant_id: int, reason: str) -> None:
    """Refuse an application with a reason the applicant sees. Raises Conflict(`merchant.moved`), Invalid."""
    _decide(actor, merchant_id, "applied", "rejected", _text(reason, "reason", "驳回原因", 2, 300))
    events.publish(MerchantRejected(merchant_id))


def suspend(actor: Actor, merchant_id: int, reason: str) -> None:
    """Stop a merchant from selling; its products unlist by the event. Raises Conflict(`merchant.moved`), Invalid."""
    _decide(actor, merchant_id, "active", "suspended", _text(reason, "reason", "暂停原因", 2, 300))
    events.publish(MerchantSuspended(merchant_id))


def resume(actor: Actor, merchant_id: int) -> None:
    """Let a suspended merchant sell again. Raises Conflict(`merchant.moved`)."""
    _decide(actor, merchant_id, "suspended", "active", None)
    events.publish(MerchantApproved(merchant_id))


def reapply(actor: Actor) -> None:
    """Put one's refused application back into the queue. Raises Conflict(`merchant.moved`)."""
    queries.get_for(actor, actor.merchant_id)
    cas.move(
        Merchant, actor.merchant_id, from_="rejected", to="applied", code="merchant.moved",
        message="只有被驳回的申请可以重新提交", applied_at=clock.now(), reject_reason=None,
    )  # fmt: skip
    audit.record(actor, "merchant.reapplied", "merchant", actor.merchant_id)
    events.publish(MerchantApplied(actor.merchant_id))


def edit_shop(
    actor: Actor, *, shop_name: str, intro: str | None = None, street: str = "-", freight_fen: int = 0,
    free_over_fen: int = 0, logo_key: str | None = None, ways: Sequence[str] | None = None,
) -> Merchant:  # fmt: skip
    """Change one's shop profile and freight rule (freight below free_over_fen of goods; 0 = never free).

    ways: how buyers may get their goods, the first known one becomes the usual way; None leaves them.
    """
    actor.require("shop.edit")
    merchant = queries.get_for(actor, actor.merchant_id)
    if not 0 <= freight_fen <= MAX_FREIGHT_FEN:
        raise Invalid("merchant.freight", "运费须在 0 到 1,000 元之间", field="freight_fen")
    if not 0 <= free_over_fen <= 10**9:
        raise Invalid("merchant.free_over", "包邮金额不能为负", field="free_over_fen")
    merchant.shop_name = _text(shop_name, "shop_name", "店铺名称", 2, 40)
    merchant.intro = clean(intro)[:500] or None
    merchant.street = clean(street)[:120] or "-"
    merchant.freight_fen, merchant.free_over_fen = freight_fen, free_over_fen
    if ways is not None:
        kept = [mode for mode in queries.DELIVERY_MODES if mode in ways]
        if not kept:
            raise Invalid("merchant.ways", "请至少选择一种交付方式", field="ways")
        merchant.delivery_modes = ",".join(kept)
    if logo_key:
        merchant.logo_key = logo_key
    detail = {"freight_fen": freight_fen, "free_over_fen": free_over_fen, "ways": merchant.delivery_modes}
    audit.record(actor, "merchant.shop_edited", "merchant", merchant.id, detail=detail)
    return merchant


def add_licence(actor: Actor, *, kind: str, number: str, valid_until_on: date | None = None, file_key: str = "-") -> Licence:
    """Add a licence to one's shop; a business licence number must be a credit code. Raises Invalid."""
    actor.require("shop.edit")
    merchant = queries.get_for(actor, actor.merchant_id)
    if kind not in queries.LICENCE_KINDS:
        raise Invalid("licence.kind", "请选择证照类型", field="kind")
    cleaned = check_credit_code(number) if kind == "business" else _text(number, "licence_number", "证照编号", 3, 40)
    licence = Licence(
        id=new_id(), merchant_id=merchant.id, kind=kind, number=cleaned, holder=merchant.name,
        valid_until_on=valid_until_on, file_key=file_key,
    )  # fmt: skip
    session.add(licence)
    audit.record(actor, "merchant.licence_added", "merchant", merchant.id, detail={"kind": kind, "number": cleaned})
    return licence


def change_product_count(merchant_id: int, delta: int) -> None:
    """Keep the number of listed products; called by the catalogue in its transaction."""
    session.execute(
        update(Merchant)
        .where(Merchant.id == merchant_id, Merchant.product_count + delta >= 0)
        .values(product_count=Merchant.product_count + delta)
        .execution_options(synchronize_session=False)
    )


def touch_delivery(merchant_id: int = 0, *, everyone: bool = False) -> None:
    """Say that a shop's delivery rules changed: a fresh number, never seen before.

    merchant_id 0: what all shops with rules share; everyone: what even shops without rules of their own have from now on.
    """
    session.flush()
    which = Merchant.id == merchant_id if merchant_id else Merchant.delivery_revision.is_not(None)
    which = Merchant.id != 0 if everyone else which
    session.execute(update(Merchant).where(which).values(delivery_revision=new_id()).execution_options(synchronize_session=False))
    for row in session.identity_map.values():
        if isinstance(row, Merchant):
            session.expire(row, ["delivery_revision"])
