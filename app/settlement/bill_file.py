"""Reading a channel's bill line by line: exact yuan, a known form, totals that agree (commerce.md §2.8)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from app.core import clock
from app.core.errors import Invalid
from app.core.money import parse_yuan

COLUMNS = ["交易时间", "渠道交易号", "商户单号", "交易类型", "交易状态", "金额(元)", "手续费(元)"]
FLOWS = {"支付": "pay", "退款": "refund"}
TOTAL = "合计"
TIME_LENGTH = 19


@dataclass(frozen=True)
class BillLine:
    """One payment or refund as the channel states it; ref_no: its number of a payment, our number of a refund."""

    row_no: int
    flow: str
    ref_no: str
    our_no: str
    amount_fen: int
    fee_fen: int
    at: datetime


def _problem(row_no: int, text: str) -> Invalid:
    return Invalid("bill.row", f"账单第 {row_no} 行：{text}", field="file")


def _clean(cells: list[str]) -> list[str]:
    return [cell.strip().removeprefix("`").strip() for cell in cells]


def _instant(when: str) -> datetime:
    """Return the instant of `2026-10-31 09:08:07` in the region's time. Raises ValueError for any other form."""
    if len(when) != TIME_LENGTH or when[10] != " ":
        raise ValueError(when)
    return datetime.fromisoformat(when).replace(tzinfo=clock.REGION_TZ).astimezone(UTC)


def _parse(row_no: int, cells: list[str]) -> BillLine:
    if len(cells) != len(COLUMNS):
        raise _problem(row_no, f"应有 {len(COLUMNS)} 列，实有 {len(cells)} 列")
    when, txn, number, kind, state, amount, fee = cells
    if kind not in FLOWS or state != "成功":
        raise _problem(row_no, f"交易类型或状态无法识别（{kind} / {state}）")
    try:
        at = _instant(when)
        fen, fee_fen = parse_yuan(amount), parse_yuan(fee)
    except ValueError:
        raise _problem(row_no, f"时间格式不正确（{when}）") from None
    except Invalid as error:
        raise _problem(row_no, error.message) from None
    ref_no = txn if FLOWS[kind] == "pay" else number
    if fen <= 0 or not ref_no or len(ref_no) > 64 or len(number) > 40:
        raise _problem(row_no, "单号或金额不正确")
    return BillLine(row_no, FLOWS[kind], ref_no, number, fen, fee_fen, at)


def read(lines: Iterable[str]) -> Iterator[BillLine]:
    """Yield the bill's lines. Raises Invalid naming the row for anything unexpected, a missing or wrong closing line included."""
    reader = csv.reader(lines)
    header = next(reader, [])
    if _clean(header) != COLUMNS:
        raise Invalid("bill.header", "文件不是可识别的渠道账单（首行列名不符）", field="file")
    count = fees = 0
    sums = {"pay": 0, "refund": 0}
    ended = False
    for row_no, raw in enumerate(reader, start=2):
        cells = _clean(raw)
        if not any(cells):
            continue
        if ended:
            raise _problem(row_no, "合计行之后还有内容")
        if cells[0] == TOTAL:
            ended = True
            if cells[1:5] != [str(count), *(_yuan(fen) for fen in (sums["pay"], sums["refund"], fees))]:
                raise _problem(row_no, "合计与明细不符，文件可能不完整")
            continue
        line = _parse(row_no, cells)
        count, fees = count + 1, fees + line.fee_fen
        sums[line.flow] += line.amount_fen
        yield line
    if not ended:
        raise Invalid("bill.cut", "账单缺少合计行，文件可能不完整", field="file")


def _yuan(fen: int) -> str:
    sign, whole = "-" if fen < 0 else "", abs(fen)
    return f"{sign}{whole // 100}.{whole % 100:02d}"
