"""Creating and editing products (M05 M06 M10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import delete

from app.audit import service as audit
from app.catalog import queries
from app.catalog.events import ProductChanged
from app.catalog.models import AttributeValue, Product
from app.catalog.service import listing, skus, versions
from app.catalog.service.inputs import ProductInput, checked
from app.core import clock, events
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.merchants import queries as merchants
from dbadapters.errors import UniqueViolation

CONTENT = (
    "title",
    "subtitle",
    "category_id",
    "unit",
    "image_key",
    "gallery",
    "blocks",
    "attributes",
    "cold_chain",
    "option_names",
)


def create_product(actor: Actor, data: ProductInput, *, merchant_id: int = 0) -> Product:
    """Create a draft of the actor's shop (merchant_id is for the system only) with version 1.

    Raises Invalid naming the field, Conflict(`product.code_taken`, `sku.code_taken`).
    """
    actor.require("product.edit")
    owner = merchants.get_for(actor, merchant_id if actor.realm == "system" else actor.merchant_id)
    data, at, product_id = checked(data), clock.now(), new_id()
    prices = [row.price_fen for row in data.skus]
    product = Product(
        id=product_id, merchant_id=owner.id, category_id=data.category_id, external_code=data.external_code or f"-{product_id}",
        title=data.title, subtitle=data.subtitle or None, area_code=owner.area_code, unit=data.unit,
        image_key=data.image_key or "-", gallery=list(data.gallery or ()), blocks=list(data.blocks),
        attributes=data.attributes, option_names=list(data.option_names), tag_names=[], review="draft", shelf="off",
        is_listed=0, cold_chain=data.cold_chain, price_min_fen=min(prices), price_max_fen=max(prices), sold_count=0,
        rating_sum=0, rating_count=0, version=1, created_at=at, updated_at=at,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(product)
            session.flush()  # (merchant, external code) is unique: the field shows it
    except UniqueViolation:
        raise Conflict("product.code_taken", "商品编码已被本店其他商品使用", field="external_code") from None
    skus.save(actor, product, data)
    index_attributes(product)
    versions.record(actor, product)
    audit.record(actor, "product.created", "product", product_id, detail={"title": product.title})
    return product


def edit_product(actor: Actor, product_id: int, data: ProductInput) -> Product:
    """Change a product; every change is a new version.

    New prices alone stay approved and keep a history line; any other change of an approved product sends it back
    to `pending` and off the shelf. Raises Conflict(`product.changed`) when someone was faster, Invalid, NotFound.
    """
    actor.require("product.edit")
    product = queries.get_for(actor, product_id)
    if data.version and data.version != product.version:
        raise Conflict("product.changed", "商品已被他人修改，请刷新后重新编辑")
    data = checked(data)
    content = _write(product, data)
    grid, priced = skus.save(actor, product, data)
    if not (content or grid or priced):
        return product
    if content:
        index_attributes(product)
    versions.advance(actor, product)
    if content or grid:
        send_back(product)
    detail = {"version": product.version, "price": priced, "content": content or grid}
    audit.record(actor, "product.edited", "product", product_id, detail=detail)
    if not listing.refresh(product_id):
        return product
    events.publish(ProductChanged(product_id))
    return product


def _write(product: Product, data: ProductInput) -> bool:
    values: dict[str, Any] = {
        "title": data.title, "subtitle": data.subtitle or None, "category_id": data.category_id, "unit": data.unit,
        "blocks": list(data.blocks), "attributes": data.attributes, "cold_chain": data.cold_chain,
        "option_names": list(data.option_names),
    }  # fmt: skip
    if data.image_key is not None:
        values["image_key"] = data.image_key
    if data.gallery is not None:
        values["gallery"] = list(data.gallery)
    changed = any(getattr(product, name) != value for name, value in values.items())
    for name, value in values.items():
        setattr(product, name, value)
    if data.external_code:
        product.external_code = data.external_code
    try:
        with session.begin_nested():
            session.flush()  # (merchant, external code) is unique: the field shows it
    except UniqueViolation:
        raise Conflict("product.code_taken", "商品编码已被本店其他商品使用", field="external_code") from None
    return changed


def send_back(product: Product) -> None:
    """Put an approved product into the review queue and off the shelf (a ban stays)."""
    if product.review == "approved":
        product.review, product.submitted_at = "pending", clock.now()
        if product.shelf == "on":
            product.shelf = "off"


def index_attributes(product: Product) -> None:
    """Rewrite the narrow search rows of a product's attributes."""
    session.execute(delete(AttributeValue).where(AttributeValue.product_id == product.id))
    for attribute in queries.attributes_of(product.category_id):
        value = product.attributes.get(attribute.code)
        if value:
            number = int(Decimal(value) * 1_000) if attribute.kind == "number" else 0
            session.add(
                AttributeValue(
                    id=new_id(), product_id=product.id, attribute_id=attribute.id, value_text=str(value)[:120],
                    value_num=number,
                )
            )  # fmt: skip
