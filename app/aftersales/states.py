"""Kinds, states, reasons of after-sale, and the moves that are allowed (T30; commerce.md §2.9)."""

from __future__ import annotations

from dataclasses import dataclass

REFUND, RETURN, EXCHANGE, REPAIR, CLAIM = "refund", "return", "exchange", "repair", "claim"
KINDS = {REFUND: "仅退款", RETURN: "退货退款", EXCHANGE: "换货", REPAIR: "维修", CLAIM: "赔付"}
SENDS_BACK = (RETURN, EXCHANGE, REPAIR)
BUYER, MERCHANT = "buyer", "merchant"
FAULTS = {BUYER: "买家原因", MERCHANT: "商家责任"}
SELF, PICKUP = "self", "pickup"
METHODS = {SELF: "自行寄回", PICKUP: "上门取件"}

PENDING, ASKING, SENDING, COLLECTING, CHECKING = "pending", "asking", "sending", "collecting", "checking"
SHIPPING, SHIPPED, REPAIRING, REFUNDING = "shipping", "shipped", "repairing", "refunding"
REJECTED, DISPUTED, DONE, WITHDRAWN, CLOSED = "rejected", "disputed", "done", "withdrawn", "closed"
STATUSES = {
    PENDING: "待商家处理", ASKING: "待补充凭证", SENDING: "待寄回", COLLECTING: "待上门取件", CHECKING: "待收货质检",
    SHIPPING: "待换货发出", SHIPPED: "已寄出待签收", REPAIRING: "检修中", REFUNDING: "退款中", REJECTED: "商家已拒绝",
    DISPUTED: "平台介入中", DONE: "已完成", WITHDRAWN: "已撤销", CLOSED: "已关闭",
}  # fmt: skip
TONES = {
    PENDING: "warn", ASKING: "warn", SENDING: "info", COLLECTING: "info", CHECKING: "info", SHIPPING: "info", SHIPPED: "brand",
    REPAIRING: "info", REFUNDING: "violet", REJECTED: "bad", DISPUTED: "bad", DONE: "ok", WITHDRAWN: "mute", CLOSED: "mute",
}  # fmt: skip
ENDED = (DONE, WITHDRAWN, CLOSED)
OPEN = tuple(status for status in STATUSES if status not in ENDED)
MERCHANTS_TURN = (PENDING, CHECKING, SHIPPING, REPAIRING)
BUYERS_TURN = (ASKING, SENDING, REJECTED, SHIPPED)

MOVES = {
    (PENDING, ASKING), (PENDING, SENDING), (PENDING, COLLECTING), (PENDING, REFUNDING), (PENDING, REJECTED), (PENDING, DISPUTED),
    (PENDING, WITHDRAWN), (ASKING, PENDING), (ASKING, CLOSED), (ASKING, WITHDRAWN),
    (SENDING, CHECKING), (SENDING, CLOSED), (SENDING, WITHDRAWN), (COLLECTING, CHECKING), (COLLECTING, SENDING), (COLLECTING, WITHDRAWN),
    (CHECKING, REFUNDING), (CHECKING, SHIPPING), (CHECKING, REPAIRING), (CHECKING, REJECTED),
    (SHIPPING, SHIPPED), (SHIPPING, DISPUTED), (REPAIRING, SHIPPED), (REPAIRING, DISPUTED), (SHIPPED, DONE), (SHIPPED, DISPUTED),
    (REFUNDING, DONE), (REJECTED, DISPUTED), (REJECTED, CLOSED), (REJECTED, WITHDRAWN),
    (DISPUTED, REFUNDING), (DISPUTED, SENDING), (DISPUTED, COLLECTING), (DISPUTED, SHIPPING), (DISPUTED, CLOSED), (DISPUTED, WITHDRAWN),
}  # fmt: skip

EVENTS = {
    "opened": "买家提交申请", "approved": "商家同意", "auto_approved": "商家超时未处理，系统自动同意", "rejected": "商家拒绝",
    "asked": "商家要求补充凭证", "answered": "买家补充凭证", "sent": "买家寄出商品", "collected": "快递员已上门取件",
    "not_collected": "未能上门取件，请自行寄回", "checked": "商家收货质检", "auto_checked": "商家超时未质检，系统自动通过",
    "refused_goods": "质检未通过", "replaced": "商家寄出换货商品", "repaired": "修好寄回", "received": "买家确认收到",
    "auto_received": "到期自动确认收到", "refunding": "退款已提交支付渠道", "refunded": "退款已到账", "compensated": "赔付已提交支付渠道",
    "escalated": "买家申请平台介入", "auto_escalated": "转平台介入", "evidence": "补充举证", "decided": "平台裁决",
    "withdrawn": "买家撤销申请", "auto_closed": "逾期未处理，自动关闭", "noted": "留言",
}  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """Why a case is opened. fault: who bears freight; kinds it opens; needs_proof: pictures are asked for."""

    name: str
    fault: str
    kinds: tuple[str, ...]
    needs_proof: bool = False


NO_REASON, BAD_FRUIT, UNSENT = "no_reason", "bad_fruit", ("dont_want", "wrong_info", "late")
REASONS = {
    "dont_want": Reason("不想要了", BUYER, (REFUND,)),
    "wrong_info": Reason("地址或商品选错了", BUYER, (REFUND,)),
    "late": Reason("商家未按时发货", MERCHANT, (REFUND,)),
    NO_REASON: Reason("七天无理由退货", BUYER, (RETURN,)),
    "not_received": Reason("未收到货", MERCHANT, (REFUND,)),
    "missing": Reason("少发、漏发", MERCHANT, (REFUND, CLAIM), needs_proof=True),
    "quality": Reason("质量问题", MERCHANT, (REFUND, RETURN, EXCHANGE, REPAIR, CLAIM), needs_proof=True),
    "damaged": Reason("收到时破损", MERCHANT, (REFUND, RETURN, EXCHANGE, CLAIM), needs_proof=True),
    "not_described": Reason("与描述不符", MERCHANT, (REFUND, RETURN, CLAIM), needs_proof=True),
    "wrong_item": Reason("发错货", MERCHANT, (RETURN, EXCHANGE), needs_proof=True),
    "size": Reason("规格不合适", BUYER, (EXCHANGE,)),
    "malfunction": Reason("使用中出现故障", MERCHANT, (REPAIR,), needs_proof=True),
    BAD_FRUIT: Reason("坏果包赔", MERCHANT, (CLAIM,), needs_proof=True),
}
