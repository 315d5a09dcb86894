"""Values the quote takes and gives; amounts in fen, rates in basis points, all immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.core import clock
from app.delivery.freight import Plan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ITEM, SHOP, SHOP_COUPON, PLATFORM, POINTS, FREIGHT = 1, 2, 3, 4, 5, 6
ITEM_KINDS = frozenset({"timed", "member_day", "scan"})


@dataclass(frozen=True, slots=True)
class Line:
    """A variant with its current price and quantity, and what scopes look at.

    floor_fen: the least the whole line may cost. category_ids: its category and those above.
    """

    sku_id: int
    merchant_id: int
    unit_price_fen: int
    quantity: int
    weight_g: int = 0
    product_id: int = 0
    category_ids: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    area_code: str = "-"
    floor_fen: int = 0


@dataclass(frozen=True, slots=True)
class MerchantRule:
    """Freight of a merchant: freight_fen per order, free from free_over_fen of goods on (0 = never free).

    plan: what its templates say of the destination; with it the flat amounts do not count.
    """

    freight_fen: int
    free_over_fen: int
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which lines a rule covers; every non-empty condition must hold. merchant_id 0 = every shop; areas: where goods come from."""

    merchant_id: int = 0
    categories: frozenset[int] = frozenset()
    products: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()

    def covers(self, line: Line) -> bool:
        """Tell whether a line is in scope."""
        if self.merchant_id and line.merchant_id != self.merchant_id:
            return False
        if self.products and line.product_id not in self.products:
            return False
        if self.categories and self.categories.isdisjoint(line.category_ids):
            return False
        if self.areas and line.area_code not in self.areas:
            return False
        return not self.tags or not self.tags.isdisjoint(line.tags)


@dataclass(frozen=True, slots=True)
class Funding:
    """Who bears a discount, in basis points that sum to 10,000; programme names the government programme."""

    merchant_bps: int = 10_000
    platform_bps: int = 0
    programme_bps: int = 0
    programme: str = "-"


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a promotion or coupon.

    tiers: (threshold, amount off), rising; rate_bps: what is paid, 8,000 = 8 折, 0 = not a percentage; min_fen and
    max_off_fen bound a percentage. month_days: calendar days in Asia/Shanghai, () = every day. exclusive: takes only lines
    no other rule of the layers above the item price has taken, and closes them for later ones.
    """

    id: int
    version: int
    kind: str
    owner: str
    title: str
    starts_at: datetime
    ends_at: datetime
    scope: Scope = Scope()
    tiers: tuple[tuple[int, int], ...] = ()
    rate_bps: int = 0
    min_fen: int = 0
    max_off_fen: int = 0
    month_days: tuple[int, ...] = ()
    channels: frozenset[str] = frozenset()
    priority: int = 0
    exclusive: bool = False
    funding: Funding = Funding()
    is_limited: bool = False

    @property
    def layer(self) -> int:
        """Return the layer the rule works in (commerce.md §2.4)."""
        if self.kind in ITEM_KINDS:
            return ITEM
        if self.kind == "freight":
            return FREIGHT
        if self.owner == "merchant":
            return SHOP_COUPON if self.kind == "coupon" else SHOP
        return PLATFORM

    def runs_at(self, at: datetime) -> bool:
        """Tell whether the rule is in force at an instant: [starts, ends), and on its calendar days."""
        if not self.starts_at <= at < self.ends_at:
            return False
        return not self.month_days or clock.business_date(at).day in self.month_days


@dataclass(frozen=True, slots=True)
class HeldCoupon:
    """A coupon a buyer holds; rule is the version it was issued under."""

    id: int
    rule: Rule
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """What a limited rule still has for this buyer: uses, and fen of its budget."""

    uses: int
    fen: int


@dataclass(frozen=True)
class QuoteContext:
    """What prices depend on besides the lines.

    chosen: ids of the coupons to use, None = the best ones; rooms: of limited rules, one that is absent has none left;
    points_fen: worth of the points the buyer spends. scanned_merchant_id: the shop whose code the buyer scanned.
    """

    merchants: Mapping[int, MerchantRule]
    at: datetime = EPOCH
    rules: tuple[Rule, ...] = ()
    wallet: tuple[HeldCoupon, ...] = ()
    chosen: frozenset[int] | None = None
    rooms: Mapping[int, Room] = field(default_factory=dict)
    is_first_order: bool = False
    scanned_merchant_id: int = 0
    channel: str = "web"
    points_fen: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an adjustment that falls on one line (sku_id 0: on the freight of a merchant), by who bears it."""

    merchant_id: int
    sku_id: int
    fen: int
    merchant_fen: int
    platform_fen: int
    programme_fen: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What one rule (or coupon, or the points) takes off; shares in SKU order, freight last."""

    layer: int
    kind: str
    rule_id: int
    version: int
    coupon_id: int
    title: str
    programme: str
    shares: tuple[Share, ...]

    @property
    def fen(self) -> int:
        """Return the whole amount."""
        return sum(share.fen for share in self.shares)


@dataclass(frozen=True, slots=True)
class LinePrice:
    """A line's price: list_fen at the current price, unit_fen after the item layer, paid_fen after all."""

    sku_id: int
    merchant_id: int
    list_fen: int
    unit_fen: int
    paid_fen: int


