"""Permissions of payment."""

PERMISSIONS = {
    "cart.checkout": "下单与支付", "payment.view": "查看支付与退款流水", "payment.abnormal": "处理异常收款",
    "payment.slip": "登记与复核银行回单",
    "payment.channel": "查看支付渠道状态",
}  # fmt: skip
