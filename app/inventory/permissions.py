"""Permissions of inventory."""

PERMISSIONS = {"stock.view": "查看库存", "stock.adjust": "收货与调整库存", "stock.monitor": "监控全部库存"}
