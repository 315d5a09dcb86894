"""Papers of the warehouse: labels (100 × 150 mm, 76 × 130 mm), packing slips and pick lists as PDF; bar and QR codes (ui.md §12).

Bars come from reportlab's Code128, QR codes from segno; both are drawn as vectors, in the PDF and as SVG of a page.
"""

from __future__ import annotations

import io
import string
from collections.abc import Sequence
from dataclasses import dataclass

import segno
from markupsafe import Markup
from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

FONT = "STSong-Light"  # a font of the PDF standard's Chinese collection: readers bring it, no file is embedded
SIZES = {"100x150": (100, 150), "76x130": (76, 130)}


@dataclass(frozen=True)
class Label:
    """What a label says. marks: short words in boxes, such as 冷藏 or 补打."""

    carrier: str
    number: str
    receiver: str
    phone: str
    address: str
    sender: str
    order_no: str
    contents: str
    marks: tuple[str, ...] = ()
    route: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a pick list or packing slip."""

    place: str
    title: str
    option: str
    quantity: int
    code: str = ""


def bars(value: str) -> tuple[list[tuple[int, int]], int]:
    """Return the bars of a Code128 as (left, width) in modules, and the width of all. value: printable ASCII."""
    code = Code128(value, quiet=0)
    code.validate()
    code.encode()
    code.decompose()
    left, found = 0, []
    for char in code.decomposed:
        if char in string.ascii_lowercase:
            left += ord(char) - ord("a") + 1
        elif char in string.ascii_uppercase:
            width = ord(char) - ord("A") + 1
            found.append((left, width))
            left += width
    return found, left


def code128_svg(value: str, height: int = 48) -> Markup:
    """Return a bar code as an SVG of the page."""
    found, width = bars(value)
    rects = Markup("").join(Markup('<rect x="{}" y="0" width="{}" height="{}"/>').format(left, wide, height) for left, wide in found)
    return Markup(
        '<svg class="bar" viewBox="-10 0 {} {}" width="{}" height="{}" role="img" aria-label="条码 {}">'
        '<g shape-rendering="crispEdges">{}</g></svg>'
    ).format(width + 20, height, (width + 20) * 2, height, value, rects)


def qr_svg(value: str, scale: int = 3) -> Markup:
    """Return a QR code as an SVG of the page."""
    return Markup(segno.make(value, error="m").svg_inline(scale=scale, border=2))  # noqa: S704 - made here of our own text


def _font() -> None:
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))


def _draw_bars(canvas: Canvas, value: str, x: float, y: float, width: float, height: float) -> None:
    found, modules = bars(value)
    unit = width / modules
    for left, wide in found:
        canvas.rect(x + left * unit, y, wide * unit, height, stroke=0, fill=1)


def _draw_qr(canvas: Canvas, value: str, x: float, y: float, side: float) -> None:
    matrix = [list(row) for row in segno.make(value, error="m").matrix]
    unit = side / len(matrix)
    for row, cells in enumerate(matrix):
        for column, dark in enumerate(cells):
            if dark:
                canvas.rect(x + column * unit, y + side - (row + 1) * unit, unit, unit, stroke=0, fill=1)


def _wrap(canvas: Canvas, text: str, x: float, y: float, width: float, size: float, most: int = 3) -> float:
    """Draw a text in lines of a width from y down, at most so many; returns the y below."""
    line, lines = "", []
    for char in text:
        if pdfmetrics.stringWidth(line + char, FONT, size) > width:
            lines.append(line)
            line = ""
        line += char
    canvas.setFont(FONT, size)
    for shown in [*lines, line][:most]:
        canvas.drawString(x, y, shown)
        y -= size * 1.35
    return y


def labels_pdf(labels: Sequence[Label], size: str) -> bytes:
    """Return labels as PDF, one page each. size: a key of SIZES. Raises KeyError for another."""
    _font()
    wide, high = (value * mm for value in SIZES[size])
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(wide, high), invariant=1)
    canvas.setTitle("面单")
    for label in labels:
        _label(canvas, label, wide, high)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _label(canvas: Canvas, label: Label, wide: float, high: float) -> None:
    edge, small = 4 * mm, wide < 90 * mm
    inner, base = wide - 2 * edge, 8.0 if small else 10.0
    canvas.rect(edge / 2, edge / 2, wide - edge, high - edge, stroke=1, fill=0)
    y = high - 9 * mm
    canvas.setFont(FONT, base + 4)
    canvas.drawString(edge, y, label.carrier)
    canvas.drawRightString(wide - edge, y, label.route)
    y -= 17 * mm
    _draw_bars(canvas, label.number, edge + 2 * mm, y, inner - 4 * mm, 13 * mm)
    canvas.setFont(FONT, base)
    canvas.drawCentredString(wide / 2, y - 4 * mm, label.number)
    y -= 11 * mm
    canvas.line(edge / 2, y + 4 * mm, wide - edge / 2, y + 4 * mm)
    canvas.setFont(FONT, base + 3)
    canvas.drawString(edge, y, f"收 {label.receiver} {label.phone}")
    y = _wrap(canvas, label.address, edge, y - 6 * mm, inner, base + 2, 3)
    y = _wrap(canvas, f"寄 {label.sender}", edge, y - 3 * mm, inner, base - 1, 2)
    canvas.line(edge / 2, y + 1 * mm, wide - edge / 2, y + 1 * mm)
    side = 24 * mm if small else 30 * mm
    _draw_qr(canvas, label.number, wide - edge - side, edge + 2 * mm, side)
    y = _wrap(canvas, label.contents, edge, y - 4 * mm, inner - side - 3 * mm, base - 1, 6)
    canvas.setFont(FONT, base - 2)
    canvas.drawString(edge, edge + 3 * mm, label.order_no)
    canvas.setFont(FONT, base + 4)
    for place, mark in enumerate(label.marks):
        canvas.drawString(edge, edge + 10 * mm + place * 7 * mm, f"【{mark}】")


def sheet_pdf(title: str, head: Sequence[str], columns: Sequence[tuple[str, float]], rows: Sequence[Sequence[str]], code: str) -> bytes:
    """Return an A4 list: heading, lines of facts, a bar code, a table whose head repeats on every page.

    columns: (label, width in mm). Rows never break over pages.
    """
    _font()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(title)
    wide, high = A4
    edge, page, y = 12 * mm, 1, 0.0
    left = list(rows)
    while True:
        y = _sheet_head(canvas, title, head if page == 1 else (), code if page == 1 else "", columns, wide, high, edge)
        while left and y > 20 * mm:
            y = _sheet_row(canvas, left.pop(0), columns, edge, y, wide)
        canvas.setFont(FONT, 8)
        canvas.drawRightString(wide - edge, 8 * mm, f"第 {page} 页")
        canvas.showPage()
        page += 1
        if not left:
            break
    canvas.save()
    return out.getvalue()


def _sheet_head(
    canvas: Canvas, title: str, head: Sequence[str], code: str, columns: Sequence[tuple[str, float]], wide: float, high: float, edge: float
) -> float:
    canvas.setFont(FONT, 16)
    canvas.drawString(edge, high - 18 * mm, title)
    y = high - 26 * mm
    if code:
        _draw_bars(canvas, code, wide - edge - 60 * mm, high - 22 * mm, 60 * mm, 10 * mm)
        canvas.setFont(FONT, 8)
        canvas.drawRightString(wide - edge, high - 26 * mm, code)
    canvas.setFont(FONT, 10)
    for line in head:
        canvas.drawString(edge, y, line)
        y -= 5 * mm
    y -= 4 * mm
    x = edge
    canvas.setFont(FONT, 10)
    for label, width in columns:
        canvas.drawString(x, y, label)
        x += width * mm
    canvas.line(edge, y - 2 * mm, wide - edge, y - 2 * mm)
    return float(y - 7 * mm)


def _sheet_row(canvas: Canvas, row: Sequence[str], columns: Sequence[tuple[str, float]], edge: float, y: float, wide: float) -> float:
    x, lowest = edge, y
    for text, (_, width) in zip(row, columns, strict=True):
        if text == "□":
            canvas.rect(x, y - 0.5 * mm, 3.5 * mm, 3.5 * mm, stroke=1, fill=0)
        else:
            lowest = min(lowest, _wrap(canvas, text, x, y, width * mm - 2 * mm, 10, 2))
        x += width * mm
    lowest = min(lowest, y - 5 * mm)
    canvas.line(edge, lowest + 2 * mm, wide - edge, lowest + 2 * mm)
    return float(lowest - 2 * mm)


def as_rows(rows: Sequence[Row]) -> list[list[str]]:
    """Return rows of a pick list as the table takes them."""
    return [["□", row.place, row.title, row.option, str(row.quantity), row.code] for row in rows]


PICK_COLUMNS: tuple[tuple[str, float], ...] = (("", 8), ("货位", 26), ("商品", 78), ("规格", 30), ("数量", 14), ("编码", 30))
SLIP_COLUMNS: tuple[tuple[str, float], ...] = (("商品", 100), ("规格", 50), ("数量", 20))