@dataclass(frozen=True, slots=True)
class OrderQuote:
    """One merchant's part, in fen: goods_fen is what the buyer pays for goods, discount_fen what was taken off list_fen.

    freight_fen is what the buyer pays, freight_off_fen what freight relief took off.
    """

    merchant_id: int
    list_fen: int
    discount_fen: int
    goods_fen: int
    freight_fen: int
    freight_off_fen: int
    payable_fen: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a coupon of the wallet is worth on these lines: saving_fen when it can be used, else why it cannot."""

    coupon: HeldCoupon
    is_applied: bool
    saving_fen: int
    reason: str


@dataclass(frozen=True)
class Quote:
    """The whole price. lines: in SKU order; quote_hash names exactly this price of exactly these lines.

    refused: (SKU, reason) of lines that cannot be sent to the destination; with any, nothing may be ordered at this price.
    """

    lines: tuple[Line, ...]
    prices: tuple[LinePrice, ...]
    orders: tuple[OrderQuote, ...]
    adjustments: tuple[Adjustment, ...]
    verdicts: tuple[Verdict, ...]
    total_fen: int
    quote_hash: str
    refused: tuple[tuple[int, str], ...] = ()

    def refusal_of(self, sku_id: int) -> str:
        """Return why a line cannot be sent, '' when it can."""
        return next((reason for refused, reason in self.refused if refused == sku_id), "")

    def order_of(self, merchant_id: int) -> OrderQuote:
        """Return a merchant's part. Raises KeyError."""
        for order in self.orders:
            if order.merchant_id == merchant_id:
                return order
        raise KeyError(merchant_id)

    def price_of(self, sku_id: int) -> LinePrice:
        """Return a line's price. Raises KeyError."""
        for price in self.prices:
            if price.sku_id == sku_id:
                return price
        raise KeyError(sku_id)

    @property
    def discount_fen(self) -> int:
        """Return what all rules together took off goods and freight."""
        return sum(adjustment.fen for adjustment in self.adjustments)

    @property
    def coupon_ids(self) -> tuple[int, ...]:
        """Return the coupons this price uses."""
        return tuple(a.coupon_id for a in self.adjustments if a.coupon_id)

    def off_of(self, merchant_id: int) -> list[tuple[Adjustment, int]]:
        """Return (adjustment, fen) of what falls on a merchant's part, in order of application."""
        found = [(a, sum(s.fen for s in a.shares if s.merchant_id == merchant_id)) for a in self.adjustments]
        return [(a, fen) for a, fen in found if fen]
