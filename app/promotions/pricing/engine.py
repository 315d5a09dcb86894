"""The layers of the quote, in their order: ① item price ② shop ③ shop coupon ④ platform ⑤ points ⑥ freight (commerce.md §2.4).

No I/O and no clock: everything comes in with the context. Nothing is caught here, so a step that fails fails the quote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.core.money import percent_of
from app.delivery.freight import Plan, charge
from app.promotions.pricing.model import (
    FREIGHT,
    ITEM,
    PLATFORM,
    POINTS,
    SHOP,
    SHOP_COUPON,
    Adjustment,
    Funding,
    HeldCoupon,
    Line,
    LinePrice,
    OrderQuote,
    QuoteContext,
    Rule,
    Share,
    Verdict,
)
from app.promotions.pricing.spread import spread

PLATFORM_FUNDED = Funding(0, 10_000)


def _rank(rule: Rule) -> tuple[int, int, int]:
    return (-rule.priority, rule.id, rule.version)


class Run:
    """One pass through the layers over lines in SKU order; state is per line, by index."""

    def __init__(self, context: QuoteContext, lines: Sequence[Line], coupon_layers: Sequence[int] = (SHOP_COUPON, PLATFORM)) -> None:
        self.context, self.lines, self.coupon_layers = context, lines, coupon_layers
        self.net = [line.unit_price_fen * line.quantity for line in lines]
        self.units = [line.unit_price_fen for line in lines]
        self.floors = [min(line.floor_fen, net) for line, net in zip(lines, self.net, strict=True)]
        self.touched = [False] * len(lines)  # by a rule above the item price
        self.closed = [False] * len(lines)  # by an exclusive rule
        self.merchant_paid: dict[int, int] = {}  # merchant id -> fen the merchant bears
        self.spent: dict[int, int] = {}  # rule id -> fen taken so far, for budgets
        self.adjustments: list[Adjustment] = []
        self.verdicts: list[Verdict] = []
        self.refused: list[tuple[int, str]] = []  # lines that cannot be sent where the buyer wants them
        self.by_layer: dict[int, list[Rule]] = {}
        for rule in sorted(context.rules, key=_rank):
            if self._open(rule):
                self.by_layer.setdefault(rule.layer, []).append(rule)
        self._item_layer()
        self._automatic(SHOP)
        self._coupons(SHOP_COUPON)
        self._automatic(PLATFORM)
        self._coupons(PLATFORM)
        self._points()
        self.orders = self._freight()

    @property
    def total_fen(self) -> int:
        """Return what the buyer pays."""
        return sum(order.payable_fen for order in self.orders)

    @property
    def uses_coupons(self) -> bool:
        """Tell whether a coupon was used."""
        return any(adjustment.coupon_id for adjustment in self.adjustments)

    def prices(self) -> tuple[LinePrice, ...]:
        """Return the price of each line."""
        rows = zip(self.lines, self.units, self.net, strict=True)
        return tuple(LinePrice(n.sku_id, n.merchant_id, n.unit_price_fen * n.quantity, unit, paid) for n, unit, paid in rows)

    def _open(self, rule: Rule) -> bool:
        """Tell whether a rule counts for this buyer, here and now, whatever the lines."""
        context = self.context
        if rule.kind == "coupon" or not rule.runs_at(context.at):
            return False
        if rule.channels and context.channel not in rule.channels:
            return False
        if rule.kind == "first_order" and not context.is_first_order:
            return False
        if rule.kind == "scan" and not context.scanned_merchant_id:
            return False
        return not rule.is_limited or self._has_room(rule, 0)

    def _has_room(self, rule: Rule, fen: int) -> bool:
        room = self.context.rooms.get(rule.id)
        return room is not None and room.uses > 0 and fen + self.spent.get(rule.id, 0) <= room.fen

    def _item_layer(self) -> None:
        """Give each line its lowest item price; rules of this layer never add up."""
        rules = self.by_layer.get(ITEM, ())
        won: dict[int, list[int]] = {}
        for at, line in enumerate(self.lines) if rules else ():
            best, winner = line.unit_price_fen, -1
            lowest = -(-self.floors[at] // line.quantity)
            for place, rule in enumerate(rules):
                unit = max(percent_of(line.unit_price_fen, rule.rate_bps), lowest)
                if unit < best and rule.scope.covers(line) and self._scanned(rule, line):
                    best, winner = unit, place
            if winner >= 0:
                won.setdefault(winner, []).append(at)
                self.units[at] = best
        for place, places in sorted(won.items()):
            rule = rules[place]
            parts = [(self.lines[at].unit_price_fen - self.units[at]) * self.lines[at].quantity for at in places]
            if rule.is_limited and not self._has_room(rule, sum(parts)):
                for at in places:  # the budget ran out on this cart: these lines keep the list price
                    self.units[at] = self.lines[at].unit_price_fen
                continue
            self._take(rule, places, parts, 0)
            for at in places:
                self.closed[at] = rule.exclusive

    def _scanned(self, rule: Rule, line: Line) -> bool:
        return rule.kind != "scan" or line.merchant_id == self.context.scanned_merchant_id

    def _eligible(self, rule: Rule, free: Iterable[int]) -> list[int]:
        """Return the places of lines a rule may take now."""
        lines, closed, touched, scope = self.lines, self.closed, self.touched, rule.scope
        return [at for at in free if not closed[at] and not (rule.exclusive and touched[at]) and scope.covers(lines[at])]

    def _automatic(self, layer: int) -> None:
        """Apply rules by priority; a line serves one rule of an owner only, so activities stay disjoint, subsidies beside them."""
        taken_by: dict[str, set[int]] = {}
        for rule in self.by_layer.get(layer, ()):
            taken = taken_by.setdefault(rule.owner, set())
            places = self._eligible(rule, (at for at in range(len(self.lines)) if at not in taken))
            off = self._off(rule, places)
            if off <= 0 or (rule.is_limited and not self._has_room(rule, off)):
                continue
            self._apply(rule, places, off, 0)
            taken.update(places)

    def _off(self, rule: Rule, places: Sequence[int]) -> int:
        """Return what a rule takes off lines, bounded by what they can bear: the highest tier reached, or the percentage."""
        base = sum(self.net[at] for at in places)
        off = 0
        if rule.tiers:
            off = max((off for threshold, off in rule.tiers if base >= threshold), default=0)
        elif base >= rule.min_fen:
            off = base - percent_of(base, rule.rate_bps)
            off = min(off, rule.max_off_fen) if rule.max_off_fen else off
        return min(off, base - sum(self.floors[at] for at in places))

    def _apply(self, rule: Rule, places: Sequence[int], off: int, coupon_id: int) -> None:
        """Apportion an amount over lines and record it."""
        weights = [self.net[at] for at in places]
        caps = [self.net[at] - self.floors[at] for at in places]
        self._take(rule, places, spread(off, weights, caps), coupon_id)
        for at in places:
            self.touched[at] = True
            self.closed[at] = self.closed[at] or rule.exclusive

    def _take(self, rule: Rule, places: Sequence[int], parts: Sequence[int], coupon_id: int) -> None:
        for at, part in zip(places, parts, strict=True):
            self.net[at] -= part
        keys = [(self.lines[at].merchant_id, self.lines[at].sku_id) for at in places]
        self._record(rule.layer, rule.kind, rule, coupon_id, keys, parts)

    def _record(
        self, layer: int, kind: str, rule: Rule, coupon_id: int, keys: Sequence[tuple[int, int]], parts: Sequence[int]
    ) -> None:
        shares = fund(rule.funding, keys, parts)
        self.spent[rule.id] = self.spent.get(rule.id, 0) + sum(parts)
        for share in shares:
            if share.merchant_fen:
                self.merchant_paid[share.merchant_id] = self.merchant_paid.get(share.merchant_id, 0) + share.merchant_fen
        self.adjustments.append(
            Adjustment(layer, kind, rule.id, rule.version, coupon_id, rule.title, rule.funding.programme, tuple(shares))
        )

    def _coupons(self, layer: int) -> None:
        """Judge the wallet's coupons of a layer and use one for each merchant (③), one for the trade (④)."""
        groups: dict[int, list[HeldCoupon]] = {}
        for coupon in self.context.wallet:
            if coupon.rule.layer == layer:
                groups.setdefault(coupon.rule.scope.merchant_id if layer == SHOP_COUPON else 0, []).append(coupon)
        for _, coupons in sorted(groups.items()):
            judged = [(coupon, *self._judge(coupon)) for coupon in sorted(coupons, key=lambda c: (c.valid_until, c.id))]
            usable = [(coupon, places, off) for coupon, places, off, reason in judged if not reason and self._wanted(coupon)]
            best = max(usable, key=lambda found: found[2], default=None)  # of equals the one that expires first
            for coupon, _, off, reason in judged:
                self.verdicts.append(Verdict(coupon, best is not None and coupon is best[0], off, reason))
            if best is not None:
                self._apply(best[0].rule, best[1], best[2], best[0].id)

    def _wanted(self, coupon: HeldCoupon) -> bool:
        if self.context.chosen is None:
            return coupon.rule.layer in self.coupon_layers
        return coupon.id in self.context.chosen

    def _judge(self, coupon: HeldCoupon) -> tuple[list[int], int, str]:
        """Return (places, saving, reason why not) of a coupon on the lines as they stand."""
        rule, at = coupon.rule, self.context.at
        if at < coupon.valid_from:
            return [], 0, "未到使用时间"
        if at >= coupon.valid_until:
            return [], 0, "已过期"
        covered = [place for place, line in enumerate(self.lines) if rule.scope.covers(line)]
        if not covered:
            return [], 0, "不适用于所选商品"
        places = self._eligible(rule, covered)
        if not places:
            return [], 0, "所选商品参加的活动不与此券同享"
        base = sum(self.net[place] for place in places)
        need = rule.tiers[0][0] if rule.tiers else rule.min_fen
        if base < need:
            return [], 0, f"还差 ¥{(need - base) // 100}.{(need - base) % 100:02d} 可用"
        off = self._off(rule, places)
        return places, off, "" if off > 0 else "所选商品已是最低价"

    def _points(self) -> None:
        """Take points off, clamped to what the lines can bear; more points than money are no error."""
        places = [at for at, net in enumerate(self.net) if net > self.floors[at]]
        off = min(self.context.points_fen, sum(self.net[at] - self.floors[at] for at in places))
        if off > 0:
            points = Rule(0, 0, "points", "platform", "积分抵扣", self.context.at, self.context.at, funding=PLATFORM_FUNDED)
            parts = spread(off, [self.net[at] for at in places], [self.net[at] - self.floors[at] for at in places])
            keys = [(self.lines[at].merchant_id, self.lines[at].sku_id) for at in places]
            for at, part in zip(places, parts, strict=True):
                self.net[at] -= part
            self._record(POINTS, "points", points, 0, keys, parts)

    def _freight(self) -> tuple[OrderQuote, ...]:
        """Return the orders. Free freight is judged on what the merchant takes for goods: others' money costs no free freight."""
        listed: dict[int, int] = {}
        goods: dict[int, int] = {}
        for line, net in zip(self.lines, self.net, strict=True):
            listed[line.merchant_id] = listed.get(line.merchant_id, 0) + line.unit_price_fen * line.quantity
            goods[line.merchant_id] = goods.get(line.merchant_id, 0) + net
        orders = []
        for merchant_id in sorted(listed):
            rule = self.context.merchants[merchant_id]
            taken = listed[merchant_id] - self.merchant_paid.get(merchant_id, 0)
            if rule.plan is not None:
                freight = self._planned(merchant_id, rule.plan)
            else:
                freight = 0 if rule.free_over_fen and taken >= rule.free_over_fen else rule.freight_fen
            off = self._relief(merchant_id, taken, freight)
            paid, freight = goods[merchant_id], freight - off
            discount = listed[merchant_id] - paid
            orders.append(OrderQuote(merchant_id, listed[merchant_id], discount, paid, freight, off, paid + freight))
        return tuple(orders)

    def _planned(self, merchant_id: int, plan: Plan) -> int:
        """Price a merchant's lines by its templates and note those that cannot be sent."""
        borne: dict[int, int] = {}
        for adjustment in self.adjustments:
            for share in adjustment.shares:
                borne[share.sku_id] = borne.get(share.sku_id, 0) + share.merchant_fen
        own = [line for line in self.lines if line.merchant_id == merchant_id]
        found = charge(plan, [(line, line.unit_price_fen * line.quantity - borne.get(line.sku_id, 0)) for line in own])
        self.refused += found.refused
        return found.fen

    def _relief(self, merchant_id: int, taken: int, freight: int) -> int:
        """Take the best freight relief of a merchant; they do not add up."""
        best, found = 0, None
        for rule in self.by_layer.get(FREIGHT, ()) if freight else ():
            if rule.scope.merchant_id in (0, merchant_id) and taken >= rule.min_fen:
                off = min(rule.max_off_fen or freight, freight)
                if off > best and (not rule.is_limited or self._has_room(rule, off)):
                    best, found = off, rule
        if found is not None:
            self._record(FREIGHT, "freight", found, 0, [(merchant_id, 0)], [best])
        return best


def fund(funding: Funding, keys: Sequence[tuple[int, int]], parts: Sequence[int]) -> list[Share]:
    """Return the shares of (merchant id, SKU id) keys, split by who bears them; the split of the whole amount is exact."""
    if funding.merchant_bps == 10_000:
        return [Share(key[0], key[1], part, part, 0, 0) for key, part in zip(keys, parts, strict=True) if part]
    if funding.platform_bps == 10_000:
        return [Share(key[0], key[1], part, 0, part, 0) for key, part in zip(keys, parts, strict=True) if part]
    by_merchant, by_platform, _ = spread(sum(parts), [funding.merchant_bps, funding.platform_bps, funding.programme_bps])
    first = spread(by_merchant, parts, parts)
    left = [part - own for part, own in zip(parts, first, strict=True)]
    second = spread(by_platform, left, left)
    rows = zip(keys, parts, first, second, strict=True)
    return [Share(key[0], key[1], part, a, b, part - a - b) for key, part, a, b in rows if part]
