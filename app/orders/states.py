"""States of an order, its holds and its cases, with the moves that are allowed and their words (T10 T13; commerce.md §2.5)."""

from __future__ import annotations

UNPAID, PAID, SHIPPED, COMPLETED, CANCELLED = "unpaid", "paid", "shipped", "completed", "cancelled"
NONE = "-"

NAMES = {UNPAID: "待付款", PAID: "待发货", SHIPPED: "已发货", COMPLETED: "已完成", CANCELLED: "已取消"}
TONES = {UNPAID: "warn", PAID: "info", SHIPPED: "brand", COMPLETED: "ok", CANCELLED: "mute"}

MOVES = {
    (UNPAID, PAID), (UNPAID, CANCELLED), (PAID, SHIPPED), (PAID, CANCELLED), (SHIPPED, COMPLETED),
}  # fmt: skip
OPEN = (UNPAID, PAID, SHIPPED)

EVENT_NAMES = {
    "placed": "买家下单", "paid": "买家付款", "cancelled": "订单取消", "shipped": "商家发货", "delivered": "已签收",
    "completed": "确认收货", "note": "备注", "part_shipped": "部分发货", "undone": "撤销核销", "collected": "买家自提",
    "promise": "送达时间变更", "promise_missed": "送达超时", "aftersale": "售后",
    "held": "暂停处理", "lifted": "解除暂停", "case": "登记异常", "case_done": "异常处理完毕",
    "readdressed": "修改收货地址", "readdress_asked": "商家申请修改地址", "readdress_refused": "买家不同意改地址",
    "divided": "拆分订单", "bundled": "合并发货", "unbundled": "取消合并发货", "invoice": "发票",
}  # fmt: skip

IN_CASE = "aftersale"  # an open after-sale case of a paid order; placed and lifted by `aftercare`, not an `OrderHold`
HOLDS = {
    "risk": "风控审核", "address": "地址核实", "oversold": "缺货核实", "abnormal": "异常核查", "group": "待成团", "presale": "预售未达量",
    "platform": "平台暂停", IN_CASE: "售后处理中",
}  # fmt: skip
OFFICER_HOLDS = ("platform", "abnormal", "address")  # those an officer places by hand; the others come from what they name

CASE_KINDS = {"oversold": "超卖缺货", "address": "地址错误", "payment": "异常收款", "risk": "风控", "other": "其他"}
CASE_HINTS = {
    "oversold": "库存不足以发货", "address": "收货信息无法投递", "payment": "收到不应收的款项，已原路退回", "risk": "风控规则命中",
    "other": "超时未发或其他异常",
}  # fmt: skip
CASE_STATES = {"open": "待认领", "claimed": "处理中", "resolved": "已处理"}
CASE_TONES = {"open": "warn", "claimed": "info", "resolved": "ok"}
CASE_SOURCES = {"auto": "系统", "merchant": "商家", "operator": "运营", "risk": "风控"}
CASE_HOLDS = {"oversold": "oversold", "address": "address", "risk": "risk", "other": "abnormal"}
RESOLUTIONS = {
    "release": "核实无误，放行", "cancel": "取消订单并退款", "split": "拆出部分商品并退款，其余放行", "noted": "已核对，不需改动",
}  # fmt: skip
CHOICES = {
    "oversold": ("release", "split", "cancel"), "address": ("release", "cancel"), "payment": ("noted",), "risk": ("release", "cancel"),
    "other": ("release", "cancel", "noted"),
}  # fmt: skip
