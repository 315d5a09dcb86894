"""Tables of catalog."""

import sqlalchemy as sa

from app.migrations.guarded import create_index, create_table
from dbadapters import types

revision = "0005_catalog"
down_revision = "0004_merchants"


def upgrade() -> None:
    """Tables of catalog."""
    create_table(
        "catalog_attribute",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("code", types.Str(length=32), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("kind", types.Str(length=16), nullable=False),
        sa.Column("unit", types.Str(length=16), nullable=False),
        sa.Column("options", types.PortableJSON(), nullable=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.Column("is_variant", sa.Boolean(), nullable=False),
        sa.Column("is_facet", sa.Boolean(), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_attribute"),
        sa.UniqueConstraint("category_id", "code", name="uq_catalog_attribute__category_id_code"),
    )
    create_table(
        "catalog_attribute_value",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("attribute_id", sa.BigInteger(), nullable=False),
        sa.Column("value_text", types.Str(length=120), nullable=False),
        sa.Column("value_num", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_attribute_value"),
    )
    create_table(
        "catalog_category",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", types.Str(length=32), nullable=False),
        sa.Column("name", types.Str(length=40), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("icon", types.Str(length=40), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.Column("document_required", types.Str(length=20), nullable=False),
        sa.Column("product_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_category"),
        sa.UniqueConstraint("code", name="uq_catalog_category__code"),
    )
    create_table(
        "catalog_document",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", types.Str(length=20), nullable=False),
        sa.Column("number", types.Str(length=60), nullable=False),
        sa.Column("issuer", types.Str(length=80), nullable=False),
        sa.Column("file_key", types.Str(length=80), nullable=False),
        sa.Column("valid_until_on", sa.Date(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_document"),
    )
    create_table(
        "catalog_import_run",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("file_name", types.Str(length=120), nullable=False),
        sa.Column("file_key", types.Str(length=80), nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), nullable=False),
        sa.Column("status", types.Str(length=16), nullable=False),
        sa.Column("total_rows", sa.Integer(), nullable=False),
        sa.Column("done_rows", sa.Integer(), nullable=False),
        sa.Column("good_rows", sa.Integer(), nullable=False),
        sa.Column("bad_rows", sa.Integer(), nullable=False),
        sa.Column("created_count", sa.Integer(), nullable=False),
        sa.Column("updated_count", sa.Integer(), nullable=False),
        sa.Column("unchanged_count", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("result_key", types.Str(length=80), nullable=False),
        sa.Column("error", types.LongText(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_import_run"),
    )
    create_table(
        "catalog_price_history",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sku_id", sa.BigInteger(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_price_history"),
    )
    create_table(
        "catalog_product",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("external_code", types.Str(length=64), nullable=False),
        sa.Column("title", types.Str(length=80), nullable=False),
        sa.Column("subtitle", types.Str(length=120), nullable=True),
        sa.Column("area_code", types.Str(length=16), nullable=False),
        sa.Column("unit", types.Str(length=16), nullable=False),
        sa.Column("image_key", types.Str(length=80), nullable=False),
        sa.Column("gallery", types.PortableJSON(), nullable=False),
        sa.Column("blocks", types.PortableJSON(), nullable=False),
        sa.Column("attributes", types.PortableJSON(), nullable=False),
        sa.Column("option_names", types.PortableJSON(), nullable=False),
        sa.Column("tag_names", types.PortableJSON(), nullable=False),
        sa.Column("review", types.Str(length=16), nullable=False),
        sa.Column("shelf", types.Str(length=16), nullable=False),
        sa.Column("is_listed", sa.Integer(), nullable=False),
        sa.Column("cold_chain", types.Str(length=16), nullable=False),
        sa.Column("price_min_fen", sa.BigInteger(), nullable=False),
        sa.Column("price_max_fen", sa.BigInteger(), nullable=False),
        sa.Column("sold_count", sa.Integer(), nullable=False),
        sa.Column("rating_sum", sa.Integer(), nullable=False),
        sa.Column("rating_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reject_reason", types.Str(length=300), nullable=True),
        sa.Column("submitted_at", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("updated_at", types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("price_min_fen >= 0 AND price_max_fen >= price_min_fen", name="ck_catalog_product__price"),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_product"),
        sa.UniqueConstraint("merchant_id", "external_code", name="uq_catalog_product__merchant_id_external_code"),
    )
    create_table(
        "catalog_product_version",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("snapshot", types.PortableJSON(), nullable=False),
        sa.Column("changed_by", sa.BigInteger(), nullable=False),
        sa.Column("at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_product_version"),
        sa.UniqueConstraint("product_id", "version", name="uq_catalog_product_version__product_id_version"),
    )
    create_table(
        "catalog_sku",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("code", types.Str(length=64), nullable=False),
        sa.Column("option_key", types.Str(length=120), nullable=False),
        sa.Column("options", types.PortableJSON(), nullable=False),
        sa.Column("price_fen", sa.BigInteger(), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("weight_g", sa.Integer(), nullable=False),
        sa.Column("barcode", types.Str(length=32), nullable=False),
        sa.Column("safety_stock", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("sort", sa.Integer(), nullable=False),
        sa.CheckConstraint("price_fen > 0 AND cost_fen >= 0 AND weight_g >= 0", name="ck_catalog_sku__amounts"),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_sku"),
        sa.UniqueConstraint("merchant_id", "code", name="uq_catalog_sku__merchant_id_code"),
        sa.UniqueConstraint("product_id", "option_key", name="uq_catalog_sku__product_id_option_key"),
    )
    create_table(
        "catalog_tag",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("family", types.Str(length=16), nullable=False),
        sa.Column("name", types.Str(length=24), nullable=False),
        sa.Column("source", types.Str(length=16), nullable=False),
        sa.Column("evidence", types.Str(length=120), nullable=False),
        sa.Column("valid_until_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_tag"),
        sa.UniqueConstraint("product_id", "name", name="uq_catalog_tag__product_id_name"),
    )
    create_index("ix_catalog_attribute_value__find", "catalog_attribute_value", ["attribute_id", "value_text", "product_id"])
    create_index("ix_catalog_attribute_value__product_id", "catalog_attribute_value", ["product_id"])
    create_index("ix_catalog_category__parent", "catalog_category", ["parent_id", "sort"])
    create_index("ix_catalog_document__product_id", "catalog_document", ["product_id"])
    create_index("ix_catalog_import_run__merchant_id", "catalog_import_run", ["merchant_id"])
    create_index("ix_catalog_price_history__sku", "catalog_price_history", ["sku_id", "at"])
    create_index("ix_catalog_product__category", "catalog_product", ["category_id", "is_listed", "sold_count", "id"])
    create_index("ix_catalog_product__listed", "catalog_product", ["is_listed", "sold_count", "id"])
    create_index("ix_catalog_product__review", "catalog_product", ["review", "submitted_at", "id"])
    create_index("ix_catalog_product__shop", "catalog_product", ["merchant_id", "is_listed", "id"])
