"""One row of a sheet into a checked variant, or into problems with column, value and reason in Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from unicodedata import is_normalized

from stdnum import ean
from stdnum.exceptions import ValidationError

from app.catalog.importing.columns import LABELS, MAX_AXES, Header
from app.core.errors import Invalid
from app.core.money import parse_yuan
from app.core.text import clean, half_width

MAX_PRICE_FEN = 10**9
MAX_COUNT = 10**8
_EXCEL_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}
_CODE = re.compile(r"^[^\s].{0,63}$")
_WHOLE = re.compile(r"^(?:\d{1,3}(?:,\d{3})+|\d+)$")


@dataclass(slots=True)
class Problem(Exception):
    """Why a row was refused."""

    row: int
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class Line:
    """A good row: one variant of a product. stock -1: no figure; None: the file says nothing about it."""

    row: int
    code: str
    title: str
    category_id: int
    subtitle: str | None
    unit: str | None
    axes: tuple[str, ...]
    values: tuple[str, ...]
    price_fen: int
    stock: int
    weight_g: int | None
    safety: int | None
    cost_fen: int | None
    barcode: str | None
    sku_code: str


def text_of(cell: object) -> str:
    """Return a cell as its reader sees it: whole numbers without point, 15 digits like a spreadsheet program."""
    if type(cell) is str:
        if cell.isprintable() and (cell.isascii() or is_normalized("NFC", cell)):
            return cell.strip()
        return clean(cell).replace("\n", " ")
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float):
        return format(cell, ".15g")
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if cell is None:
        return ""
    return clean(str(cell)).replace("\n", " ")


def folded(text: str) -> str:
    """Return text in half width; the usual ASCII text as it is."""
    return text if text.isascii() else half_width(text)


class RowReader:
    """Reads the rows of one sheet. categories: code or name -> id, 0 when a name is ambiguous."""

    def __init__(self, header: Header, categories: Mapping[str, int]) -> None:
        self.header = header
        self.categories = categories

    def read(self, number: int, cells: Sequence[object]) -> Line:
        """Return the variant of a row. Raises Problem for the first fault found."""

        def cell(field: str) -> object:
            place = self.header.fields.get(field, -1)
            return cells[place] if 0 <= place < len(cells) else None

        def fault(field: str, reason: str, value: object = None) -> Problem:
            shown = text_of(cell(field) if value is None else value)[:200]
            return Problem(number, LABELS.get(field, field), shown, reason)

        axes, values = self._options(number, cells)
        price = self._price(cell("price"), lambda reason: fault("price", reason))
        if not 0 < price <= MAX_PRICE_FEN:
            raise fault("price", "售价须大于 0 且不超过 1,000 万元")
        title = text_of(cell("title"))
        if title in _EXCEL_ERRORS or not 2 <= len(title) <= 80:
            raise fault("title", "名称须为 2–80 个字" if title not in _EXCEL_ERRORS else "单元格公式出错")
        cost = cell("cost")
        subtitle, unit = self._text(cell, fault, "subtitle", 120), self._text(cell, fault, "unit", 16)
        return Line(
            number, self._code(cell("code"), fault), title, self._category(cell, fault), subtitle, unit, axes, values, price,
            self._count(cell("stock"), "stock", fault, -1) or 0 if text_of(cell("stock")) else -1,
            self._count(cell("weight"), "weight", fault), self._count(cell("safety"), "safety", fault),
            None if not text_of(cost) else self._price(cost, lambda reason: fault("cost", reason)),
            self._barcode(cell("barcode"), fault), self._sku_code(cell("sku_code"), fault),
        )  # fmt: skip

    @staticmethod
    def _text(cell: object, fault: object, field: str, limit: int) -> str | None:
        text = text_of(cell(field))  # type: ignore[operator]
        if len(text) > limit:
            raise fault(field, f"不超过 {limit} 个字")  # type: ignore[operator]
        return text or None

    @staticmethod
    def _price(value: object, fault: object) -> int:
        text = folded(text_of(value))
        if not text:
            raise fault("请填写售价")  # type: ignore[operator]
        try:
            return parse_yuan(text)
        except Invalid:
            raise fault("不是有效的金额，请填写如 12.50，最多两位小数") from None  # type: ignore[operator]

    @staticmethod
    def _code(value: object, fault: object) -> str:
        text = folded(text_of(value))
        if isinstance(value, float) and abs(value) >= 1e15:
            raise fault("code", "编码超过 15 位且是数字格式，末尾可能已失真，请设为文本格式后重填")  # type: ignore[operator]
        if not _CODE.match(text) or text in _EXCEL_ERRORS or text.startswith("-"):
            raise fault("code", "请填写商品编码（1–64 个字符，不以横线开头）")  # type: ignore[operator]
        return text

    @staticmethod
    def _sku_code(value: object, fault: object) -> str:
        text = folded(text_of(value))
        if len(text) > 64:
            raise fault("sku_code", "规格编码不超过 64 个字符")  # type: ignore[operator]
        return text

    @staticmethod
    def _count(value: object, field: str, fault: object, empty: int | None = None) -> int | None:
        text = folded(text_of(value))
        if not text:
            return empty
        if not _WHOLE.match(text) or int(text.replace(",", "")) > MAX_COUNT:
            raise fault(field, "须为不小于 0 的整数")  # type: ignore[operator]
        return int(text.replace(",", ""))

    @staticmethod
    def _barcode(value: object, fault: object) -> str | None:
        text = folded(text_of(value)).replace(" ", "")
        if not text:
            return None
        if len(text) > 32 or not text.isalnum():
            raise fault("barcode", "条码须为不超过 32 位的数字或字母")  # type: ignore[operator]
        if text.isdigit() and len(text) in (8, 13):
            try:
                ean.validate(text)
            except ValidationError:
                raise fault("barcode", "条码校验位不正确，请核对") from None  # type: ignore[operator]
        return text

    def _category(self, cell: object, fault: object) -> int:
        given = [folded(text_of(cell(f))) for f in ("category", "category_name")]  # type: ignore[operator]
        for text in given:
            for key in (text, text.rpartition("/")[2].strip(), text.rpartition(">")[2].strip()):
                found = self.categories.get(key)
                if found:
                    return found
        shown = next((text for text in given if text), "")
        ambiguous = any(self.categories.get(text) == 0 for text in given)
        reason = "有多个同名类目，请改填类目编码" if ambiguous else "没有这个类目，请填写平台的类目名称或编码"
        raise fault("category", reason if shown else "请填写类目", shown or "")  # type: ignore[operator]

    def _options(self, number: int, cells: Sequence[object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        def at(place: int) -> str:
            return text_of(cells[place]) if place < len(cells) else ""

        found = [(name, at(place)) for name, place in self.header.axes]
        found += [(at(name), at(value)) for name, value in self.header.pairs]
        axes, values = [], []
        for name, value in found:
            if not value:
                continue
            if not name or len(name) > 20 or name in axes or len(value) > 60:
                raise Problem(number, "规格", f"{name}：{value}"[:200], "规格名须不重复且不超过 20 个字，规格值不超过 60 个字")
            axes.append(name)
            values.append(value.replace(" / ", "/"))
        if len(axes) > MAX_AXES or len(" / ".join(values)) > 120:
            raise Problem(number, "规格", " / ".join(values)[:200], f"最多 {MAX_AXES} 个规格，合计不超过 120 个字")
        return tuple(axes), tuple(values)
