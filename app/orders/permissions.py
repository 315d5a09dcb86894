"""Permissions of orders."""

PERMISSIONS = {"order.own": "查看并确认自己的订单", "merchant_order.view": "查看本店订单", "order.view": "查看全部订单"}
