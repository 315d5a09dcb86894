"""Tags and documents with evidence and expiry (M07); what expires takes its product off the shelf."""

from __future__ import annotations

from datetime import date

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from app.audit import service as audit
from app.catalog import gate, queries
from app.catalog.events import ProductChanged
from app.catalog.models import Document, Product, Tag
from app.catalog.service import listing, versions
from app.catalog.service.products import send_back
from app.core import cas, clock, events
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from dbadapters.errors import UniqueViolation

FAMILIES = {"region": "区域特色", "marketing": "营销", "compliance": "合规", "welfare": "公益"}
EXPIRE_BATCH = 200


def _product(actor: Actor, product_id: int) -> Product:
    if not actor.can("product.audit"):
        actor.require("product.edit")
    return queries.get_for(actor, product_id)


def _changed(actor: Actor, product: Product, *, needs_review: bool) -> None:
    session.flush()
    product.tag_names = list(session.scalars(select(Tag.name).where(Tag.product_id == product.id).order_by(Tag.id)))
    versions.advance(actor, product)
    if needs_review and actor.realm == "merchant":
        send_back(product)
    if listing.refresh(product.id):
        events.publish(ProductChanged(product.id))


def add_tag(
    actor: Actor, product_id: int, *, family: str, name: str, evidence: str = "-", valid_until_on: date | None = None,
    source: str = "",
) -> Tag:  # fmt: skip
    """Put a tag on a product; all families but marketing need evidence, and a merchant's claim needs review.

    Raises Invalid(`tag.*`), Conflict(`tag.taken`).
    """
    product = _product(actor, product_id)
    label, proof = clean(name), clean(evidence)[:120] or "-"
    if family not in FAMILIES:
        raise Invalid("tag.family", "请选择标签类别", field="family")
    if not 1 <= len(label) <= 24:
        raise Invalid("tag.name", "标签须为 1–24 个字", field="tag_name")
    if family == "compliance" and proof == "-":
        raise Invalid("tag.evidence", "合规标签须填写依据（证书编号）", field="evidence")
    if valid_until_on is not None and valid_until_on < clock.business_date():
        raise Invalid("tag.expired", "有效期已过", field="valid_until_on")
    origin = source or {"merchant": "merchant", "operator": "operator"}.get(actor.realm, "rule")
    tag = Tag(
        id=new_id(), product_id=product.id, family=family, name=label, source=origin, evidence=proof,
        valid_until_on=valid_until_on,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(tag)
            session.flush()  # (product, name) is unique
    except UniqueViolation:
        raise Conflict("tag.taken", f"已有标签“{label}”", field="tag_name") from None
    _changed(actor, product, needs_review=family != "marketing")
    audit.record(actor, "product.tagged", "product", product.id, detail={"family": family, "name": label})
    return tag


def remove_tag(actor: Actor, product_id: int, tag_id: int) -> None:
    """Take a tag off; a merchant cannot take off what the operator put. Raises NotFound, Conflict(`tag.operator`)."""
    product, tag = _product(actor, product_id), session.get(Tag, tag_id)
    if tag is None or tag.product_id != product.id:
        raise NotFound("tag.missing", "标签不存在")
    if tag.source == "operator" and actor.realm == "merchant":
        raise Conflict("tag.operator", "平台添加的标签不能自行移除")
    session.delete(tag)
    _changed(actor, product, needs_review=False)
    audit.record(actor, "product.untagged", "product", product.id, detail={"name": tag.name})


def add_document(
    actor: Actor, product_id: int, *, kind: str, number: str, issuer: str = "-", file_key: str = "-",
    valid_until_on: date | None = None,
) -> Document:  # fmt: skip
    """Add a document; a merchant's document on an approved product needs review. Raises Invalid(`document.*`)."""
    product = _product(actor, product_id)
    text = clean(number)
    if kind not in gate.DOCUMENT_NAMES:
        raise Invalid("document.kind", "请选择资料类型", field="kind")
    if not 2 <= len(text) <= 60:
        raise Invalid("document.number", "编号须为 2–60 个字符", field="number")
    if valid_until_on is not None and valid_until_on < clock.business_date():
        raise Invalid("document.expired", "有效期已过，请上传有效的资料", field="valid_until_on")
    document = Document(
        id=new_id(), product_id=product.id, kind=kind, number=text, issuer=clean(issuer)[:80] or "-", file_key=file_key,
        valid_until_on=valid_until_on, created_at=clock.now(),
    )  # fmt: skip
    session.add(document)
    _changed(actor, product, needs_review=True)
    audit.record(actor, "product.document_added", "product", product.id, detail={"kind": kind, "number": text})
    return document


def remove_document(actor: Actor, product_id: int, document_id: int) -> None:
    """Remove a document. Raises NotFound(`document.missing`)."""
    product, document = _product(actor, product_id), session.get(Document, document_id)
    if document is None or document.product_id != product.id:
        raise NotFound("document.missing", "资料不存在")
    session.delete(document)
    _changed(actor, product, needs_review=True)
    audit.record(actor, "product.document_removed", "product", product.id, detail={"number": document.number})


def expire_qualifications() -> int:
    """Take products off the shelf whose compliance tag or document expired; returns how many, at most a batch.

    A document counts as expired when no other of its kind on the product is valid. Idempotent.
    """
    today, other = clock.business_date(), aliased(Document)
    renewed = exists().where(
        other.product_id == Document.product_id, other.kind == Document.kind,
        (other.valid_until_on >= today) | other.valid_until_on.is_(None),
    )  # fmt: skip
    expired_documents = (
        select(Product.id)
        .join(Document, Document.product_id == Product.id)
        .where(Product.shelf == "on", Document.valid_until_on < today, ~renewed)
    )
    expired_tags = (
        select(Product.id)
        .join(Tag, Tag.product_id == Product.id)
        .where(Product.shelf == "on", Tag.family == "compliance", Tag.valid_until_on < today)
    )
    found = {*session.scalars(expired_documents.limit(EXPIRE_BATCH)), *session.scalars(expired_tags.limit(EXPIRE_BATCH))}
    for product_id in sorted(found):
        if cas.change(Product, product_id, where={"shelf": "on"}, values={"shelf": "off"}):
            audit.record(SYSTEM, "product.expired", "product", product_id, detail={"on": today.isoformat()})
            listing.refresh(product_id)
    return len(found)

