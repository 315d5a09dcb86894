"""Permissions of payment."""

PERMISSIONS = {"cart.checkout": "下单与支付", "payment.view": "查看支付与退款流水"}
