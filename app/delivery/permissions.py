"""Permissions of delivery."""

PERMISSIONS = {"freight.edit": "设置本店运费与时效", "delivery.manage": "维护配送日历"}
