"""Permissions of orders."""

PERMISSIONS = {
    "order.own": "查看并确认自己的订单", "merchant_order.view": "查看本店订单",
    "merchant_order.manage": "登记异常、拆分与合并、改地址、开票", "order.view": "查看全部订单", "order.case": "处理异常订单、暂停与放行",
}  # fmt: skip
