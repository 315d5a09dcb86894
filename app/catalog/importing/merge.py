"""Brings a chunk of spooled products into the catalogue by bulk statements; idempotent by (merchant, product code).

Only what the file says is touched: variants it does not name stay, blank cells keep what there is, and the stock column is
the opening stock of new variants, so importing a file twice changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm.attributes import set_committed_value

from app.catalog.events import ProductChanged, StockDeclared
from app.catalog.importing.rows import Problem
from app.catalog.models import PriceHistory, Product, Sku
from app.catalog.service import listing, versions
from app.catalog.service.inputs import option_key
from app.core import clock, events
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from dbadapters.portable import bulk_insert

CHUNK = 500
# One object each, so that the bulk insert converts it once; never changed.
_NO_LIST: list[Any] = []
_NO_ATTRIBUTES: dict[str, Any] = {}


@dataclass
class Outcome:
    """What a chunk did: products created, updated, unchanged; rows refused while merging."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


class Merger:
    """Merges products of one merchant inside the caller's transaction; a dry run only counts."""

    def __init__(self, merchant_id: int, area_code: str, account_id: int, *, dry_run: bool = False) -> None:
        self.merchant_id, self.area_code, self.account_id = merchant_id, area_code, account_id
        self.dry_run = dry_run
        self.at: datetime = clock.now()
        self.axes: dict[tuple[str, ...], list[str]] = {}

    def merge(self, groups: list[list[Any]]) -> Outcome:
        """Merge at most CHUNK products ([code, title, category, subtitle, unit, axes, skus])."""
        self.at = clock.now()
        self.outcome = Outcome()
        self.new_products: list[dict[str, Any]] = []
        self.new_skus: list[dict[str, Any]] = []
        self.prices: list[tuple[int, int]] = []
        self.changed: list[tuple[Product, bool, list[Any]]] = []
        self.declared: list[tuple[int, int]] = []
        known, skus = self._known([g[0] for g in groups])
        taken = self._taken_codes(groups)
        for group in groups:
            product = known.get(group[0])
            if product is None:
                self._create(group, taken)
            else:
                self._update(product, skus.get(product.id, {}), group, taken)
        if not self.dry_run:
            self._write()
        return self.outcome

    def _known(self, codes: list[str]) -> tuple[dict[str, Product], dict[int, dict[str, Sku]]]:
        found = session.scalars(
            select(Product).where(Product.merchant_id == self.merchant_id, Product.external_code.in_(codes))
        ).all()
        known, skus = {p.external_code: p for p in found}, {p.id: {} for p in found}
        if skus:
            for sku in session.scalars(select(Sku).where(Sku.product_id.in_(list(skus)))):
                skus[sku.product_id][sku.option_key] = sku
        return known, skus  # type: ignore[return-value]

    def _taken_codes(self, groups: list[list[Any]]) -> dict[str, int]:
        """Return sku code -> product id for the codes the chunk wants."""
        wanted = [row[8] for g in groups for row in g[6] if row[8]]
        taken: dict[str, int] = {}
        for start in range(0, len(wanted), CHUNK):
            rows = session.execute(
                select(Sku.code, Sku.id).where(
                    Sku.merchant_id == self.merchant_id, Sku.code.in_(wanted[start : start + CHUNK])
                )
            )
            taken.update({row[0]: row[1] for row in rows})
        return taken

    def _free(self, row: list[Any], taken: dict[str, int], sku_id: int = 0) -> bool:
        owner = taken.get(row[8], 0) if row[8] else 0
        if owner and owner != sku_id:
            self.outcome.problems.append(Problem(row[0], "规格编码", row[8], "规格编码已被本店其他商品使用"))
            return False
        return True

    def _create(self, group: list[Any], taken: dict[str, int]) -> None:
        code, title, category_id, subtitle, unit, axes, rows = group
        rows = [row for row in rows if self._free(row, taken)]
        if not rows:
            return
        self.outcome.created += 1
        if self.dry_run:
            return
        product_id, prices = new_id(), [row[2] for row in rows]
        self.new_products.append(
            {
                "id": product_id, "merchant_id": self.merchant_id, "category_id": category_id, "external_code": code,
                "title": title, "subtitle": subtitle, "area_code": self.area_code, "unit": unit or "件", "image_key": "-",
                "gallery": _NO_LIST, "blocks": _NO_LIST, "attributes": _NO_ATTRIBUTES,
                "option_names": self.axes.setdefault(tuple(axes), axes), "tag_names": _NO_LIST, "review": "draft",
                "shelf": "off", "is_listed": 0, "cold_chain": "ambient", "price_min_fen": min(prices),
                "price_max_fen": max(prices), "sold_count": 0, "rating_sum": 0, "rating_count": 0, "version": 1,
                "reject_reason": None, "submitted_at": None, "created_at": self.at, "updated_at": self.at,
            }
        )  # fmt: skip
        for place, row in enumerate(rows):
            self._add_sku(product_id, axes, row, place)

    def _add_sku(self, product_id: int, axes: list[str], row: list[Any], place: int) -> None:
        _, values, price, stock, weight, safety, cost, barcode, code = row
        sku_id = new_id()
        self.new_skus.append(
            {
                "id": sku_id, "product_id": product_id, "merchant_id": self.merchant_id, "code": code or f"S{sku_id}",
                "option_key": option_key(values), "options": dict(zip(axes, values, strict=True)), "price_fen": price,
                "cost_fen": cost or 0, "weight_g": weight or 0, "barcode": barcode or "-", "safety_stock": safety or 0,
                "is_active": True, "sort": place,
            }
        )  # fmt: skip
        self.prices.append((sku_id, price))
        self.declared.append((sku_id, max(stock, 0)))

    def _update(
        self, product: Product, skus: dict[str, Sku], group: list[Any], taken: dict[str, int]
    ) -> None:
        _, title, category_id, subtitle, unit, axes, rows = group
        if list(product.option_names) != list(axes):
            reason = f"规格项与已有商品不一致（已有：{'、'.join(product.option_names) or '无规格'}）"
            for row in rows:
                self.outcome.problems.append(Problem(row[0], "规格", " / ".join(row[1]), reason))
            return
        wanted = {"title": title, "category_id": category_id, "subtitle": subtitle, "unit": unit}
        content = {k: v for k, v in wanted.items() if v is not None and getattr(product, k) != v}
        fresh, touched, accepted = [], False, False
        for row in rows:
            sku = skus.get(option_key(row[1]))
            if not self._free(row, taken, sku.id if sku is not None else 0):
                continue
            accepted = True
            if sku is None:
                fresh.append(row)
            else:
                touched = self._update_sku(sku, row) or touched
        if not (content or fresh or touched):
            self.outcome.unchanged += accepted
            return
        self.outcome.updated += 1
        if self.dry_run:
            return
        for name, value in content.items():
            setattr(product, name, value)
        for row in fresh:
            self._add_sku(product.id, axes, row, len(skus) + len(fresh))
        prices = [s.price_fen for s in skus.values() if s.is_active] + [row[2] for row in fresh]
        product.price_min_fen, product.price_max_fen = min(prices), max(prices)
        self.changed.append((product, bool(content or fresh), fresh))

    def _update_sku(self, sku: Sku, row: list[Any]) -> bool:
        _, _, price, _, weight, safety, cost, barcode, code = row
        wanted = {
            "price_fen": price, "weight_g": weight, "safety_stock": safety, "cost_fen": cost, "barcode": barcode,
            "code": code or None, "is_active": True,
        }  # fmt: skip
        changes = {k: v for k, v in wanted.items() if v is not None and getattr(sku, k) != v}
        if changes and not self.dry_run:
            if "price_fen" in changes:
                self.prices.append((sku.id, price))
            for name, value in changes.items():
                setattr(sku, name, value)
        return bool(changes)

    def _write(self) -> None:
        connection = session.connection()
        bulk_insert(connection, Product.__table__, self.new_products)  # type: ignore[arg-type]
        bulk_insert(connection, Sku.__table__, self.new_skus)  # type: ignore[arg-type]
        bulk_insert(
            connection, PriceHistory.__table__,  # type: ignore[arg-type]
            [
                {"id": new_id(), "sku_id": s, "price_fen": p, "changed_by": self.account_id, "at": self.at}
                for s, p in self.prices
            ],
        )  # fmt: skip
        self._write_created_versions()
        if self.changed:
            self._write_changed()
        for start in range(0, len(self.declared), CHUNK):
            part = self.declared[start : start + CHUNK]
            events.publish(StockDeclared(self.merchant_id, [p[0] for p in part], [p[1] for p in part], new_id()))

    def _write_created_versions(self) -> None:
        grouped: dict[int, list[SimpleNamespace]] = {}
        for sku in self.new_skus:
            grouped.setdefault(sku["product_id"], []).append(SimpleNamespace(**sku))
        versions.insert_snapshots(
            self.account_id,
            [
                (p["id"], 1, versions.compose(SimpleNamespace(**p), grouped.get(p["id"], ()), (), ()))
                for p in self.new_products
            ],
        )  # fmt: skip

    def _write_changed(self) -> None:
        """Raise the versions, send changed content of approved products back to review, tell who listens."""
        session.flush()
        table = Product.__table__
        result = session.connection().execute(
            update(table)  # type: ignore[arg-type]
            .where(table.c.id == bindparam("b_id"), table.c.version == bindparam("b_version"))
            .values(version=bindparam("b_next"), updated_at=self.at),
            [{"b_id": p.id, "b_version": p.version, "b_next": p.version + 1} for p, _, _ in self.changed],
        )
        if 0 <= result.rowcount != len(self.changed):
            raise Conflict("product.changed", "导入时有商品被他人修改，将自动重试")
        for product, content, _ in self.changed:
            set_committed_value(product, "version", product.version + 1)
            set_committed_value(product, "updated_at", self.at)
            if content and product.review == "approved":
                product.review, product.submitted_at = "pending", self.at
                product.shelf = "off" if product.shelf == "on" else product.shelf
        versions.record_many(self.account_id, [p for p, _, _ in self.changed])
        for product, content, _ in self.changed:
            if product.is_listed and (not content or listing.refresh(product.id)):
                events.publish(ProductChanged(product.id))
