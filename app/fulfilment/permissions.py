"""Permissions of fulfilment."""

PERMISSIONS = {"merchant_order.ship": "发货", "pickup.verify": "核销自提订单"}
