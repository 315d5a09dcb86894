"""The demo writes its products in bulk: row for row what the verbs leave."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import AuditEvent
from app.catalog import service as catalog
from app.catalog.models import AttributeValue, Category, Document, PriceHistory, Product, ProductVersion, Sku, Tag
from app.core import cache_reset, clock
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.errors import Invalid
from app.core.jobs import Job
from app.core.tx import transaction
from app.demo.goods import Batch, Extra
from app.inventory import service as inventory
from app.inventory.models import Movement, Stock
from app.merchants.models import Merchant

OWN = {"id", "product_id", "sku_id", "code", "external_code", "stock_id", "cause_id", "at", "created_at", "updated_at", "submitted_at"}
UNTIL = clock.business_date() + timedelta(days=30)
TAGS = (("region", "青禾特产", "E-1"), ("welfare", "助农", "E-2"))


def form(shop: SimpleNamespace, code: str) -> catalog.ProductInput:
    return catalog.ProductInput(
        category_id=shop.category.id, title="青禾脐橙 一级", option_names=("规格",), unit="箱", image_key="aa/bb.svg", gallery=("aa/bb.svg",),
        skus=[catalog.SkuInput(("5 斤",), 3_900, weight_g=2_500, safety_stock=8), catalog.SkuInput(("9 斤",), 6_900)],
        subtitle="产地直发", attributes={"origin": "青禾县"}, external_code=code, blocks=({"kind": "heading", "text": "脐橙"},),
    )  # fmt: skip


@pytest.fixture
def described(shop: SimpleNamespace) -> SimpleNamespace:
    """The shop with an attribute on its category."""
    with transaction():
        catalog.create_attribute(SYSTEM, shop.category.id, code="origin", name="产地", kind="text", is_facet=True, is_required=True)
    cache_reset.reset_all()
    return shop


def by_verbs(shop: SimpleNamespace) -> int:
    with transaction():
        product = catalog.create_product(SYSTEM, form(shop, "V-1"), merchant_id=shop.merchant.id)
        session.flush()
        catalog.add_document(SYSTEM, product.id, kind="inspection", number="N-1", issuer="检测中心", valid_until_on=UNTIL)
        for family, name, evidence in TAGS:
            catalog.add_tag(SYSTEM, product.id, family=family, name=name, evidence=evidence)
        catalog.submit(SYSTEM, product.id)
        catalog.approve(SYSTEM, product.id)
        catalog.put_on_shelf(SYSTEM, product.id)
        session.get_one(Product, product.id).sold_count = 7
        skus = session.scalars(select(Sku.id).where(Sku.product_id == product.id).order_by(Sku.sort)).all()
        inventory.receive_declared(shop.merchant.id, skus, [20, 30], 1)
    return product.id


def in_bulk(shop: SimpleNamespace, *, offered: bool = True) -> int:
    with transaction():
        batch = Batch(shop.merchant.id, shop.merchant.area_code)
        extra = Extra([("inspection", "N-1", "检测中心", UNTIL)], TAGS, [20, 30], 7, offered)
        product_id = batch.add(form(shop, "B-1"), extra)
        batch.write()
    return product_id


def rows_of(model: type[Any], *where: Any) -> list[dict[str, Any]]:
    found = session.scalars(select(model).where(*where).order_by(model.id))
    return [{c.key: getattr(row, c.key) for c in model.__mapper__.column_attrs if c.key not in OWN} for row in found]


def left_behind(product_id: int) -> dict[str, Any]:
    """Return everything a product left in the database, without its own ids and times."""
    session.expire_all()
    skus = session.scalars(select(Sku.id).where(Sku.product_id == product_id)).all()
    stocks = session.scalars(select(Stock.id).where(Stock.sku_id.in_(skus))).all()
    left = {m.__name__: rows_of(m, m.product_id == product_id) for m in (Sku, AttributeValue, Document, Tag, ProductVersion)}
    left |= {"prices": rows_of(PriceHistory, PriceHistory.sku_id.in_(skus)), "stock": rows_of(Stock, Stock.id.in_(stocks))}
    left |= {"product": rows_of(Product, Product.id == product_id), "moves": rows_of(Movement, Movement.stock_id.in_(stocks))}
    for version in left["ProductVersion"]:
        version["approved_at"] = version["approved_at"] is not None
        for sku in version["snapshot"]["skus"]:
            del sku["id"]
    events = select(AuditEvent).where(AuditEvent.object_type == "product", AuditEvent.object_id == str(product_id)).order_by(AuditEvent.id)
    left["audit"] = [(e.action, e.actor_name, e.payload.split('"detail":')[1].split("}")[0]) for e in session.scalars(events)]
    jobs = session.execute(select(Job.name, Job.payload).order_by(Job.name))
    left["jobs"] = [name for name, payload in jobs if name.endswith("on_product_listed") and payload == {"product_id": product_id}]
    return left


def counts(shop: SimpleNamespace) -> tuple[int, int]:
    session.expire_all()
    return session.get_one(Category, shop.category.id).product_count, session.get_one(Merchant, shop.merchant.id).product_count


def test_bulk_products_leave_what_the_verbs_leave(described: SimpleNamespace) -> None:
    expected, one = left_behind(by_verbs(described)), counts(described)
    found, two = left_behind(in_bulk(described)), counts(described)
    assert one == (1, 1)
    assert two == (2, 2)
    assert expected["jobs"]
    assert len(expected["ProductVersion"]) == 4
    for what, rows in expected.items():
        assert found[what] == rows, what


def test_a_product_that_waits_for_review_is_not_listed(described: SimpleNamespace) -> None:
    product = session.get_one(Product, in_bulk(described, offered=False))
    assert (product.review, product.shelf, product.is_listed) == ("pending", "off", 0)
    assert counts(described) == (0, 0)


def test_what_the_publish_gate_refuses_is_not_written(described: SimpleNamespace) -> None:
    batch = Batch(described.merchant.id, described.merchant.area_code)
    expired = [("inspection", "N-1", "检测中心", clock.business_date() - timedelta(days=1))]
    with pytest.raises(Invalid, match="已过期"):
        batch.add(form(described, "B-2"), Extra(expired, (), [1, 1], 0, is_offered=True))
