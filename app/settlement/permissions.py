"""Permissions of settlement."""

PERMISSIONS = {
    "funds.view": "查看本店资金与对账单",
    "funds.manage": "申请提现、维护收款账户与保证金",
    "finance.view": "查看总账、凭证与商家资金",
    "finance.rate": "维护分账规则",
    "finance.payout": "审批提现与确认付款",
    "finance.recon": "导入渠道账单、处理对账案例",
    "finance.refund": "按件退款与暂停结算",
    "finance.deposit": "登记、退还保证金与抵扣欠款",
}
