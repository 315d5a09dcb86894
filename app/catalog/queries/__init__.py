"""Reading the catalogue: what buyers see (`public`), what merchants and operators work on (`desk`), categories."""

from __future__ import annotations

from app.catalog.queries.categories import (
    RETURN_EXCLUSIONS,
    Attribute,
    CategoryView,
    attributes_of,
    category_ids_below,
    exclusion_of,
    find_category,
    get_category,
    list_categories,
)
from app.catalog.queries.desk import (
    ProductRow,
    approved_version,
    counts_for,
    documents_of,
    expiring_documents,
    get_for,
    get_import,
    list_for,
    list_imports,
    price_history,
    product_prices,
    sku_owner,
    skus_of,
    tags_of,
    today,
    versions_of,
)
from app.catalog.queries.prices import PricedSku, cold_classes, fillers, lowest_price, sample_skus
from app.catalog.queries.public import (
    ListedProduct,
    Offer,
    ProductCard,
    ProductDetail,
    cards,
    categories_of,
    get_detail,
    list_listed,
    listed,
    listed_after,
    offers,
)

__all__ = [
    "RETURN_EXCLUSIONS", "Attribute", "CategoryView", "ListedProduct", "Offer", "PricedSku", "ProductCard", "ProductDetail", "ProductRow",
    "approved_version", "attributes_of", "cards", "categories_of", "category_ids_below", "cold_classes", "counts_for", "documents_of",
    "exclusion_of",
    "expiring_documents", "fillers", "find_category", "get_category", "get_detail", "get_for", "get_import", "list_categories", "list_for",
    "list_imports", "list_listed", "listed", "listed_after", "lowest_price", "offers", "price_history",
    "product_prices", "sample_skus", "sku_owner", "skus_of", "tags_of", "today", "versions_of",
]  # fmt: skip
