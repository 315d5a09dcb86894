"""Which orders a price becomes: one for each merchant, delivery mode and temperature (T12; commerce.md §2.5). Pure functions.

The price is made once for a merchant's lines together; nothing is priced again here. Freight, and the relief that was taken off
it, are spread over the parts that travel by largest remainder on their goods, so the parts sum to the quote to the fen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.money import allocate
from app.merchants.queries import DELIVERY_MODES, TRAVELS
from app.promotions.pricing import OrderQuote, Quote

EXPRESS, LOCAL, PICKUP, SERVICE = "express", "local", "pickup", "service"
MODES = {**DELIVERY_MODES, SERVICE: "到店服务"}
TEMPERATURES = {"ambient": "常温", "chilled": "冷藏", "frozen": "冷冻"}
_MODE_ORDER, _COLDNESS = tuple(MODES), tuple(TEMPERATURES)


@dataclass(frozen=True)
class Handling:
    """How a variant is kept and handed over, whatever the buyer chooses."""

    temperature: str = "ambient"
    is_service: bool = False


@dataclass(frozen=True)
class Part:
    """One order to be: lines of one merchant that are handed over in the same way, in fen. freight_fen is net of freight_off_fen."""

    merchant_id: int
    mode: str
    temperature: str
    sku_ids: tuple[int, ...]
    goods_fen: int
    freight_fen: int
    freight_off_fen: int

    @property
    def payable_fen(self) -> int:
        """Return what the buyer pays for this part."""
        return self.goods_fen + self.freight_fen

    @property
    def travels(self) -> bool:
        """Tell whether somebody brings it."""
        return self.mode in TRAVELS


def colder(first: str, second: str) -> str:
    """Return the colder of two temperatures; an unknown word counts as ambient."""
    return max((word if word in TEMPERATURES else "ambient" for word in (first, second)), key=_COLDNESS.index)


def mode_of(handling: Handling, chosen: str) -> str:
    """Return how a line is handed over: services are performed, everything else as the buyer chose."""
    return SERVICE if handling.is_service else chosen


def divide(quote: Quote, handling: Mapping[int, Handling], chosen: Mapping[int, str]) -> list[Part]:
    """Return the orders of a quote, by merchant, mode and temperature in a fixed order.

    handling: by SKU; chosen: the buyer's mode by merchant, `express` where none is named.
    """
    groups: dict[tuple[int, int, int], list[int]] = {}
    for line in quote.lines:
        way = handling[line.sku_id]
        mode = mode_of(way, chosen.get(line.merchant_id, EXPRESS))
        key = (line.merchant_id, _MODE_ORDER.index(mode), _COLDNESS.index(way.temperature))
        groups.setdefault(key, []).append(line.sku_id)
    paid = {price.sku_id: price.paid_fen for price in quote.prices}
    parts: list[Part] = []
    for order in quote.orders:
        mine = [(key, skus) for key, skus in sorted(groups.items()) if key[0] == order.merchant_id]
        goods = [sum(paid[sku_id] for sku_id in skus) for _, skus in mine]
        travels = [_MODE_ORDER[key[1]] in TRAVELS for key, _ in mine]
        freights = spread_freight(order, goods, travels)
        for (key, skus), fen, (freight, off) in zip(mine, goods, freights, strict=True):
            parts.append(Part(order.merchant_id, _MODE_ORDER[key[1]], _COLDNESS[key[2]], tuple(skus), fen, freight - off, off))
    return parts


def spread_freight(order: OrderQuote, goods: Sequence[int], travels: Sequence[bool]) -> list[tuple[int, int]]:
    """Return (freight before relief, relief) of each part of a merchant; both sum to the quote's.

    What does not travel bears freight only when nothing else can.
    """
    weights = [fen if moving else 0 for fen, moving in zip(goods, travels, strict=True)]
    if not any(weights):
        weights = [1 if moving else 0 for moving in travels]
    if not any(weights):
        weights = [1] + [0] * (len(goods) - 1)
    whole = allocate(order.freight_fen + order.freight_off_fen, weights)
    off = allocate(order.freight_off_fen, whole, whole)
    return list(zip(whole, off, strict=True))
