"""The publish gate: what a product still lacks before buyers may see it (M05), machine-readable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from app.catalog import queries
from app.catalog.models import Document, Product, Sku, Tag
from app.core import clock
from app.core.db import session
from app.core.errors import Invalid
from app.merchants import queries as merchants

DOCUMENT_NAMES = {
    "inspection": "检测报告", "production": "生产许可证（SC）", "ccc": "3C 认证证书", "organic": "有机产品认证证书",
    "other": "其他证明",
}  # fmt: skip


@dataclass(frozen=True)
class MissingItem:
    """One thing a product lacks: a stable code and a zh-CN sentence."""

    code: str
    message: str


def _valid(until: date | None, today: date) -> bool:
    return until is None or until >= today


def missing_items(product: Product) -> list[MissingItem]:
    """Return everything the product lacks, [] when it may be published; four queries.

    Codes: title.short, image.missing, price.missing, category.missing, attribute.<code>, document.<kind>,
    document.expired.<kind>, tag.expired, merchant.inactive, licence.missing.
    """
    session.flush()  # the rows of this transaction count too
    skus = session.scalars(select(Sku).where(Sku.product_id == product.id)).all()
    documents = session.scalars(select(Document).where(Document.product_id == product.id)).all()
    tags = session.scalars(select(Tag).where(Tag.product_id == product.id)).all()
    return evaluate(product, skus, documents, tags, merchants.standing(product.merchant_id))


def evaluate(
    product: Product,
    skus: Sequence[Sku],
    documents: Sequence[Document],
    tags: Sequence[Tag],
    standing: merchants.Standing,
) -> list[MissingItem]:
    """Return what a product lacks from what is loaded already; no query."""
    today = clock.business_date()
    found = [*_basics(product, [s for s in skus if s.is_active]), *_category(product, documents, today)]
    for tag in tags:
        if tag.family == "compliance" and not _valid(tag.valid_until_on, today):
            found.append(MissingItem("tag.expired", f"合规标签“{tag.name}”的依据已过期，请更新或移除"))
    if standing.status != "active":
        found.append(MissingItem("merchant.inactive", "店铺尚未通过入驻审核或已暂停营业"))
    if not standing.has_licence:
        found.append(MissingItem("licence.missing", "店铺没有有效的营业执照"))
    return found


def _basics(product: Product, skus: Sequence[Sku]) -> Iterable[MissingItem]:
    if len(product.title) < 4:
        yield MissingItem("title.short", "商品标题至少 4 个字")
    if product.image_key == "-":
        yield MissingItem("image.missing", "请上传商品主图")
    if not skus or any(s.price_fen <= 0 for s in skus):
        yield MissingItem("price.missing", "请至少填写一个有售价的规格")


def _category(product: Product, documents: Sequence[Document], today: date) -> Iterable[MissingItem]:
    category = queries.find_category(product.category_id)
    if category is None:
        yield MissingItem("category.missing", "请选择类目")
        return
    parent = queries.find_category(category.parent_id) if category.parent_id else None
    present = {d.kind for d in documents}
    valid = {d.kind for d in documents if _valid(d.valid_until_on, today)}
    needed = {c.document_required for c in (category, parent) if c is not None} - {"-"}
    for kind in sorted(needed - present):
        yield MissingItem(f"document.{kind}", f"“{category.name}”类商品须上传{DOCUMENT_NAMES.get(kind, kind)}")
    for kind in sorted(present - valid):
        yield MissingItem(f"document.expired.{kind}", f"{DOCUMENT_NAMES.get(kind, kind)}已过期，请上传新的")
    for attribute in queries.attributes_of(category.id):
        if attribute.is_required and not str(product.attributes.get(attribute.code, "")).strip():
            yield MissingItem(f"attribute.{attribute.code}", f"请填写属性“{attribute.name}”")


def check(product: Product) -> None:
    """Raise Invalid(`product.incomplete`) with every missing item in the message and `params['items']`."""
    items = missing_items(product)
    if items:
        text = "；".join(item.message for item in items)
        raise Invalid("product.incomplete", f"商品还不能提交：{text}", items=items)
