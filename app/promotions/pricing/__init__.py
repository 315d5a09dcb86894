"""The pure quote (commerce.md §2.4): one code path for cart preview, checkout, rule preview and tests; integers only.

Promised, and tested as properties: Σ line paid + Σ freight = total; Σ adjustments by funder = discount; no line below its floor
or zero; the order of lines and rules does not matter; an input gives one hash. Not promised: that more units never cost less
in total (a tier that is reached may make them).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from app.promotions.pricing.engine import Run
from app.promotions.pricing.model import (
    FREIGHT,
    ITEM,
    ITEM_KINDS,
    PLATFORM,
    POINTS,
    SHOP,
    SHOP_COUPON,
    Adjustment,
    Funding,
    HeldCoupon,
    Line,
    LinePrice,
    MerchantRule,
    OrderQuote,
    Quote,
    QuoteContext,
    Room,
    Rule,
    Scope,
    Share,
    Verdict,
)
from app.promotions.pricing.spread import reversed_share, spread

__all__ = [
    "FREIGHT", "ITEM", "ITEM_KINDS", "PLATFORM", "POINTS", "SHOP", "SHOP_COUPON", "Adjustment", "Funding", "HeldCoupon", "Line",
    "LinePrice", "MerchantRule", "OrderQuote", "Quote", "QuoteContext", "Room", "Rule", "Scope", "Share", "Verdict", "quote",
    "reversed_share", "spread",
]  # fmt: skip


def quote(context: QuoteContext, lines: Sequence[Line]) -> Quote:
    """Price lines; their order does not matter. Raises ValueError for impossible lines, KeyError for an unknown merchant.

    Without a choice of coupons the cheapest of three ways is taken: the best of each layer; the platform's alone, whose
    threshold the shops' may undercut; none, for a shop's coupon may undercut a rule or the free freight.
    """
    if any(line.quantity <= 0 or line.unit_price_fen < 0 or line.floor_fen < 0 for line in lines):
        raise ValueError("quantities are positive and prices are not negative")
    ordered = tuple(sorted(lines, key=lambda line: line.sku_id))
    if len({line.sku_id for line in ordered}) != len(ordered):
        raise ValueError("one line per SKU")
    run = Run(context, ordered)
    if context.chosen is None and run.uses_coupons:
        run = min(run, Run(context, ordered, (PLATFORM,)), Run(context, ordered, ()), key=lambda found: found.total_fen)
    prices, adjustments = run.prices(), tuple(run.adjustments)
    refused = tuple(run.refused)
    digest = _hash(ordered, prices, run.orders, adjustments, refused)
    return Quote(ordered, prices, run.orders, adjustments, tuple(run.verdicts), run.total_fen, digest, refused)


def _hash(
    lines: Sequence[Line], prices: Sequence[LinePrice], orders: Sequence[OrderQuote], adjustments: Sequence[Adjustment],
    refused: Sequence[tuple[int, str]],
) -> str:  # fmt: skip
    facts: dict[str, list[list[Any]]] = {
        "lines": [
            [str(line.sku_id), line.unit_price_fen, line.quantity, price.paid_fen]
            for line, price in zip(lines, prices, strict=True)
        ],
        "orders": [[str(o.merchant_id), o.goods_fen, o.freight_fen, o.payable_fen] for o in orders],
        "rules": [[str(a.rule_id), a.version, str(a.coupon_id), a.fen] for a in adjustments],
    }
    if refused:
        facts["refused"] = [[str(sku_id), reason] for sku_id, reason in refused]
    text = json.dumps(facts, separators=(",", ":"), sort_keys=True)
    return hashlib.new("sm3", text.encode()).hexdigest()
