"""What a visitor asks for, as it stands in the URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from app.core.text import clean

SORTS = {"": "综合", "sold": "销量", "price": "价格从低到高", "price-desc": "价格从高到低"}
PRICE_BANDS = ((0, 3_000), (3_000, 6_000), (6_000, 10_000), (10_000, 20_000), (20_000, 0))
MAX_PAGE = 20
MAX_QUERY = 60
_BAND = re.compile(r"^(\d{1,9})-(\d{0,9})$")


@dataclass(frozen=True)
class Criteria:
    """Text, filters, order and page; prices in fen, price_to 0 = no upper bound."""

    q: str = ""
    category_id: int = 0
    area: str = ""
    tag: str = ""
    options: tuple[str, ...] = ()
    price_from: int = 0
    price_to: int = 0
    merchant_id: int = 0
    sort: str = ""
    page: int = 1

    @property
    def has_filters(self) -> bool:
        """Tell whether anything beside the text narrows the result."""
        return bool(self.category_id or self.area or self.tag or self.options or self.price_from or self.price_to)

    @property
    def price(self) -> str:
        """Return the price band as it stands in the URL."""
        return f"{self.price_from}-{self.price_to or ''}" if self.price_from or self.price_to else ""

    def url(self, **changes: Any) -> str:
        """Return the address of this search with some values changed; goes back to page 1 unless told."""
        other = replace(self, **{"page": 1, **changes})
        fields: list[tuple[str, Any]] = [
            ("q", other.q), ("category", other.category_id), ("area", other.area), ("tag", other.tag),
            *(("option", o) for o in other.options), ("price", other.price), ("shop", other.merchant_id),
            ("sort", other.sort), ("page", other.page if other.page > 1 else 0),
        ]  # fmt: skip
        pairs = [(name, value) for name, value in fields if value]
        return "/search" + (f"?{urlencode(pairs)}" if pairs else "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def parse(args: Mapping[str, str], options: list[str]) -> Criteria:
    """Read the query string; what makes no sense is ignored, so that an old link still opens."""
    band = _BAND.match(args.get("price", ""))
    sort = args.get("sort", "")
    return Criteria(
        q=clean(args.get("q", "")).replace("\n", " ")[:MAX_QUERY],
        category_id=_number(args.get("category", "")),
        area=args.get("area", "")[:16],
        tag=args.get("tag", "")[:24],
        options=tuple(dict.fromkeys(o[:120] for o in options if ":" in o))[:6],
        price_from=int(band[1]) if band else 0,
        price_to=_number(band[2]) if band else 0,
        merchant_id=_number(args.get("shop", "")),
        sort=sort if sort in SORTS else "",
        page=min(max(_number(args.get("page", "1")), 1), MAX_PAGE),
    )
