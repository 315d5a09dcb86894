"""Forms of the catalogue; the SKU grid is read by hand because its rows are made from the option values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    IntegerField,
    MultipleFileField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, Optional

from app.catalog import gate
from app.catalog.models import Sku
from app.catalog.queries import RETURN_EXCLUSIONS
from app.catalog.service import SkuInput
from app.catalog.service.categories import KINDS
from app.catalog.service.facts import FAMILIES
from app.catalog.service.inputs import COLD_CHAIN, MAX_SKUS
from app.core.errors import Invalid
from app.core.money import format_yuan, parse_yuan
from app.core.text import clean, half_width
from app.web.forms import CleanForm, Required

AXES = 3
_SPLIT = re.compile(r"[，,、;；\n]+")


class ProductForm(CleanForm):
    """What a product says besides its grid and its category's attributes."""

    title = StringField("商品标题", [Required(), Length(max=80)])
    subtitle = StringField("卖点", [Length(max=120)])
    category_id = SelectField("类目", coerce=int, validate_choice=False)
    external_code = StringField("商品编码", [Length(max=64)])
    unit = StringField("单位", [Length(max=16)], default="件")
    cold_chain = SelectField("储运条件", choices=list(COLD_CHAIN.items()))
    description = TextAreaField("图文介绍", [Length(max=10_000)])
    image = FileField("主图")
    gallery = MultipleFileField("更多图片")


class DocumentForm(CleanForm):
    """A document of a product."""

    kind = SelectField("资料类型", choices=list(gate.DOCUMENT_NAMES.items()))
    number = StringField("编号", [Required(), Length(max=60)])
    issuer = StringField("出具机构", [Length(max=80)])
    valid_until_on = DateField("有效期至", [Optional()])
    file = FileField("照片或 PDF")


class TagForm(CleanForm):
    """A tag of a product."""

    family = SelectField("标签类别", choices=list(FAMILIES.items()))
    tag_name = StringField("标签", [Required(), Length(max=24)])
    evidence = StringField("依据", [Length(max=120)])
    tag_valid_until_on = DateField("有效期至", [Optional()])


class CategoryForm(CleanForm):
    """A category."""

    code = StringField("编码", [Length(max=32)])
    name = StringField("名称", [Required(), Length(max=40)])
    parent_id = SelectField("上级类目", coerce=int, validate_choice=False, default=0)
    sort = IntegerField("排序", [InputRequired("请填写排序")], default=0)
    document_required = SelectField("必备资料", choices=[("-", "不要求"), *gate.DOCUMENT_NAMES.items()])
    cold_chain = SelectField("储运条件", choices=list(COLD_CHAIN.items()), default="ambient")
    is_service = BooleanField("到店服务，不寄送")
    return_exclusion = SelectField(
        "七天无理由退货", default="-", choices=[("-", "适用"), *((key, f"不适用：{name}") for key, name in RETURN_EXCLUSIONS.items())]
    )


class AttributeForm(CleanForm):
    """An attribute of a category."""

    code = StringField("编码", [Required(), Length(max=32)])
    name = StringField("名称", [Required(), Length(max=40)])
    kind = SelectField("类型", choices=list(KINDS.items()))
    unit = StringField("计量单位", [Length(max=16)])
    options = TextAreaField("选项")
    sort = IntegerField("排序", [InputRequired("请填写排序")], default=0)
    is_required = BooleanField("必填")
    is_facet = BooleanField("用于筛选")
    is_variant = BooleanField("可作规格")


@dataclass
class GridRow:
    """One row of the SKU grid as typed; texts stay as they are until they are read."""

    options: tuple[str, ...] = ()
    price: str = ""
    code: str = ""
    weight: str = ""
    safety: str = ""
    cost: str = ""
    barcode: str = ""


@dataclass
class Grid:
    """Axes and rows of the SKU matrix."""

    names: list[str]
    values: list[str]
    rows: list[GridRow]

    @property
    def axes(self) -> list[str]:
        """Return the names in use."""
        return [name for name in self.names if name]


def split_values(text: str) -> list[str]:
    """Return the option values of a line, each once."""
    return list(dict.fromkeys(v for v in (clean(part).replace(" / ", "/") for part in _SPLIT.split(text)) if v))


