"""Files of settlement: a month's statement as xlsx (every line, constant memory) and as PDF (totals of record), the bank's file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from app.core import clock, sheets
from app.core.money import format_yuan
from app.settlement.chart import KINDS, VOUCHERS
from app.settlement.models import Payout
from app.settlement.queries import statements
from app.settlement.queries.statements import AccountTotals, Totals

FONT = "STSong-Light"  # a font of the PDF standard's Chinese collection: readers bring it, no file is embedded
LINE_HEADS = ("时间", "业务", "凭证号", "说明", "增加（元）", "减少（元）", "余额（元）")
WIDTHS = (20, 12, 22, 44, 14, 14, 16)


def local(at: datetime) -> str:
    """Return an instant as `2026-10-31 09:08:07` in the region's time."""
    return at.astimezone(clock.REGION_TZ).isoformat(" ", "seconds")[:19]


def title_of(month_no: int) -> str:
    """Return `2026年10月` for 202610."""
    return f"{month_no // 100}年{month_no % 100}月"


def statement_xlsx(path: Path, shop: str, totals: Totals) -> int:
    """Write a month to a file: a sheet of totals and one of lines for each account; returns how many lines.

    Memory holds one piece of rows. Raises RuntimeError when the lines do not lead from opening to closing; the file is worthless then.
    """
    with sheets.book(path) as book:
        with book.sheet("汇总", (22, 16, 16, 16, 16)) as sheet:
            sheet.row([f"{shop} {title_of(totals.month.number)}对账单"], bold=True)
            sheet.row(["账户", "期初（元）", "增加（元）", "减少（元）", "期末（元）"], bold=True)
            for a in totals.accounts:
                sheet.row([KINDS[a.kind].name, a.opening, a.increase, a.decrease, a.closing])
            sheet.row([])
            sheet.row(["业务", "分录数", "净影响（元）"], bold=True)
            for kind, entries, fen in totals.by_kind:
                sheet.row([VOUCHERS[kind], f"{entries:,}", fen])
        return sum(_account_sheet(book, account, totals) for account in totals.accounts)


def _account_sheet(book: sheets.Book, account: AccountTotals, totals: Totals) -> int:
    """Write one account's lines with the running balance."""
    side, balance, count = KINDS[account.kind].side, account.opening, 0
    with book.sheet(KINDS[account.kind].name, WIDTHS) as sheet:
        sheet.row(LINE_HEADS, bold=True)
        sheet.row([None, None, None, "期初余额", None, None, balance])
        for at, kind, voucher_id, memo, amount in statements.lines(account.account_id, totals.month):
            change = amount * side
            balance += change
            count += 1
            up, down = (change, None) if change > 0 else (None, -change)
            sheet.row((local(at), VOUCHERS[kind], str(voucher_id), memo, up, down, balance))
        if balance != account.closing:
            raise RuntimeError(f"the lines of account {account.account_id} do not lead to its closing balance")
        sheet.row([None, None, None, "期末余额", None, None, balance])
    return count


def _styles() -> tuple[ParagraphStyle, ParagraphStyle]:
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    body = ParagraphStyle("body", fontName=FONT, fontSize=9, leading=14)
    return ParagraphStyle("head", parent=body, fontSize=15, leading=22, alignment=1), body


def statement_pdf(out: Any, *, site: str, shop: str, name: str, number: str, totals: Totals, closed_at: datetime) -> None:
    """Write the statement of record to a binary stream: totals by account and by business; its length does not grow with the lines."""
    head, body = _styles()
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=18 * mm, bottomMargin=18 * mm,
        title=f"{title_of(totals.month.number)}对账单", author=site, invariant=1,
    )  # fmt: skip
    accounts: list[Sequence[str]] = [("账户", "期初", "增加", "减少", "期末")]
    for a in totals.accounts:
        accounts.append((KINDS[a.kind].name, *(format_yuan(fen) for fen in (a.opening, a.increase, a.decrease, a.closing))))
    opening, closing = totals.interest("opening"), totals.interest("closing")
    accounts.append(("商家权益合计", format_yuan(opening), "", "", format_yuan(closing)))
    kinds: list[Sequence[str]] = [("业务", "分录数", "对商家权益的净影响")]
    kinds += [(VOUCHERS[kind], f"{count:,}", format_yuan(fen)) for kind, count, fen in totals.by_kind]
    kinds.append(("合计", f"{totals.entry_count:,}", format_yuan(closing - opening)))
    document.build(
        [
            Paragraph(f"{site}商家对账单", head), Spacer(1, 4 * mm),
            Paragraph(f"商家：{_text(name)}（{_text(shop)}）", body),
            Paragraph(f"账期：{title_of(totals.month.number)}　单号：{number}　关账时间：{local(closed_at)}", body),
            Paragraph("单位：元。应收商家款以欠款计，商家权益合计 ＝待结算＋可提现＋提现在途＋保证金－应收商家款。", body),
            Spacer(1, 4 * mm), _table(accounts, (50, 31, 31, 31, 31), last=True), Spacer(1, 6 * mm),
            _table(kinds, (70, 44, 60), last=True), Spacer(1, 6 * mm),
            Paragraph("期初＋增加－减少＝期末；逐笔明细见同一账期的 Excel 文件。", body),
            Paragraph("本单关账后不再改动，之后的退款计入以后账期。", body),
        ]
    )  # fmt: skip


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _table(rows: Sequence[Sequence[str]], widths: Sequence[int], *, last: bool) -> Table:
    table = Table(rows, colWidths=[width * mm for width in widths], repeatRows=1)
    style = [
        ("FONT", (0, 0), (-1, -1), FONT, 9), ("ALIGN", (1, 0), (-1, -1), "RIGHT"), ("GRID", (0, 0), (-1, -1), 1, colors.lightgrey),
        ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke), ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ]  # fmt: skip
    if last:
        style.append(("LINEABOVE", (0, -1), (-1, -1), 1, colors.black))
    table.setStyle(TableStyle(style))
    return table


def bank_csv(payouts: Iterable[tuple[Payout, str]]) -> str:
    """Return the bank's transfer file: (payout, account number in clear) rows; text cells cannot become formulas."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["提现单号", "收款户名", "收款账号", "开户银行", "金额(元)", "用途"])
    for payout, number in payouts:
        amount = format_yuan(payout.amount_fen).replace(",", "")
        writer.writerow([payout.payout_no, _plain(payout.holder), f"\t{number}", _plain(payout.bank_name), amount, "货款结算"])
    return "\ufeff" + out.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in "=+-@" else text
