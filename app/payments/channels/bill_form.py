"""The one form in which bills of all channels reach the reconciliation (`settlement.bill_file` reads it)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from app.payments.channels.values import ChannelUnclear

HEADER = "交易时间,渠道交易号,商户单号,交易类型,交易状态,金额(元),手续费(元)"
PAY, REFUND = "支付", "退款"


@dataclass(frozen=True)
class Row:
    """A payment or refund: at is `2026-10-31 09:08:07` in the region's time, number is ours, amounts in fen."""

    at: str
    txn: str
    number: str
    flow: str
    amount_fen: int
    fee_fen: int


def fen_of(text: str) -> int:
    """Return fen of a bill's yuan text such as `` `12.50`` or `0.06000`; beyond fen it is rounded half up. Raises ChannelUnclear."""
    try:
        exact = Decimal(text.strip().removeprefix("`").strip() or "0")
        return int((exact * 100).quantize(Decimal(1), ROUND_HALF_UP))
    except InvalidOperation:
        raise ChannelUnclear("channel.bill", f"渠道账单中的金额无法识别：{text[:40]}") from None


def lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield header, rows and the closing line of totals."""
    count = paid = refunded = fees = 0
    yield HEADER
    for row in rows:
        count, fees = count + 1, fees + row.fee_fen
        paid += row.amount_fen if row.flow == PAY else 0
        refunded += row.amount_fen if row.flow == REFUND else 0
        yield f"`{row.at},`{row.txn},`{row.number},`{row.flow},`成功,`{yuan(row.amount_fen)},`{yuan(row.fee_fen)}"
    yield f"合计,`{count},`{yuan(paid)},`{yuan(refunded)},`{yuan(fees)},,"


def yuan(fen: int) -> str:
    """Return `-1234.05` for -123405 fen."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
