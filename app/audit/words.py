"""Chinese words of actions and objects on the audit pages; an unknown code is shown as it is."""

from __future__ import annotations

THINGS = {
    "account": "账号", "address": "收货地址", "agreement": "协议", "audit": "审计日志", "category": "类目", "content": "内容",
    "home_block": "首页板块", "import": "批量导入", "job": "后台任务", "merchant": "商家", "notice": "公告", "order": "订单",
    "parcel": "包裹", "password": "口令", "payment": "支付", "product": "商品", "refund": "退款", "review": "评价",
    "session": "登录会话", "stock": "库存", "trade": "交易", "message": "短信", "promotion": "活动",
    "coupon": "优惠券", "bank": "收款账户", "bill": "渠道账单", "case": "对账差异", "deposit": "保证金", "payout": "提现", "rate": "费率",
    "freight": "运费模板", "promise": "时效承诺", "holiday": "配送日历", "point": "自提点", "pickup": "自提",
    "paper": "单据", "waybill": "电子面单", "wave": "波次", "trip": "车次",
    "statement": "对账单", "settlement": "结算", "voucher": "凭证", "batch": "付款批次",
    "lot": "批次", "sku": "规格", "stock_case": "库存差异", "abnormal": "异常收款", "aftersale": "售后",
    "order_case": "异常订单", "invoice": "发票", "order_export": "订单导出", "risk_rule": "风控规则",
    "slip": "银行回单",
    "warehouse": "仓库", "receipt": "收货单", "transfer": "调拨", "count": "盘点", "bundle": "组合商品", "recall": "召回名单",
}  # fmt: skip
VERBS = {
    "created": "新建", "added": "新增", "edited": "修改", "removed": "删除", "default": "设为默认", "active": "启用",
    "disabled": "停用", "opened": "登录", "closed": "退出", "refused": "登录失败", "revoked": "强制下线", "changed": "变更",
    "reset": "重置", "searched": "查询", "read": "查看", "verified": "校验", "placed": "下单", "cancelled": "取消",
    "expired": "超时关闭", "completed": "完成", "noted": "备注", "shipped": "发货", "delivered": "签收", "started": "发起",
    "notice_applied": "到账通知入账", "refunded": "退款", "submitted": "提交审核", "approved": "审核通过", "rejected": "驳回",
    "withdrawn": "撤回", "shelf_on": "上架", "shelf_off": "下架", "banned": "禁售", "ban_lifted": "解除禁售", "tagged": "加标签",
    "untagged": "去标签", "document_added": "新增证照", "document_removed": "删除证照", "attribute_created": "新增属性",
    "attribute_removed": "删除属性", "applied": "申请入驻", "reapplied": "重新申请", "licence_added": "新增资质",
    "shop_edited": "修改店铺", "suspended": "停业", "retried": "重新排队", "hide": "隐藏", "show": "恢复显示", "write": "发表",
    "reply": "回复", "agreement_publish": "发布协议", "block_add": "新增板块", "block_edit": "修改板块", "notice_draft": "起草公告",
    "countersign_refused": "未通过复核", "claimed": "领取", "issued": "发放", "voided": "作废", "paused": "暂停", "ended": "结束",
    "imported": "导入", "resolved": "处理", "taken": "认领", "offset": "抵扣", "paid": "付款登记", "returned": "退还",
    "automatic": "自动申请", "moved": "推进",
    "exported": "导出", "file_taken": "取走付款文件", "requested": "申请", "held": "暂停", "saved": "保存",
    "failed": "登记失败", "entered": "登记", "confirmed": "复核确认",
    "tracked": "启用批次管理", "blocked": "隔离", "recalled": "召回", "reopened": "解除隔离", "quarantined": "隔离部分",
    "restored": "恢复", "scrapped": "报废", "bound": "设置运费", "unbound": "取消单独运费",
    "raised": "登记", "given_back": "退回", "lifted": "放行", "divided": "拆分", "bundled": "合并发货",
    "unbundled": "取消合并发货",
    "readdressed": "修改收货地址", "readdress_asked": "申请修改收货地址", "readdress_refused": "拒绝修改收货地址",
    "red": "红冲", "wanted": "申请", "export_taken": "下载导出",
    "breached": "冷链超温", "picked": "拣完", "prepared": "备货", "collected": "核销",
    "undone": "撤销核销", "printed": "打印", "reprinted": "补打",
    "received": "收货", "begun": "开始", "threshold_set": "设置预警", "recall_begun": "发起召回",
    "notice_edit": "修改公告", "notice_publish": "发布公告", "notice_withdraw": "撤回公告",
}  # fmt: skip


def action_words(action: str) -> str:
    """Return the Chinese words of an action code such as `order.noted`."""
    thing, _, verb = action.partition(".")
    if verb not in VERBS:
        return action
    return VERBS[verb] if thing in {"session", "content"} else VERBS[verb] + THINGS.get(thing, thing)


def object_words(object_type: str) -> str:
    """Return the Chinese word of an object type."""
    return THINGS.get(object_type, object_type)
