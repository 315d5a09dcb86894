"""Demo products written in bulk: the rows and facts the catalogue's verbs leave, in a dozen statements for each shop.

The verbs take seventy milliseconds a product; a first start has 600 of them. What a product must satisfy is still asked of
the catalogue (`checked`, the publish gate); a test holds the rows against those of the verbs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

from sqlalchemy import update

from app.audit import service as audit
from app.catalog import gate, queries
from app.catalog.events import ProductListed
from app.catalog.models import AttributeValue, Category, Document, PriceHistory, Product, Sku, Tag
from app.catalog.service import ProductInput, versions
from app.catalog.service.inputs import checked, option_key
from app.core import clock, events, sql
from app.core.actor import SYSTEM
from app.core.db import session
from app.core.errors import Invalid
from app.core.ids import new_id
from app.inventory import service as inventory
from app.merchants import queries as merchants
from app.merchants import service as merchants_service


@dataclass(frozen=True)
class Extra:
    """What a demo product has beside its form. documents: (kind, number, issuer, until); tags: (family, name, evidence)."""

    documents: Sequence[tuple[str, str, str, date]]
    tags: Sequence[tuple[str, str, str]]
    stock: Sequence[int]
    sold: int
    is_offered: bool


class Batch:
    """The products of one active shop; `add` collects, `write` inserts inside the caller's transaction."""

    def __init__(self, merchant_id: int, area_code: str) -> None:
        self.merchant_id, self.area_code = merchant_id, area_code
        self.standing = merchants.standing(merchant_id)
        self.rows: dict[type[Any], list[dict[str, Any]]] = {
            model: [] for model in (Product, Sku, PriceHistory, AttributeValue, Document, Tag)
        }
        self.snapshots: list[tuple[int, int, dict[str, Any]]] = []
        self.records: list[tuple[str, int, dict[str, Any] | None]] = []
        self.stock: dict[int, int] = {}
        self.offered: dict[int, int] = {}
        self.listed_in: Counter[int] = Counter()

    @property
    def size(self) -> int:
        """Return the number of products."""
        return len(self.rows[Product])

    def add(self, form: ProductInput, extra: Extra) -> int:
        """Collect a product that waits for review, or is approved and on the shelf; returns its id.

        Raises Invalid as the form's check and the publish gate do.
        """
        data, product_id, at = checked(form), new_id(), clock.now()
        prices = [row.price_fen for row in data.skus]
        product = {
            "id": product_id, "merchant_id": self.merchant_id, "category_id": data.category_id,
            "external_code": data.external_code, "title": data.title, "subtitle": data.subtitle or None,
            "area_code": self.area_code, "unit": data.unit, "image_key": data.image_key or "-", "gallery": list(data.gallery or ()),
            "blocks": list(data.blocks), "attributes": data.attributes, "option_names": list(data.option_names),
            "tag_names": [name for _, name, _ in extra.tags], "review": "approved" if extra.is_offered else "pending",
            "shelf": "on" if extra.is_offered else "off", "is_listed": int(extra.is_offered), "cold_chain": data.cold_chain,
            "price_min_fen": min(prices), "price_max_fen": max(prices), "sold_count": extra.sold, "rating_sum": 0,
            "rating_count": 0, "version": 1 + len(extra.documents) + len(extra.tags), "reject_reason": None, "submitted_at": at,
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        self.rows[Product].append(product)
        skus = self._skus(product_id, data, extra.stock)
        self._attributes(product_id, data)
        self._history(SimpleNamespace(**product), skus, extra)
        self.records.append(("product.submitted", product_id, None))
        if extra.is_offered:
            self.records += [("product.approved", product_id, {"version": product["version"]}), ("product.shelf_on", product_id, None)]
            self.offered[product_id] = product["version"]
            self.listed_in[data.category_id] += 1
        return product_id

    def _skus(self, product_id: int, data: ProductInput, stock: Sequence[int]) -> list[Any]:
        made = []
        for place, (row, units) in enumerate(zip(data.skus, stock, strict=True)):
            sku_id = new_id()
            sku = {
                "id": sku_id, "product_id": product_id, "merchant_id": self.merchant_id, "code": row.code or f"S{sku_id}",
                "option_key": option_key(row.options), "options": dict(zip(data.option_names, row.options, strict=True)),
                "price_fen": row.price_fen, "cost_fen": row.cost_fen, "weight_g": row.weight_g, "barcode": row.barcode,
                "safety_stock": row.safety_stock, "is_active": True, "sort": place,
            }  # fmt: skip
            self.rows[Sku].append(sku)
            self.rows[PriceHistory].append(
                {"id": new_id(), "sku_id": sku_id, "price_fen": row.price_fen, "changed_by": SYSTEM.account_id, "at": clock.now()}
            )
            self.stock[sku_id] = units
            made.append(SimpleNamespace(**sku))
        return made

    def _attributes(self, product_id: int, data: ProductInput) -> None:
        self.rows[AttributeValue] += [
            {"id": new_id(), "product_id": product_id, "attribute_id": known.id, "value_text": data.attributes[known.code], "value_num": 0}
            for known in queries.attributes_of(data.category_id)
            if known.code in data.attributes
        ]

    def _history(self, product: Any, skus: list[Any], extra: Extra) -> None:
        """Collect one version for the form and one for each document and tag, as if they had been added one by one."""
        documents = [
            {
                "id": new_id(), "product_id": product.id, "kind": kind, "number": number, "issuer": issuer, "file_key": "-",
                "valid_until_on": until, "created_at": clock.now(),
            }
            for kind, number, issuer, until in extra.documents
        ]  # fmt: skip
        tags = [
            {
                "id": new_id(), "product_id": product.id, "family": family, "name": name, "source": "rule", "evidence": evidence,
                "valid_until_on": None,
            }
            for family, name, evidence in extra.tags
        ]  # fmt: skip
        self.rows[Document] += documents
        self.rows[Tag] += tags
        papers, labels = [SimpleNamespace(**d) for d in documents], [SimpleNamespace(**t) for t in tags]
        steps = [(0, 0), *((n, 0) for n in range(1, len(papers) + 1)), *((len(papers), n) for n in range(1, len(labels) + 1))]
        for version, (some, few) in enumerate(steps, start=1):
            self.snapshots.append((product.id, version, versions.compose(product, skus, papers[:some], labels[:few])))
        lacking = gate.evaluate(product, skus, papers, labels, self.standing)
        if lacking:
            raise Invalid("product.incomplete", "；".join(item.message for item in lacking), items=lacking)
        self.records.append(("product.created", product.id, {"title": product.title}))
        self.records += [("product.document_added", product.id, {"kind": d.kind, "number": d.number}) for d in papers]
        self.records += [("product.tagged", product.id, {"family": t.family, "name": t.name}) for t in labels]

    def write(self) -> None:
        """Insert everything, tell who listens, receive the opening stock (the stock rows come last)."""
        for model, collected in self.rows.items():
            sql.add_all(model, collected)
        for start in range(0, len(self.snapshots), 500):
            versions.insert_snapshots(SYSTEM.account_id, self.snapshots[start : start + 500])
        for action, product_id, detail in self.records:
            audit.record(SYSTEM, action, "product", product_id, detail=detail)
        for category_id, count in sorted(self.listed_in.items()):
            session.execute(
                update(Category).where(Category.id == category_id).values(product_count=Category.product_count + count)
            )
        merchants_service.change_product_count(self.merchant_id, len(self.offered))
        for product_id, version in self.offered.items():
            versions.mark_approved(product_id, version)
            events.publish(ProductListed(product_id))
        inventory.receive_declared(self.merchant_id, list(self.stock), list(self.stock.values()), self.merchant_id)
