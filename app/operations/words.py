"""Names on screen of background jobs; a job without one shows its code."""

from __future__ import annotations

from app.core import periodic

JOBS = {
    "catalog.run_import": "批量导入商品",
    "catalog.on_merchant_approved": "商家入驻后开放商品",
    "catalog.on_merchant_suspended": "商家暂停后下架商品",
    "content.on_account_registered": "登记协议同意记录",
    "fulfilment.on_parcel_shipped": "登记发货包裹",
    "fulfilment.simulate_scan": "模拟物流节点",
    "inventory.on_sku_created": "建立库存记录",
    "inventory.on_stock_declared": "登记期初库存",
    "messaging.on_lot_recalled": "通知买家召回",
    "messaging.on_sign_in_code_issued": "发送登录验证码",
    "messaging.on_stock_alert_raised": "提醒商家库存预警",
    "orders.on_order_paid": "累计商品销量",
    "payments.ask_payment": "查询支付结果",
    "payments.ask_refund": "查询退款结果",
    "payments.close_attempt": "关闭金额已变的支付单",
    "payments.close_trade": "关闭渠道支付单",
    "payments.apply_notice": "处理支付通知",
    "payments.on_order_cancelled": "取消订单后退款",
    "payments.send_refund": "发起退款",
    "payments.simulator_deliver": "模拟支付通知",
    "search.on_product_changed": "更新搜索（商品变更）",
    "search.on_product_listed": "更新搜索（商品上架）",
    "search.on_product_unlisted": "更新搜索（商品下架）",
    "supervision.on_order_paid": "汇总交易额",
    "supervision.on_order_shipped": "汇总发货时效",
}


def job_name(code: str) -> str:
    """Return a job's name on screen: ours, that of the periodic job, else its code."""
    return JOBS.get(code) or next((p.description for p in periodic.declared() if p.name == code), code)
