"""The simulated channel's bill of one day, in the form channels use: CSV, yuan with a leading back-tick, a closing line of totals.

It can be made to differ from the truth the way real bills do: a payment left out, one of another amount, one nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from sqlalchemy import select

from app.core import clock
from app.core.db import session
from app.core.errors import NotFound
from app.core.money import format_yuan, percent_of
from app.payments import channels
from app.payments.models import ChannelNotice, PaymentAttempt, Refund

HEADER = "交易时间,渠道交易号,商户单号,交易类型,交易状态,金额(元),手续费(元)"
FEE_BPS = 60
PIECE = 2_000
LEFT_OUT, OTHER_AMOUNT = 1, 2


def daily_bill(day: date, *, differences: bool = True) -> Iterator[str]:
    """Yield the lines of the simulator's bill of a business day. Raises NotFound when the simulator is off.

    Cut by when the channel saw the payment succeed or the refund done. differences: the second payment is left out, the third is
    a fen more, and one payment is added that we never saw.
    """
    if channels.SIMULATOR not in channels.names():
        raise NotFound("payment.channel", "模拟通道未启用")
    start, end = clock.day_bounds(day)
    count = paid = refunded = fees = 0
    yield HEADER
    for position, (at, txn, number, amount) in enumerate(_payments(start, end)):
        if differences and position == LEFT_OUT:
            continue
        amount += int(differences and position == OTHER_AMOUNT)
        fee = percent_of(amount, FEE_BPS)
        count, paid, fees = count + 1, paid + amount, fees + fee
        yield _line(at, txn, number, "支付", amount, fee)
    if differences and count:
        count, paid = count + 1, paid + 100
        yield _line(start, f"SIMX{day:%Y%m%d}", f"PX{day:%Y%m%d}", "支付", 100, 0)
    for at, number, amount in _refunds(start, end):
        count, refunded = count + 1, refunded + amount
        yield _line(at, f"SIM{number}", number, "退款", amount, 0)
    yield f"合计,`{count},`{_yuan(paid)},`{_yuan(refunded)},`{_yuan(fees)},,"


def _payments(start: datetime, end: datetime) -> Iterator[tuple[datetime, str, str, int]]:
    """Yield (time, channel number, our number, fen) of receipts; repeated notices of one payment count once."""
    rows = session.execute(
        select(ChannelNotice.received_at, ChannelNotice.body)
        .where(
            ChannelNotice.channel == channels.SIMULATOR, ChannelNotice.received_at >= start, ChannelNotice.received_at < end,
            ChannelNotice.outcome.in_(("paid", "refunded")),
        )
        .order_by(ChannelNotice.id)
        .execution_options(yield_per=PIECE)
    )  # fmt: skip
    for row in rows:
        notice = channels.parse(row.body.encode())
        if notice.amount_fen:
            yield row.received_at, notice.channel_txn, notice.payment_no, notice.amount_fen


def _refunds(start: datetime, end: datetime) -> Iterator[tuple[datetime, str, int]]:
    rows = session.execute(
        select(Refund.finished_at, Refund.refund_no, Refund.amount_fen)
        .join(PaymentAttempt, PaymentAttempt.id == Refund.attempt_id)
        .where(
            PaymentAttempt.channel == channels.SIMULATOR, Refund.status == "done", Refund.finished_at >= start,
            Refund.finished_at < end,
        )
        .order_by(Refund.id)
        .execution_options(yield_per=PIECE)
    )  # fmt: skip
    for row in rows:
        yield row.finished_at, row.refund_no, row.amount_fen


def _line(at: datetime, txn: str, number: str, kind: str, amount_fen: int, fee_fen: int) -> str:
    local = at.astimezone(clock.REGION_TZ)
    return f"`{local:%Y-%m-%d %H:%M:%S},`{txn},`{number},`{kind},`成功,`{_yuan(amount_fen)},`{_yuan(fee_fen)}"


def _yuan(fen: int) -> str:
    return format_yuan(fen).replace(",", "")
