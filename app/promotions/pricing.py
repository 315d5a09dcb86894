"""The pure quote (commerce.md §2.4): item price and freight; no I/O, no clock, integers only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A variant with its current price and quantity."""

    sku_id: int
    merchant_id: int
    unit_price_fen: int
    quantity: int
    weight_g: int = 0


@dataclass(frozen=True)
class MerchantRule:
    """Freight of a merchant: freight_fen per order, free from free_over_fen of goods on (0 = never free)."""

    freight_fen: int
    free_over_fen: int


@dataclass(frozen=True)
class QuoteContext:
    """What prices depend on besides the lines."""

    merchants: Mapping[int, MerchantRule]
    area_code: str = "-"


@dataclass(frozen=True)
class OrderQuote:
    """One merchant's part, in fen."""

    merchant_id: int
    goods_fen: int
    freight_fen: int
    payable_fen: int


@dataclass(frozen=True)
class Quote:
    """The whole price. lines: in SKU order; quote_hash names exactly this price of exactly these lines."""

    lines: tuple[Line, ...]
    orders: tuple[OrderQuote, ...]
    total_fen: int
    quote_hash: str

    def order_of(self, merchant_id: int) -> OrderQuote:
        """Return a merchant's part. Raises KeyError."""
        for order in self.orders:
            if order.merchant_id == merchant_id:
                return order
        raise KeyError(merchant_id)


def quote(context: QuoteContext, lines: Sequence[Line]) -> Quote:
    """Price lines; their order does not matter. Raises ValueError for impossible lines, KeyError for an unknown merchant."""
    if any(line.quantity <= 0 or line.unit_price_fen < 0 for line in lines):
        raise ValueError("quantities are positive and prices are not negative")
    ordered = tuple(sorted(lines, key=lambda line: line.sku_id))
    if len({line.sku_id for line in ordered}) != len(ordered):
        raise ValueError("one line per SKU")
    goods: dict[int, int] = {}
    for line in ordered:
        goods[line.merchant_id] = goods.get(line.merchant_id, 0) + line.unit_price_fen * line.quantity
    orders = tuple(_order(merchant_id, goods[merchant_id], context.merchants[merchant_id]) for merchant_id in sorted(goods))
    total = sum(order.payable_fen for order in orders)
    return Quote(ordered, orders, total, _hash(ordered, orders))


def _order(merchant_id: int, goods_fen: int, rule: MerchantRule) -> OrderQuote:
    free = bool(rule.free_over_fen) and goods_fen >= rule.free_over_fen
    freight = 0 if free else rule.freight_fen
    return OrderQuote(merchant_id, goods_fen, freight, goods_fen + freight)


def _hash(lines: Sequence[Line], orders: Sequence[OrderQuote]) -> str:
    facts = {
        "lines": [[str(line.sku_id), line.unit_price_fen, line.quantity] for line in lines],
        "orders": [[str(o.merchant_id), o.goods_fen, o.freight_fen, o.payable_fen] for o in orders],
    }
    text = json.dumps(facts, separators=(",", ":"), sort_keys=True)
    return hashlib.new("sm3", text.encode()).hexdigest()
