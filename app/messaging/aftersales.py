"""Short messages of after-sale: who has to do something next, and what became of it (K22 T33)."""

from __future__ import annotations

from app.aftersales import queries as cases
from app.aftersales import states
from app.aftersales.events import CaseMoved
from app.core import runtime
from app.core.actor import SYSTEM, Actor
from app.core.ids import new_id
from app.identity import queries as identity
from app.identity.phones import phone_index
from app.merchants import queries as merchants
from app.messaging import service

TO_BUYER = {
    states.ASKING: "商家请您补充凭证，请在 {hours} 小时内到“我的售后”补充。",
    states.SENDING: "商家已同意，请在 {days} 天内寄回商品并填写快递单号。",
    states.COLLECTING: "商家已同意，快递员将按约定时间上门取件。",
    states.SHIPPED: "商家已寄出，收到后请确认。",
    states.REJECTED: "商家拒绝了申请，您可以申请平台介入。",
    states.REFUNDING: "退款已提交，到账时间以支付渠道为准。",
    states.CLOSED: "售后已关闭，可到“我的售后”查看原因。",
}
TO_MERCHANT = {
    states.PENDING: "有新的售后待处理，逾期未处理将按规则自动处理。",
    states.CHECKING: "买家已寄回商品，请收货质检。",
    states.DISPUTED: "平台已介入，请及时举证。",
    states.SHIPPING: "请寄出换货商品。",
}


def tell(event: CaseMoved) -> None:
    """Send what the new status asks for to the side whose turn it is; once for each entry of the timeline."""
    case = cases.get_for(SYSTEM, event.case_id)
    limits = runtime.current().settings.aftersales
    if event.status in TO_BUYER:
        text = TO_BUYER[event.status].format(hours=limits.evidence_h, days=limits.return_days)
        _send(identity.clear_phone(identity.get_account(event.account_id)), case.case_no, text, f"case:{event.event_id}:buyer")
    if event.status in TO_MERCHANT:
        merchant = merchants.get_merchant(event.merchant_id)
        phone = merchants.contact_phone(Actor("merchant", merchant_id=merchant.id), merchant)
        _send(phone, case.case_no, TO_MERCHANT[event.status], f"case:{event.event_id}:shop")


def _send(phone: str, case_no: str, text: str, key: str) -> None:
    if phone != "-":
        body = f"【{runtime.current().settings.site.name}】售后单 {case_no}：{text}"
        service.send(new_id(), phone, phone_index(phone), body, key)
