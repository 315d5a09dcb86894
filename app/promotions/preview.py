"""Three sample carts of real goods under a rule before it starts, with what the merchant keeps of them (commerce.md §2.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.catalog import queries as catalog
from app.catalog.queries import PricedSku
from app.merchants import queries as merchants
from app.promotions import pricing, queries
from app.promotions.pricing import HeldCoupon, Line, MerchantRule, QuoteContext, Rule
from app.promotions.spec import RuleSpec

THIN_BPS = 1_000
MAX_UNITS = 99


@dataclass(frozen=True)
class Sample:
    """A cart under the rule. kept_fen: what merchants take for goods; margin_bps of it above the declared cost, None = unknown."""

    name: str
    goods: tuple[tuple[str, int, int], ...]
    list_fen: int
    off_fen: int
    paid_fen: int
    merchant_fen: int
    kept_fen: int
    margin_bps: int | None

    @property
    def warning(self) -> str:
        """Return what is wrong with the margin, '' when nothing is."""
        if self.margin_bps is None:
            return ""
        if self.margin_bps < 0:
            return "亏本：到手金额低于成本"
        return "毛利低于 10%" if self.margin_bps < THIN_BPS else ""


def _line(sku: PricedSku, quantity: int) -> Line:
    return queries.line(
        sku.sku_id, quantity, merchant_id=sku.merchant_id, product_id=sku.product_id, category_id=sku.category_id,
        price_fen=sku.price_fen, area_code=sku.area_code, tags=sku.tags,
    )  # fmt: skip


def samples(spec: RuleSpec) -> list[Sample]:
    """Return a small cart, one that just reaches the first threshold, one that just reaches the last; [] without goods in scope.

    Three queries: the goods, their shops, the categories when they are not cached.
    """
    rule = spec.rule(0, 0)
    covered = [s for s in catalog.sample_skus(spec.merchant_id, spec.products) if rule.scope.covers(_line(s, 1))]
    if not covered:
        return []
    cheap, middle, dear = covered[0], covered[len(covered) // 2], covered[-1]
    need = spec.tiers[0][0] if spec.tiers else spec.min_fen
    top = spec.tiers[-1][0] if spec.tiers else spec.min_fen
    chosen = [
        ("小单", {cheap.sku_id: 1}), ("刚到门槛" if need else "一般", {middle.sku_id: _units(middle, need)}),
        ("大单", {middle.sku_id: 1, dear.sku_id: max(1, _units(dear, max(0, top - middle.price_fen)))}),
    ]  # fmt: skip
    if middle.sku_id == dear.sku_id:
        chosen[2] = ("大单", {dear.sku_id: max(2, _units(dear, top))})
    by_id = {s.sku_id: s for s in covered}
    shops = merchants.shops(sorted({by_id[i].merchant_id for _, cart in chosen for i in cart}))
    freight = {s.id: MerchantRule(s.freight_fen, s.free_over_fen) for s in shops.values()}
    return [_sample(name, rule, [(by_id[i], n) for i, n in cart.items()], freight) for name, cart in chosen]


def _units(sku: PricedSku, need_fen: int) -> int:
    return max(1, min(MAX_UNITS, -(-need_fen // sku.price_fen)))


def _sample(name: str, rule: Rule, goods: list[tuple[PricedSku, int]], freight: dict[int, MerchantRule]) -> Sample:
    at = _moment(rule)
    wallet = (HeldCoupon(1, rule, rule.starts_at, at + timedelta(days=1)),) if rule.kind == "coupon" else ()
    rules = () if wallet else (replace(rule, is_limited=False),)
    shop, channel = goods[0][0].merchant_id, next(iter(rule.channels), "web")
    context = QuoteContext(freight, at, rules, wallet, is_first_order=True, scanned_merchant_id=shop, channel=channel)
    price = pricing.quote(context, [_line(sku, n) for sku, n in goods])
    listed = sum(order.list_fen for order in price.orders)
    by_merchant = sum(s.merchant_fen for a in price.adjustments for s in a.shares)
    cost = sum(sku.cost_fen * n for sku, n in goods) if all(sku.cost_fen for sku, _ in goods) else None
    kept = listed - by_merchant
    margin = None if cost is None else (kept - cost) * 10_000 // max(1, kept)
    lines = tuple((sku.title, n, sku.price_fen) for sku, n in goods)
    return Sample(name, lines, listed, price.discount_fen, price.total_fen, by_merchant, kept, margin)


def _moment(rule: Rule) -> datetime:
    """Return an instant at which the rule runs: its start, or the first of its calendar days after it."""
    at = rule.starts_at
    while rule.month_days and not rule.runs_at(at) and at < rule.ends_at:
        at += timedelta(days=1)
    return at
