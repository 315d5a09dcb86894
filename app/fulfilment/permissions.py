"""Permissions of fulfilment."""

PERMISSIONS = {"merchant_order.ship": "发货"}
