"""One row of a sheet into a checked variant, or into problems with column, value and reason in Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from unicodedata import is_normalized

from stdnum import ean
from stdnum.exceptions import ValidationError

from app.catalog.importing.columns import LABELS, MAX_AXES, Header
from app.core.errors import Invalid
from app.core.money import parse_yuan
from app.core.text import clean, half_width

FIELDS = (
    "code", "title", "category", "category_name", "subtitle", "unit", "price", "cost", "stock", "safety", "weight", "barcode",
    "sku_code",
)  # fmt: skip
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


class _Fault(Exception):
    """What is wrong with a cell; shown instead of the cell's text when `shown` is given."""

    def __init__(self, field: str, reason: str, shown: str | None = None) -> None:
        super().__init__(field, reason)
        self.field, self.reason, self.shown = field, reason, shown


# A sheet repeats its units, prices and options: each value is read once. Types count, since True == 1 == 1.0.
@lru_cache(maxsize=4_096, typed=True)
def _text(cell: object, field: str, limit: int) -> str | None:
    text = text_of(cell)
    if len(text) > limit:
        raise _Fault(field, f"不超过 {limit} 个字")
    return text or None


@lru_cache(maxsize=4_096, typed=True)
def _option_text(cell: object) -> str:
    return text_of(cell)


@lru_cache(maxsize=4_096, typed=True)
def _price(cell: object, field: str) -> int:
    text = folded(text_of(cell))
    if not text:
        raise _Fault(field, "请填写售价")
    try:
        return parse_yuan(text)
    except Invalid:
        raise _Fault(field, "不是有效的金额，请填写如 12.50，最多两位小数") from None


@lru_cache(maxsize=4_096, typed=True)
def _count(cell: object, field: str) -> int | None:
    text = folded(text_of(cell))
    if not text:
        return None
    if not _WHOLE.match(text) or int(text.replace(",", "")) > MAX_COUNT:
        raise _Fault(field, "须为不小于 0 的整数")
    return int(text.replace(",", ""))


def _code(cell: object) -> str:
    text = folded(text_of(cell))
    if isinstance(cell, float) and abs(cell) >= 1e15:
        raise _Fault("code", "编码超过 15 位且是数字格式，末尾可能已失真，请设为文本格式后重填")
    if not _CODE.match(text) or text in _EXCEL_ERRORS or text.startswith("-"):
        raise _Fault("code", "请填写商品编码（1–64 个字符，不以横线开头）")
    return text


def _title(cell: object) -> str:
    title = text_of(cell)
    if title in _EXCEL_ERRORS or not 2 <= len(title) <= 80:
        raise _Fault("title", "名称须为 2–80 个字" if title not in _EXCEL_ERRORS else "单元格公式出错")
    return title


def _sku_code(cell: object) -> str:
    text = folded(text_of(cell))
    if len(text) > 64:
        raise _Fault("sku_code", "规格编码不超过 64 个字符")
    return text


def _barcode(cell: object) -> str | None:
    text = folded(text_of(cell)).replace(" ", "")
    if not text:
        return None
    if len(text) > 32 or not text.isalnum():
        raise _Fault("barcode", "条码须为不超过 32 位的数字或字母")
    if text.isdigit() and len(text) in (8, 13):
        try:
            ean.validate(text)
        except ValidationError:
            raise _Fault("barcode", "条码校验位不正确，请核对") from None
    return text


class RowReader:
    """Reads the rows of one sheet. categories: code or name -> id, 0 when a name is ambiguous."""

    def __init__(self, header: Header, categories: Mapping[str, int]) -> None:
        self.header = header
        self.categories = categories
        self.places = tuple(header.fields.get(name, -1) for name in FIELDS)
        used = [*self.places, *(place for _, place in header.axes), *(place for pair in header.pairs for place in pair)]
        self.width = max(used) + 1
        self._category = lru_cache(maxsize=4_096, typed=True)(self._find_category)

    def read(self, number: int, cells: Sequence[object]) -> Line:
        """Return the variant of a row. Raises Problem for the first fault found."""
        # One more cell than the header names: fields without a column read it by their place -1.
        row = [*cells, *[None] * (self.width - len(cells)), None]
        try:
            return self._line(number, row)
        except _Fault as fault:
            shown = fault.shown
            if shown is None:
                shown = text_of(row[self.header.fields.get(fault.field, -1)])
            raise Problem(number, LABELS.get(fault.field, fault.field), shown[:200], fault.reason) from None

    def _line(self, number: int, row: list[object]) -> Line:
        code, title, category, category_name, subtitle, unit, price, cost, stock, safety, weight, barcode, sku_code = (
            [row[place] for place in self.places]
        )
        axes, values = self._options(number, row)
        price_fen = _price(price, "price")
        if not 0 < price_fen <= MAX_PRICE_FEN:
            raise _Fault("price", "售价须大于 0 且不超过 1,000 万元")
        name = _title(title)
        short, measure = _text(subtitle, "subtitle", 120), _text(unit, "unit", 16)
        number_of, kind = _code(code), self._category(category, category_name)
        units = _count(stock, "stock")
        return Line(
            number, number_of, name, kind, short, measure, axes, values, price_fen, -1 if units is None else units,
            _count(weight, "weight"), _count(safety, "safety"), _price(cost, "cost") if text_of(cost) else None,
            _barcode(barcode), _sku_code(sku_code),
        )  # fmt: skip

    def _find_category(self, *cells: object) -> int:
        given = [folded(text_of(cell)) for cell in cells]
        for text in given:
            for key in (text, text.rpartition("/")[2].strip(), text.rpartition(">")[2].strip()):
                found = self.categories.get(key)
                if found:
                    return found
        shown = next((text for text in given if text), "")
        ambiguous = any(self.categories.get(text) == 0 for text in given)
        reason = "有多个同名类目，请改填类目编码" if ambiguous else "没有这个类目，请填写平台的类目名称或编码"
        raise _Fault("category", reason if shown else "请填写类目", shown)

    def _options(self, number: int, row: list[object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found = [(name, _option_text(row[place])) for name, place in self.header.axes]
        found += [(_option_text(row[name]), _option_text(row[value])) for name, value in self.header.pairs]
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
