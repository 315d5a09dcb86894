"""Verbs of the catalogue, one file per group."""

from __future__ import annotations

from app.catalog.service.categories import create_attribute, create_category, edit_category, remove_attribute
from app.catalog.service.counters import add_rating, add_sold
from app.catalog.service.facts import (
    FAMILIES,
    add_document,
    add_tag,
    expire_qualifications,
    remove_document,
    remove_tag,
)
from app.catalog.service.inputs import ProductInput, SkuInput
from app.catalog.service.listing import refresh, refresh_merchant
from app.catalog.service.products import create_product, edit_product
from app.catalog.service.review import (
    approve,
    ban,
    lift_ban,
    put_on_shelf,
    reject,
    submit,
    take_off_shelf,
    withdraw,
)

__all__ = [
    "FAMILIES",
    "ProductInput", "SkuInput", "add_document", "add_rating", "add_sold", "add_tag", "approve", "ban", "create_attribute",
    "create_category", "create_product", "edit_category", "edit_product", "expire_qualifications", "lift_ban",
    "put_on_shelf", "refresh", "refresh_merchant", "reject", "remove_attribute", "remove_document", "remove_tag", "submit",
    "take_off_shelf", "withdraw",
]  # fmt: skip
