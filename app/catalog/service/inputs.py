"""What a product form says, checked: the one place where raw product data becomes valid data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from app.catalog import queries
from app.catalog.queries import Attribute
from app.core.errors import Invalid
from app.core.text import clean, half_width

MAX_PRICE_FEN = 10**9
MAX_SKUS = 200
MAX_AXES = 3
COLD_CHAIN = {"ambient": "常温", "chilled": "冷藏", "frozen": "冷冻"}
_YES = {"1", "true", "是", "yes", "on"}
_NO = {"0", "false", "否", "no", "off"}


@dataclass(frozen=True)
class SkuInput:
    """One row of the SKU grid. options: one value per axis, () for a single variant; code '' makes one."""

    options: tuple[str, ...] = ()
    price_fen: int = 0
    code: str = ""
    weight_g: int = 0
    safety_stock: int = 0
    cost_fen: int = 0
    barcode: str = "-"


@dataclass(frozen=True)
class ProductInput:
    """A product as a form, the import or the demo gives it. image_key None keeps the picture there is.

    version: what the editor saw; 0 skips the check for concurrent edits.
    """

    category_id: int
    title: str
    skus: Sequence[SkuInput]
    option_names: Sequence[str] = ()
    subtitle: str = ""
    unit: str = "件"
    image_key: str | None = None
    gallery: Sequence[str] | None = None
    blocks: Sequence[dict[str, Any]] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    cold_chain: str = "ambient"
    external_code: str = ""
    version: int = 0


def option_key(options: Sequence[str]) -> str:
    """Return the values joined with ' / ', '-' for a single variant."""
    return " / ".join(options) if options else "-"


def checked(data: ProductInput) -> ProductInput:
    """Return the input cleaned. Raises Invalid naming the field (`product.*`, `sku.*`)."""
    title = clean(data.title).replace("\n", " ")
    if not 2 <= len(title) <= 80:
        raise Invalid("product.title", "标题须为 2–80 个字", field="title")
    if queries.find_category(data.category_id) is None:
        raise Invalid("product.category", "请选择类目", field="category_id")
    subtitle, unit = clean(data.subtitle), clean(data.unit) or "件"
    if len(subtitle) > 120:
        raise Invalid("product.subtitle", "卖点不超过 120 个字", field="subtitle")
    if len(unit) > 16:
        raise Invalid("product.unit", "单位不超过 16 个字", field="unit")
    if data.cold_chain not in COLD_CHAIN:
        raise Invalid("product.cold_chain", "请选择储运条件", field="cold_chain")
    code = half_width(clean(data.external_code))
    if len(code) > 64:
        raise Invalid("product.external_code", "商品编码不超过 64 个字符", field="external_code")
    names = tuple(n for n in (clean(n) for n in data.option_names) if n)
    return ProductInput(
        category_id=data.category_id, title=title, skus=checked_skus(names, data.skus), option_names=names,
        subtitle=subtitle, unit=unit, image_key=data.image_key, gallery=data.gallery, blocks=tuple(data.blocks),
        attributes=checked_attributes(data.category_id, data.attributes), cold_chain=data.cold_chain, external_code=code,
        version=data.version,
    )  # fmt: skip


def checked_skus(names: Sequence[str], skus: Sequence[SkuInput]) -> tuple[SkuInput, ...]:
    """Return the grid cleaned. Raises Invalid: axes, count, duplicate option tuple, prices, codes."""
    if len(names) > MAX_AXES or len(set(names)) != len(names) or any(len(n) > 20 for n in names):
        raise Invalid("sku.option_names", f"最多 {MAX_AXES} 个规格名，名称不重复，每个不超过 20 个字", field="option_names")
    if not 1 <= len(skus) <= MAX_SKUS:
        raise Invalid("sku.count", f"规格须有 1–{MAX_SKUS} 行", field="skus")
    seen: set[str] = set()
    codes: set[str] = set()
    result = []
    for sku in skus:
        values = tuple(clean(v).replace(" / ", "/") for v in sku.options)
        if len(values) != len(names) or not all(values):
            raise Invalid("sku.options", "每一行都要填写全部规格值", field="skus")
        key = option_key(values)
        if len(key) > 120:
            raise Invalid("sku.options", f"规格“{key[:20]}…”过长", field="skus")
        if key in seen:
            raise Invalid("sku.duplicate_option", f"规格“{key}”重复", field="skus")
        seen.add(key)
        code = half_width(clean(sku.code))
        if len(code) > 64 or (code and code in codes):
            raise Invalid("sku.code", f"规格编码“{code[:64]}”重复或超过 64 个字符", field="skus")
        codes.add(code)
        if not 0 < sku.price_fen <= MAX_PRICE_FEN:
            raise Invalid("sku.price", f"规格“{key}”的售价须大于 0 且不超过 1,000 万元", field="skus")
        if not (0 <= sku.weight_g <= 10**7 and 0 <= sku.safety_stock <= 10**8 and sku.cost_fen >= 0):
            raise Invalid("sku.amounts", f"规格“{key}”的重量、安全库存或成本超出范围", field="skus")
        result.append(
            SkuInput(
                values, sku.price_fen, code, sku.weight_g, sku.safety_stock, sku.cost_fen,
                half_width(clean(sku.barcode))[:32] or "-",
            )
        )  # fmt: skip
    return tuple(result)


def checked_attributes(category_id: int, values: dict[str, Any]) -> dict[str, Any]:
    """Return known attributes of the category by code, each of its type. Raises Invalid(`attribute.*`)."""
    result = {}
    for attribute in queries.attributes_of(category_id):
        raw = clean(str(values.get(attribute.code, "") or ""))
        if raw:
            result[attribute.code] = _typed(attribute, raw)
    return result


def _typed(attribute: Attribute, raw: str) -> str:
    wrong = Invalid(f"attribute.{attribute.kind}", "", field=f"attribute_{attribute.code}")
    if attribute.kind == "number":
        try:
            number = Decimal(half_width(raw))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) > 10**12:
            wrong.message = f"“{attribute.name}”须为数字"
            raise wrong
        return format(number.normalize(), "f")
    if attribute.kind == "enum" and raw not in attribute.options:
        wrong.message = f"“{attribute.name}”须为：{'、'.join(attribute.options)}"
        raise wrong
    if attribute.kind == "bool":
        if raw.lower() not in _YES | _NO:
            wrong.message = f"“{attribute.name}”须为是或否"
            raise wrong
        return "是" if raw.lower() in _YES else "否"
    if attribute.kind == "date":
        try:
            return date.fromisoformat(raw).isoformat()
        except ValueError:
            wrong.message = f"“{attribute.name}”须为日期，如 2026-01-31"
            raise wrong from None
    if len(raw) > 120:
        wrong.message = f"“{attribute.name}”不超过 120 个字"
        raise wrong
    return raw