def grid_of(option_names: Sequence[str], skus: Sequence[Sku]) -> Grid:
    """Return the grid of a stored product."""
    active = [s for s in skus if s.is_active]
    names = [*option_names, *[""] * AXES][:AXES]
    values = ["、".join(dict.fromkeys(s.options.get(n, "") for s in active)) if n else "" for n in names]
    rows = [
        GridRow(
            tuple(s.options.get(n, "") for n in option_names), format_yuan(s.price_fen).replace(",", ""), s.code,
            str(s.weight_g or ""), str(s.safety_stock or ""),
            format_yuan(s.cost_fen).replace(",", "") if s.cost_fen else "", "" if s.barcode == "-" else s.barcode,
        )
        for s in active
    ]  # fmt: skip
    return Grid(names, values, rows or [GridRow()])


def grid_from(posted: MultiDict[str, str]) -> Grid:
    """Return the grid as posted: axes and the rows that were shown."""
    names = [clean(n)[:20] for n in [*posted.getlist("option_name"), *[""] * AXES][:AXES]]
    values = [*posted.getlist("option_values"), *[""] * AXES][:AXES]
    columns = [posted.getlist(f"row_{c}") for c in ("options", "price", "code", "weight", "safety", "cost", "barcode")]
    rows = [
        GridRow(tuple(v for v in clean(cells[0]).split(" / ") if v), *cells[1:])
        for cells in itertools.islice(zip(*columns, strict=False), MAX_SKUS)
    ]
    return Grid(names, list(values), rows or [GridRow()])


def regenerate(grid: Grid) -> Grid:
    """Return the grid with one row for each combination; what was typed for a combination stays."""
    lists = [split_values(v) for n, v in zip(grid.names, grid.values, strict=True) if n]
    count = 1
    for part in lists:
        count *= len(part)
    if not all(lists):
        raise Invalid("sku.options", "请填写每个规格名的规格值，用顿号或逗号分隔", field="skus")
    if count > MAX_SKUS:
        raise Invalid("sku.count", f"组合后有 {count} 个规格，最多 {MAX_SKUS} 个", field="skus")
    known = {row.options: row for row in grid.rows}
    first = grid.rows[0] if grid.rows else GridRow()
    rows = [
        known.get(options) or GridRow(options, first.price, "", first.weight, first.safety, first.cost, "")
        for options in itertools.product(*lists)
    ]
    return Grid(grid.names, grid.values, rows)


def needs_regenerating(grid: Grid) -> bool:
    """Tell whether the rows do not fit the axes named above them."""
    return any(len(row.options) != len(grid.axes) for row in grid.rows)


def sku_inputs(grid: Grid) -> list[SkuInput]:
    """Return the variants; a row of a matrix without a price is not sold. Raises Invalid(`sku.*`)."""
    rows = [r for r in grid.rows if r.price.strip() or len(grid.rows) == 1]
    return [
        SkuInput(
            row.options, _money(row.price, "售价"), clean(row.code), _whole(row.weight, "重量"), _whole(row.safety, "安全库存"),
            _money(row.cost, "成本价") if row.cost.strip() else 0, clean(row.barcode) or "-",
        )
        for row in rows
    ]  # fmt: skip


def _money(text: str, label: str) -> int:
    try:
        return parse_yuan(half_width(text))
    except Invalid as error:
        reason = error.message if text.strip() else f"请填写{label}"
        raise Invalid("sku.price", f"{label}：{reason}", field="skus") from None


def _whole(text: str, label: str) -> int:
    digits = half_width(text)
    if not digits:
        return 0
    if not digits.isdigit() or len(digits) > 9:
        raise Invalid("sku.amounts", f"{label}须为不小于 0 的整数", field="skus")
    return int(digits)


def _is_plain(block: Mapping[str, Any]) -> bool:
    return block.get("kind") == "text" and not block.get("title") and not block.get("image_key")


def description_of(blocks: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the plain text blocks, a blank line between them."""
    return "\n\n".join(str(b.get("text", "")) for b in blocks if _is_plain(b))


def blocks_from(text: str, kept: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """Return text blocks by paragraph followed by the blocks of other kinds there were."""
    parts = [p.strip() for p in re.split(r"\n\s*\n", text.replace("\r\n", "\n")) if p.strip()]
    return [{"kind": "text", "text": p} for p in parts] + [dict(b) for b in kept if not _is_plain(b)]
