"""Categories, attributes, SPU/SKU, tags, documents, versions, price history, import runs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Date, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, LongText, PortableJSON, fen, instant, pk, ref, text_column


class Category(Base):
    """A node of the category tree (two levels); document_required names a document kind the publish gate demands.

    return_exclusion: why its goods are outside the seven days without reason (T34), '-' = they are inside.
    cold_chain is the warmest its goods may travel, is_service says that they are performed, not sent.
    """

    __tablename__ = "catalog_category"
    id: Mapped[int] = pk()
    code: Mapped[str] = text_column(32)
    name: Mapped[str] = text_column(40)
    parent_id: Mapped[int] = ref(default=0)
    icon: Mapped[str] = text_column(40, default="package")
    sort: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    document_required: Mapped[str] = text_column(20, default="-")
    return_exclusion: Mapped[str] = text_column(12, default="-")
    cold_chain: Mapped[str] = text_column(16, default="ambient")
    is_service: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    product_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (UniqueConstraint("code"), Index("ix_catalog_category__parent", "parent_id", "sort"))


class AttributeDef(Base):
    """A typed attribute of a category. kind: text | number | enum | bool | date; options for enum."""

    __tablename__ = "catalog_attribute"
    id: Mapped[int] = pk()
    category_id: Mapped[int] = ref()
    code: Mapped[str] = text_column(32)
    name: Mapped[str] = text_column(40)
    kind: Mapped[str] = text_column(16)
    unit: Mapped[str] = text_column(16, default="-")
    options: Mapped[list[str]] = mapped_column(PortableJSON, nullable=False)
    is_required: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    is_variant: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    is_facet: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    sort: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (UniqueConstraint("category_id", "code"),)


class Product(Base):
    """SPU. review: draft | pending | approved | rejected; shelf: off | on | banned (merchant cannot lift).

    is_listed is 1 when approved, on the shelf and the merchant is active: the one flag storefront reads. Price range
    and sold count are kept for lists. external_code is '-'+id when the merchant gave none.
    """

    __tablename__ = "catalog_product"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref()
    category_id: Mapped[int] = ref()
    external_code: Mapped[str] = text_column(64)
    title: Mapped[str] = text_column(80)
    subtitle: Mapped[str | None] = text_column(120, nullable=True)
    area_code: Mapped[str] = text_column(16)
    unit: Mapped[str] = text_column(16, default="件")
    image_key: Mapped[str] = text_column(80, default="-")
    gallery: Mapped[list[str]] = mapped_column(PortableJSON, nullable=False)
    blocks: Mapped[list[dict[str, Any]]] = mapped_column(PortableJSON, nullable=False)
    attributes: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    option_names: Mapped[list[str]] = mapped_column(PortableJSON, nullable=False)
    tag_names: Mapped[list[str]] = mapped_column(PortableJSON, nullable=False)
    review: Mapped[str] = text_column(16, default="draft")
    shelf: Mapped[str] = text_column(16, default="off")
    is_listed: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    cold_chain: Mapped[str] = text_column(16, default="ambient")
    price_min_fen: Mapped[int] = fen(default=0)
    price_max_fen: Mapped[int] = fen(default=0)
    sold_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    rating_sum: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    rating_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)
    reject_reason: Mapped[str | None] = text_column(300, nullable=True)
    submitted_at: Mapped[datetime | None] = instant(nullable=True)
    created_at: Mapped[datetime] = instant()
    updated_at: Mapped[datetime] = instant()
    __table_args__ = (
        UniqueConstraint("merchant_id", "external_code"),
        Index("ix_catalog_product__category", "category_id", "is_listed", "sold_count", "id"),
        Index("ix_catalog_product__listed", "is_listed", "sold_count", "id"),
        Index("ix_catalog_product__category_price", "category_id", "is_listed", "price_min_fen", "id"),
        Index("ix_catalog_product__category_new", "category_id", "is_listed", "id"),
        Index("ix_catalog_product__shop", "merchant_id", "is_listed", "id"),
        Index("ix_catalog_product__shop_sold", "merchant_id", "is_listed", "sold_count", "id"),
        Index("ix_catalog_product__shop_price", "merchant_id", "is_listed", "price_min_fen", "id"),
        Index("ix_catalog_product__review", "review", "submitted_at", "id"),
        CheckConstraint("price_min_fen >= 0 AND price_max_fen >= price_min_fen", name="price"),
    )


class Sku(Base):
    """A sellable variant. option_key joins the option values with ' / ' and is unique within the SPU ('-' when single)."""

    __tablename__ = "catalog_sku"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref()
    merchant_id: Mapped[int] = ref()
    code: Mapped[str] = text_column(64)
    option_key: Mapped[str] = text_column(120, default="-")
    options: Mapped[dict[str, str]] = mapped_column(PortableJSON, nullable=False)
    price_fen: Mapped[int] = fen()
    cost_fen: Mapped[int] = fen(default=0)
    weight_g: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    barcode: Mapped[str] = text_column(32, default="-")
    safety_stock: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    is_active: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=True)
    sort: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    __table_args__ = (
        UniqueConstraint("product_id", "option_key"),
        UniqueConstraint("merchant_id", "code"),
        CheckConstraint("price_fen > 0 AND cost_fen >= 0 AND weight_g >= 0", name="amounts"),
    )


class AttributeValue(Base):
    """Searchable attribute value of a product (narrow side table; the JSON on Product is for reading)."""

    __tablename__ = "catalog_attribute_value"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref(index=True)
    attribute_id: Mapped[int] = ref()
    value_text: Mapped[str] = text_column(120)
    value_num: Mapped[int] = ref(default=0)
    __table_args__ = (Index("ix_catalog_attribute_value__find", "attribute_id", "value_text", "product_id"),)


class Tag(Base):
    """A tag on a product. family: region | marketing | compliance | welfare; source: merchant | operator | rule."""

    __tablename__ = "catalog_tag"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref()
    family: Mapped[str] = text_column(16)
    name: Mapped[str] = text_column(24)
    source: Mapped[str] = text_column(16)
    evidence: Mapped[str] = text_column(120, default="-")
    valid_until_on: Mapped[date | None] = mapped_column(Date, nullable=True)
    __table_args__ = (UniqueConstraint("product_id", "name"),)


class Document(Base):
    """A document of a product. kind: inspection (检测报告) | production (SC) | ccc | organic | other."""

    __tablename__ = "catalog_document"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref(index=True)
    kind: Mapped[str] = text_column(20)
    number: Mapped[str] = text_column(60)
    issuer: Mapped[str] = text_column(80, default="-")
    file_key: Mapped[str] = text_column(80, default="-")
    valid_until_on: Mapped[date | None] = mapped_column(Date, nullable=True)
    created_at: Mapped[datetime] = instant()


class ProductVersion(Base):
    """Snapshot of what buyers saw, per version; orders name the version. approved_at: when it passed review."""

    __tablename__ = "catalog_product_version"
    id: Mapped[int] = pk()
    product_id: Mapped[int] = ref()
    version: Mapped[int] = mapped_column(Integer, nullable=False)
    snapshot: Mapped[dict[str, Any]] = mapped_column(PortableJSON, nullable=False)
    changed_by: Mapped[int] = ref(default=0)
    at: Mapped[datetime] = instant()
    approved_at: Mapped[datetime | None] = instant(nullable=True)
    __table_args__ = (UniqueConstraint("product_id", "version"),)


class PriceHistory(Base):
    """Every price a SKU had, from an instant on (basis of reference prices, commerce.md §2.22)."""

    __tablename__ = "catalog_price_history"
    id: Mapped[int] = pk()
    sku_id: Mapped[int] = ref()
    price_fen: Mapped[int] = fen()
    changed_by: Mapped[int] = ref(default=0)
    at: Mapped[datetime] = instant()
    __table_args__ = (Index("ix_catalog_price_history__sku", "sku_id", "at"),)


class ImportRun(Base):
    """One spreadsheet import. status: queued | running | done | failed; total, done, good and bad count rows,
    created, updated and unchanged count products; position is the byte up to which the spool is merged.
    """

    __tablename__ = "catalog_import_run"
    id: Mapped[int] = pk()
    merchant_id: Mapped[int] = ref(index=True)
    account_id: Mapped[int] = ref(default=0)
    file_name: Mapped[str] = text_column(120)
    file_key: Mapped[str] = text_column(80)
    is_dry_run: Mapped[bool] = mapped_column(Boolean(create_constraint=False), nullable=False, default=False)
    status: Mapped[str] = text_column(16, default="queued")
    total_rows: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    done_rows: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    good_rows: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    bad_rows: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    created_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    updated_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    unchanged_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    position: Mapped[int] = ref(default=0)
    result_key: Mapped[str] = text_column(80, default="-")
    error: Mapped[str | None] = mapped_column(LongText, nullable=True)
    created_at: Mapped[datetime] = instant()
    finished_at: Mapped[datetime | None] = instant(nullable=True)
