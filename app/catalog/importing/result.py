"""The files a merchant downloads: the template and the result of an import."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xlsxwriter

from app.catalog.importing.columns import LABELS

MAX_PROBLEMS = 200_000
TEMPLATE_HEADERS = (
    "商品编码", "商品名称", "类目", "规格名1", "规格值1", "规格名2", "规格值2", "售价", "库存数量", "单位",
    "重量（克）", "条码", "规格编码", "安全库存", "成本价", "卖点",
)  # fmt: skip
SAMPLES = (
    ("TEA-001", "高山云雾绿茶（示例，请删除本行）", "茶叶", "规格", "250g 罐装", "", "", "58.00", 120, "罐",
     320, "", "TEA-001-250", 10, "32.50", "明前一级"),
    ("TEA-001", "高山云雾绿茶（示例，请删除本行）", "茶叶", "规格", "500g 罐装", "", "", "108.00", 60, "罐",
     620, "", "TEA-001-500", 10, "61", "明前一级"),
    ("RICE-010", "石岭软米（示例，请删除本行）", "粮油", "", "", "", "", "89", 300, "袋",
     10000, "", "", 20, "", ""),
)  # fmt: skip
NOTES = (
    "必填：商品编码、商品名称、类目（平台类目的名称或编码）、售价（元，最多两位小数）。",
    "一个商品有多个规格时写多行，商品编码、名称、类目相同，规格不同。最多三个规格名。",
    "商品编码是识别依据：再次导入同一编码会更新该商品，空白单元格保持原值，没有写到的规格不变。",
    "库存数量只作为新规格的期初库存；已有规格请在“库存”中调整。",
    "新商品导入后是草稿，补上主图和资料后提交审核。修改已通过商品的名称、类目、卖点会重新审核并下架；只改售价不会。",
    "单次最多 200,000 行、32 MB。",
)


def template() -> bytes:
    """Return the spreadsheet merchants fill in."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        head = book.add_format({"bold": True, "bg_color": "#EDF3FD", "border": 1})
        text = book.add_format({"num_format": "@"})
        sheet = book.add_worksheet("商品")
        sheet.freeze_panes(1, 0)
        for place, label in enumerate(TEMPLATE_HEADERS):
            sheet.write_string(0, place, label, head)
            sheet.set_column(place, place, 24 if label == "商品名称" else 14, text)
        for number, sample in enumerate(SAMPLES, start=1):
            for place, value in enumerate(sample):
                sheet.write(number, place, value)
        notes = book.add_worksheet("填写说明")
        notes.set_column(0, 0, 100)
        for number, note in enumerate(NOTES):
            notes.write_string(number, 0, note)
    return out.getvalue()


def write_result(path: Path, summary: Iterable[tuple[str, Any]], problems: Iterable[list[Any]]) -> None:
    """Write the result of an import in bounded memory: figures, then one line for each refused row."""
    draft = path.with_suffix(".part")
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(draft), options) as book:
        head = book.add_format({"bold": True, "bg_color": "#FDECEC", "border": 1})
        figures = book.add_worksheet("结果")
        figures.set_column(0, 1, 30)
        for number, (label, value) in enumerate(summary):
            figures.write_string(number, 0, label)
            figures.write(number, 1, value)
        sheet = book.add_worksheet("未导入的行")
        sheet.set_column(0, 3, 24)
        for place, label in enumerate(("行号", "列", "填写的值", "原因")):
            sheet.write_string(0, place, label, head)
        for number, (row, column, value, reason) in enumerate(problems, start=1):
            if number > MAX_PROBLEMS:
                break
            sheet.write_number(number, 0, row)
            sheet.write_string(number, 1, LABELS.get(column, column))
            sheet.write_string(number, 2, str(value)[:1_000])
            sheet.write_string(number, 3, reason)
    draft.replace(path)
