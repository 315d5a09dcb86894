"""The columns a sheet may have, by the headers merchants use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import Invalid
from app.core.text import half_width

LABELS = {
    "code": "商品编码", "title": "商品名称", "category": "类目", "category_name": "类目名称", "subtitle": "卖点",
    "unit": "单位", "price": "售价", "cost": "成本价", "stock": "库存数量", "safety": "安全库存", "weight": "重量（克）",
    "barcode": "条码", "sku_code": "规格编码",
}  # fmt: skip
ALIASES = {
    "code": ("商品编码", "商品编号", "商品货号", "货号", "编码", "外部编码", "款号", "spu编码", "goods_sn"),
    "title": ("商品名称", "商品标题", "品名", "名称", "标题", "货品名称", "name"),
    "category": ("类目", "类目编码", "类别", "类别编码", "分类", "分类编码", "商品类目", "商品分类"),
    "category_name": ("类目名称", "类别名称", "分类名称"),
    "subtitle": ("卖点", "副标题", "商品简介", "brief"),
    "unit": ("单位", "计量单位", "销售单位", "unit"),
    "price": ("售价", "零售价", "价格", "单价", "销售价", "售价元", "价格元", "零售价元", "retail_price"),
    "cost": ("成本价", "进价", "成本"),
    "stock": ("库存数量", "库存", "数量", "库存量", "期初库存"),
    "safety": ("安全库存", "库存预警"),
    "weight": ("重量", "重量克", "重量g", "毛重克", "净重克"),
    "barcode": ("条码", "条形码", "商品条码", "国际条码", "69码"),
    "sku_code": ("规格编码", "sku编码", "sku", "skucode", "sku货号"),
}  # fmt: skip
REQUIRED = ("code", "title", "price")
HEADER_ROWS = 10
MAX_AXES = 3
_AXIS = re.compile(r"^规格(?:名称|名)?[:：·](.{1,20})$")
_PAIR = re.compile(r"^规格(名|值)([123])$")
_BY_ALIAS = {alias: field for field, aliases in ALIASES.items() for alias in aliases}


@dataclass(frozen=True)
class Header:
    """Where each field stands. axes: (name, column of the value); pairs: (column of the name, column of the value)."""

    row: int
    fields: dict[str, int]
    axes: tuple[tuple[str, int], ...]
    pairs: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    unknown: tuple[str, ...]


def _plain(text: object) -> str:
    return re.sub(r"[\s*（）()【】\[\]]", "", half_width(str(text or ""))).lower()


def read_header(rows: Sequence[Sequence[object]]) -> Header:
    """Find the header among the first rows. Raises Invalid(`import.columns`) saying what is missing."""
    best: Header | None = None
    for number, row in enumerate(rows[:HEADER_ROWS]):
        header = _read(number, row)
        if best is None or len(header.fields) > len(best.fields):
            best = header
    found = best.fields if best is not None else {}
    lacking = [LABELS[name] for name in REQUIRED if name not in found]
    if "category" not in found and "category_name" not in found:
        lacking.append(LABELS["category"])
    if best is None or lacking:
        raise Invalid("import.columns", f"表头缺少列：{'、'.join(lacking)}。请下载模板对照填写")
    return best


def _read(number: int, row: Sequence[object]) -> Header:
    fields: dict[str, int] = {}
    axes: list[tuple[str, int]] = []
    halves: dict[str, dict[str, int]] = {}
    unknown = []
    for place, cell in enumerate(row):
        text = half_width(str(cell or ""))
        field = _BY_ALIAS.get(_plain(cell))
        axis, pair = _AXIS.match(text), _PAIR.match(_plain(cell))
        if field is not None and field not in fields:
            fields[field] = place
        elif axis is not None:
            axes.append((axis[1].strip(), place))
        elif pair is not None:
            halves.setdefault(pair[2], {})[pair[1]] = place
        elif _plain(cell) in {"规格", "规格型号", "包装规格"}:
            axes.append(("规格", place))
        elif text:
            unknown.append(text)
    pairs = tuple((h["名"], h["值"]) for _, h in sorted(halves.items()) if len(h) == 2)
    names = tuple(half_width(str(c or "")) for c in row)
    return Header(number, fields, tuple(axes), pairs, names, tuple(unknown))
