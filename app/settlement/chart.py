"""The chart of accounts and the words of the books: what exists, which side grows, what may never fall below zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

DEBIT, CREDIT = 1, -1
FOREVER = date(9999, 12, 31)
NONE = "-"


@dataclass(frozen=True)
class Kind:
    """A kind of account. side: +1 grows by debit, -1 by credit; guarded: its balance never falls below zero."""

    name: str
    side: int
    guarded: bool = False
    of_merchant: bool = False


KINDS = {
    "channel": Kind("渠道待清算", DEBIT),
    "custody": Kind("托管账户", DEBIT),
    "advance": Kind("预收货款", CREDIT),
    "stored_value": Kind("储值负债", CREDIT),
    "gift_value": Kind("赠金负债", CREDIT),
    "gift_cost": Kind("赠金费用", DEBIT),
    "frozen": Kind("商家待结算", CREDIT, guarded=True, of_merchant=True),
    "payable": Kind("商家可提现", CREDIT, guarded=True, of_merchant=True),
    "transit": Kind("商家提现在途", CREDIT, guarded=True, of_merchant=True),
    "deposit": Kind("商家保证金", CREDIT, guarded=True, of_merchant=True),
    "receivable": Kind("应收商家款", DEBIT, guarded=True, of_merchant=True),
    "refund": Kind("应退买家款", CREDIT),
    "fee": Kind("平台佣金收入", CREDIT),
    "promoter": Kind("推广者应付", CREDIT),
    "logistics": Kind("物流应付", CREDIT),
    "subsidy": Kind("应收补贴", DEBIT),
    "channel_fee": Kind("渠道手续费", DEBIT),
    "suspense": Kind("待处理长短款", CREDIT),
    "other_income": Kind("营业外收入", CREDIT),
    "loss": Kind("对账损失", DEBIT),
}
MERCHANT_KINDS = tuple(key for key, kind in KINDS.items() if kind.of_merchant)
INCOME_KINDS = ("fee", "other_income", "channel_fee", "gift_cost", "loss")

VOUCHERS = {
    "receipt": "买家付款", "stray": "异常收款", "split": "订单分账", "reversal": "退款冲回", "compensation": "售后赔付",
    "refund": "退款到账", "release": "结算放款",
    "payout": "提现申请", "payout_paid": "提现到账", "payout_back": "提现退回", "deposit": "缴纳保证金", "deposit_back": "退还保证金",
    "offset": "抵扣欠款", "bill": "渠道清算", "case": "对账差异处理", "top_up": "储值入账",
}  # fmt: skip
