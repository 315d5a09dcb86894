"""Permissions of delivery."""

PERMISSIONS = {
    "freight.edit": "设置本店运费与时效", "pickup.manage": "管理本店自提点", "delivery.manage": "维护配送日历与自提点",
}  # fmt: skip
