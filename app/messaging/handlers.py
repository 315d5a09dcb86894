"""Reactions of messaging; idempotent by dedupe key."""

from __future__ import annotations

from app.aftersales.events import CaseMoved
from app.core import events, runtime
from app.core.actor import SYSTEM
from app.core.ids import new_id
from app.fulfilment.events import PickupPrepared, PickupReminded
from app.identity import service as identity
from app.identity.events import SignInCodeIssued
from app.inventory.events import LotRecalled, StockAlertRaised
from app.messaging import aftersales, service
from app.orders import queries as orders
from app.orders.events import PromiseMissed


def on_sign_in_code_issued(event: SignInCodeIssued) -> None:
    """Send the code."""
    cipher, settings = runtime.current().cipher, runtime.current().settings
    phone = cipher.decrypt(event.phone_enc, table="messaging_sms", column="phone_enc", row_id=event.code_id)
    code = cipher.decrypt(event.code_enc, table="messaging_sms", column="code", row_id=event.code_id)
    body = f"【{settings.site.name}】验证码 {code}，5 分钟内有效，请勿告诉他人。"
    service.send(event.code_id, phone, event.phone_index, body, f"code:{event.code_id}")


def on_pickup_prepared(event: PickupPrepared) -> None:
    """Tell the receiver that the order can be collected; the code itself is shown in the order, after signing in."""
    _to_receiver(event.order_id, "您的订单已备好，请打开订单查看核销码并到自提点取货。", f"pickup:{event.pickup_id}")


def on_pickup_reminded(event: PickupReminded) -> None:
    """Tell the receiver that the keeping ends soon."""
    _to_receiver(event.order_id, "您的订单即将超过自提保管期，请尽快取货。", f"remind:{event.pickup_id}")


def on_promise_missed(event: PromiseMissed) -> None:
    """Tell the receiver that the order is late."""
    _to_receiver(event.order_id, "您的订单未能按承诺时间送达，我们已督促商家尽快处理，给您带来不便请谅解。", f"late:{event.order_id}")


def _to_receiver(order_id: int, text: str, key: str) -> None:
    """Send a sentence about an order to its receiver, once per key."""
    order = orders.get_for(SYSTEM, order_id)
    phone, site = orders.receiver_of(order).phone, runtime.current().settings.site.name
    service.send(new_id(), phone, identity.phone_index(phone), f"【{site}】订单尾号 {order.order_no[-4:]}：{text}", key)


def on_case_moved(event: CaseMoved) -> None:
    """Tell whose turn it is in an after-sale case."""
    aftersales.tell(event)


def on_stock_alert_raised(event: StockAlertRaised) -> None:
    """Tell the shop's contact that stock is low or lots come near their expiry; once for each batch of warnings."""
    service.tell_merchant(event.merchant_id, _alert_words(event.low, event.expiring), f"stock:{event.alert_id}")


def on_lot_recalled(event: LotRecalled) -> None:
    """Tell the buyers of a recalled lot; what does not fit into one transaction follows with the next job."""
    if service.tell_recall(event.recall_id):
        events.publish(event)


def _alert_words(low: int, expiring: int) -> str:
    parts = [f"{low} 个规格低于安全库存" if low else "", f"{expiring} 个批次临期" if expiring else ""]
    return "，".join(part for part in parts if part) + "，请到商家中心“库存预警”处理。"
