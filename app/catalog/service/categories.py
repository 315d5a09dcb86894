"""The category tree and its typed attributes (C06 M06)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import delete, select

from app.audit import service as audit
from app.catalog import gate, queries
from app.catalog.models import AttributeDef, AttributeValue, Category
from app.catalog.queries.categories import forget
from app.catalog.service.inputs import COLD_CHAIN
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from dbadapters.errors import UniqueViolation

_CODE = re.compile(r"^[A-Za-z0-9_.-]{1,32}$")
KINDS = {"text": "文字", "number": "数字", "enum": "单选", "bool": "是否", "date": "日期"}


def _name(text: str) -> str:
    name = clean(text)
    if not 1 <= len(name) <= 40:
        raise Invalid("category.name", "名称须为 1–40 个字", field="name")
    return name


def _required(kind: str) -> str:
    if kind != "-" and kind not in gate.DOCUMENT_NAMES:
        raise Invalid("category.document", "请选择必备资料", field="document_required")
    return kind


def _exclusion(reason: str) -> str:
    if reason != "-" and reason not in queries.RETURN_EXCLUSIONS:
        raise Invalid("category.exclusion", "请选择七天无理由退货的适用情况", field="return_exclusion")
    return reason


def create_category(
    actor: Actor, *, code: str, name: str, parent_id: int = 0, icon: str = "package", sort: int = 0,
    document_required: str = "-", cold_chain: str = "ambient", is_service: bool = False, return_exclusion: str = "-",
) -> Category:  # fmt: skip
    """Add a category, at most two levels deep. Raises Invalid(`category.*`), Conflict(`category.code_taken`)."""
    actor.require("category.edit")
    if not _CODE.match(code):
        raise Invalid("category.code", "编码须为 1–32 位字母、数字、点、横线", field="code")
    if parent_id and queries.get_category(parent_id).parent_id:
        raise Invalid("category.depth", "类目最多两级", field="parent_id")
    category = Category(
        id=new_id(), code=code, name=_name(name), parent_id=parent_id, icon=icon, sort=sort,
        document_required=_required(document_required), cold_chain=_cold_chain(cold_chain), is_service=int(is_service),
        return_exclusion=_exclusion(return_exclusion), product_count=0,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(category)
            session.flush()  # the code is unique: the field shows it
    except UniqueViolation:
        raise Conflict("category.code_taken", "类目编码已被使用", field="code") from None
    forget()
    audit.record(actor, "category.created", "category", category.id, detail={"code": code})
    return category


def _cold_chain(word: str) -> str:
    if word not in COLD_CHAIN:
        raise Invalid("category.cold_chain", "请选择储运条件", field="cold_chain")
    return word


def edit_category(
    actor: Actor, category_id: int, *, name: str, sort: int = 0, document_required: str = "-", icon: str = "",
    cold_chain: str = "ambient", is_service: bool = False, return_exclusion: str = "-",
) -> Category:  # fmt: skip
    """Change a category. Raises NotFound, Invalid(`category.*`)."""
    actor.require("category.edit")
    category = queries.get_category(category_id)
    category.name, category.sort = _name(name), sort
    category.document_required, category.return_exclusion = _required(document_required), _exclusion(return_exclusion)
    category.icon = icon or category.icon
    category.cold_chain, category.is_service = _cold_chain(cold_chain), int(is_service)
    forget()
    detail = {"document": document_required, "cold_chain": cold_chain, "is_service": is_service, "exclusion": return_exclusion}
    audit.record(actor, "category.edited", "category", category_id, detail=detail)
    return category


def create_attribute(
    actor: Actor, category_id: int, *, code: str, name: str, kind: str, unit: str = "-", options: Sequence[str] = (),
    is_required: bool = False, is_variant: bool = False, is_facet: bool = False, sort: int = 0,
) -> AttributeDef:  # fmt: skip
    """Add a typed attribute to a category. Raises Invalid(`attribute.*`), Conflict(`attribute.code_taken`)."""
    actor.require("category.edit")
    queries.get_category(category_id)
    values = list(dict.fromkeys(v for v in (clean(o) for o in options) if v))
    if not _CODE.match(code):
        raise Invalid("attribute.code", "编码须为 1–32 位字母、数字、点、横线", field="code")
    if kind not in KINDS:
        raise Invalid("attribute.kind", "请选择属性类型", field="kind")
    if kind == "enum" and len(values) < 2:
        raise Invalid("attribute.options", "单选属性至少填写两个选项", field="options")
    attribute = AttributeDef(
        id=new_id(), category_id=category_id, code=code, name=_name(name), kind=kind, unit=clean(unit)[:16] or "-",
        options=values, is_required=is_required, is_variant=is_variant, is_facet=is_facet, sort=sort,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(attribute)
            session.flush()  # (category, code) is unique: the field shows it
    except UniqueViolation:
        raise Conflict("attribute.code_taken", "属性编码已被使用", field="code") from None
    forget()
    audit.record(actor, "category.attribute_created", "category", category_id, detail={"code": code, "kind": kind})
    return attribute


def remove_attribute(actor: Actor, category_id: int, attribute_id: int) -> None:
    """Remove an attribute no product uses. Raises NotFound, Conflict(`attribute.used`)."""
    actor.require("category.edit")
    attribute = session.get(AttributeDef, attribute_id)
    if attribute is None or attribute.category_id != category_id:
        raise NotFound("attribute.missing", "属性不存在")
    used = session.scalar(select(AttributeValue.id).where(AttributeValue.attribute_id == attribute_id).limit(1))
    if used is not None:
        raise Conflict("attribute.used", "已有商品填写了该属性，不能删除")
    session.execute(delete(AttributeDef).where(AttributeDef.id == attribute_id))
    forget()
    audit.record(actor, "category.attribute_removed", "category", category_id, detail={"code": attribute.code})
