"""Indexes that let category and shop pages of any size read one page's rows only."""

from app.migrations.guarded import create_index

revision = "0018_listing"
down_revision = "0017_settlement"


def upgrade() -> None:
    """Indexes of the sort orders of lists."""
    create_index("ix_catalog_product__category_price", "catalog_product", ["category_id", "is_listed", "price_min_fen", "id"])
    create_index("ix_catalog_product__category_new", "catalog_product", ["category_id", "is_listed", "id"])
    create_index("ix_catalog_product__shop_sold", "catalog_product", ["merchant_id", "is_listed", "sold_count", "id"])
    create_index("ix_catalog_product__shop_price", "catalog_product", ["merchant_id", "is_listed", "price_min_fen", "id"])
    create_index("ix_orders__account_all", "orders", ["account_id", "id"])
    create_index("ix_orders__merchant_all", "orders", ["merchant_id", "id"])
