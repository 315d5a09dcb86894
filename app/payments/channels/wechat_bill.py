"""WeChat Pay's trade bill (bill_type ALL) turned into our one form; its own totals must agree with its rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date

from app.payments.channels.bill_form import PAY, REFUND, Row, fen_of, lines
from app.payments.channels.values import ChannelUnclear

COLUMNS = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型", "交易状态",
    "付款银行", "货币种类", "应结订单金额", "代金券金额", "微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型",
    "退款状态", "商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额", "费率备注",
)  # fmt: skip
TOTALS = ("总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额")


def canonical(text: Iterable[str], day: date) -> list[str]:
    """Return the bill in our form; no text is a day without trade. Raises ChannelUnclear(`channel.bill`) naming what is wrong."""
    reader = csv.reader(text)
    header = next(reader, None)
    if header is None:
        return list(lines([]))
    if tuple(cell.strip("\ufeff `") for cell in header) != COLUMNS:
        raise ChannelUnclear("channel.bill", f"{day} 的微信支付账单列名不符")
    rows: list[Row] = []
    for cells in reader:
        if tuple(cell.strip() for cell in cells) == TOTALS:
            _agree(next(reader, []), rows, day)
            return list(lines(rows))
        rows += _row(dict(zip(COLUMNS, (cell.strip().removeprefix("`") for cell in cells), strict=False)), len(cells), day)
    raise ChannelUnclear("channel.bill", f"{day} 的微信支付账单缺少合计行")


def _row(cell: dict[str, str], width: int, day: date) -> list[Row]:
    if width != len(COLUMNS) or cell["交易状态"] not in {"SUCCESS", "REFUND", "REVOKED"}:
        raise ChannelUnclear("channel.bill", f"{day} 的微信支付账单有无法识别的行")
    at, fee = cell["交易时间"], fen_of(cell["手续费"])
    if cell["交易状态"] == "SUCCESS":
        return [Row(at, cell["微信订单号"], cell["商户订单号"], PAY, fen_of(cell["订单金额"]), fee)]
    return [Row(at, cell["微信退款单号"], cell["商户退款单号"], REFUND, fen_of(cell["申请退款金额"]), fee)]


def _agree(cells: list[str], rows: list[Row], day: date) -> None:
    values = [cell.strip().removeprefix("`") for cell in cells]
    paid = sum(row.amount_fen for row in rows if row.flow == PAY)
    back = sum(row.amount_fen for row in rows if row.flow == REFUND)
    told = (int(values[0]), fen_of(values[5]), fen_of(values[6])) if len(values) == len(TOTALS) and values[0].isdigit() else None
    if told != (len(rows), paid, back):
        raise ChannelUnclear("channel.bill", f"{day} 的微信支付账单合计与明细不符")
