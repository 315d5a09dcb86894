"""States of an order and the moves that are allowed (T10; commerce.md §2.5)."""

from __future__ import annotations

UNPAID, PAID, SHIPPED, COMPLETED, CANCELLED = "unpaid", "paid", "shipped", "completed", "cancelled"

NAMES = {UNPAID: "待付款", PAID: "待发货", SHIPPED: "已发货", COMPLETED: "已完成", CANCELLED: "已取消"}
TONES = {UNPAID: "warn", PAID: "info", SHIPPED: "brand", COMPLETED: "ok", CANCELLED: "mute"}

MOVES = {
    (UNPAID, PAID), (UNPAID, CANCELLED), (PAID, SHIPPED), (PAID, CANCELLED), (SHIPPED, COMPLETED),
}  # fmt: skip

EVENT_NAMES = {
    "placed": "买家下单", "paid": "买家付款", "cancelled": "订单取消", "shipped": "商家发货", "delivered": "已签收",
    "completed": "确认收货", "note": "备注", "promise": "送达时间变更",
    "promise_missed": "送达超时", "aftersale": "售后",
}  # fmt: skip
