"""Permissions of inventory."""

PERMISSIONS = {
    "stock.view": "查看库存", "stock.adjust": "手工调整库存", "stock.work": "仓内作业：收货、盘点、调拨、报损",
    "stock.approve": "复核盘点、处置隔离品、召回、维护仓库与组合", "stock.monitor": "监控全部库存",
    "warehouse.work": "平台仓作业：收货、盘点、调拨、报损", "warehouse.approve": "平台仓复核、处置、召回与维护",
}  # fmt: skip
