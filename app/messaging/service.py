"""Sending short messages. The development channel keeps them in the database; nothing leaves the machine."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from app.core import clock, runtime
from app.core.actor import Actor
from app.core.db import session
from app.core.ids import new_id
from app.identity.service import phone_index
from app.merchants import queries as merchants
from app.messaging.models import ShortMessage
from app.orders import recalls

KEEP = timedelta(days=7)
BATCH = 500
ROUNDS = 20


def send(message_id: int, phone: str, phone_index: str, body: str, dedupe_key: str) -> None:
    """Keep a message once per dedupe key; phone and body are encrypted."""
    if session.scalar(select(ShortMessage.id).where(ShortMessage.dedupe_key == dedupe_key)) is not None:
        return
    cipher = runtime.current().cipher
    session.add(
        ShortMessage(
            id=message_id, phone_index=phone_index, dedupe_key=dedupe_key, status="kept", created_at=clock.now(),
            phone_enc=cipher.encrypt(phone, table="messaging_sms", column="phone_enc", row_id=message_id),
            body_enc=cipher.encrypt(body, table="messaging_sms", column="body_enc", row_id=message_id),
        )
    )  # fmt: skip


def tell_merchant(merchant_id: int, text: str, dedupe_key: str) -> None:
    """Send a shop's contact a message, once per dedupe key; nothing when the shop is gone."""
    merchant = merchants.find(merchant_id)
    if merchant is not None:
        of_the_shop = Actor("system", name="系统", merchant_id=merchant_id)
        _to(merchants.contact_phone(of_the_shop, merchant), text, dedupe_key)


def tell_recall(recall_id: int, limit: int = BATCH) -> int:
    """Tell the buyers who still have units of a recalled lot, once per order; returns how many orders are left for the next job."""
    told = select(ShortMessage.dedupe_key).where(ShortMessage.dedupe_key.like(f"recall:{recall_id}:%"))
    done = {key.rsplit(":", 1)[1] for key in session.scalars(told)}
    waiting = [buyer for buyer in recalls.buyers(recall_id) if str(buyer.order_id) not in done]
    for buyer in waiting[:limit]:
        text = f"您购买的“{buyer.title}”（批次 {buyer.lot_no}）因{buyer.reason}被召回，请停止使用并联系商家退货。订单 {buyer.order_no}"
        _to(recalls.phone_of(buyer.order_id), text, f"recall:{recall_id}:{buyer.order_id}")
    return max(0, len(waiting) - limit)


def _to(phone: str, text: str, dedupe_key: str) -> None:
    body = f"【{runtime.current().settings.site.name}】{text}"
    send(new_id(), phone, phone_index(phone), body, dedupe_key)


def tidy() -> None:
    """Periodic job: delete messages older than a week; they hold phones and codes nobody needs any more."""
    limit = clock.now() - KEEP
    for _ in range(ROUNDS):
        ids = session.scalars(
            select(ShortMessage.id).where(ShortMessage.created_at < limit).order_by(ShortMessage.id).limit(BATCH)
        ).all()
        if ids:
            session.execute(delete(ShortMessage).where(ShortMessage.id.in_(ids)).execution_options(synchronize_session=False))
        if len(ids) < BATCH:
            return
