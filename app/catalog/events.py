"""What happened in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProductListed:
    """A product became visible to buyers."""

    product_id: int


@dataclass(frozen=True)
class ProductUnlisted:
    """A product is no longer visible to buyers."""

    product_id: int


@dataclass(frozen=True)
class ProductChanged:
    """What buyers see of a listed product changed."""

    product_id: int


@dataclass(frozen=True)
class SkuCreated:
    """A variant exists; it needs a stock row."""

    sku_id: int
    merchant_id: int


@dataclass(frozen=True)
class StockDeclared:
    """A merchant declared the units on hand of many variants at once; the lists run in parallel.

    cause_id is unique per declaration, so receiving it twice changes nothing.
    """

    merchant_id: int
    sku_ids: list[int]
    quantities: list[int]
    cause_id: int
