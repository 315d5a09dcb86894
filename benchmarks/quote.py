"""Time of one quote: 50 lines under 20 rules, beside a plain loop that only adds the lines up.

    python -m benchmarks.quote [repeats]

Prints the median in milliseconds, its ratio to the loop, and fails above the limit (2 ms on one core).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from app.promotions.pricing import Funding, Line, MerchantRule, QuoteContext, Rule, Scope, quote

LIMIT_MS = 2.0
LINES, SHOPS = 50, 5
AT = datetime(2026, 11, 8, 4, tzinfo=UTC)
WINDOW = (AT - timedelta(days=1), AT + timedelta(days=1))


def rules() -> tuple[Rule, ...]:
    """Return 20 rules of all layers: item prices, three activities for each shop, platform activities, freight relief."""
    made = [
        Rule(1, 1, "member_day", "platform", "会员日", *WINDOW, rate_bps=8_000, month_days=(8,), funding=Funding(0, 10_000)),
        Rule(2, 1, "timed", "platform", "限时", *WINDOW, Scope(tags=frozenset({"助农"})), rate_bps=7_500, funding=Funding(3_000, 7_000)),
        Rule(3, 1, "full_cut", "platform", "平台满减", *WINDOW, tiers=((20_000, 5_000),), funding=Funding(2_000, 8_000)),
        Rule(4, 1, "full_cut", "programme", "补贴", *WINDOW, Scope(areas=frozenset({"A1"})), tiers=((5_000, 500),),
             funding=Funding(0, 0, 10_000, "助农补贴")),
        Rule(5, 1, "freight", "platform", "免运费", *WINDOW, min_fen=9_900, funding=Funding(0, 10_000)),
    ]  # fmt: skip
    for shop in range(1, SHOPS + 1):
        made += [
            Rule(10 * shop, 1, "full_cut", "merchant", "满减", *WINDOW, Scope(shop), tiers=((10_000, 1_000), (20_000, 3_000))),
            Rule(10 * shop + 1, 1, "full_cut", "merchant", "类目满减", *WINDOW, Scope(shop, frozenset({2})), ((5_000, 700),), priority=9),
            Rule(10 * shop + 2, 1, "timed", "merchant", "店铺折扣", *WINDOW, Scope(shop, products=frozenset({shop})), rate_bps=9_000),
        ]
    return tuple(made)


def lines() -> list[Line]:
    """Return 50 lines of five shops."""
    return [
        Line(
            7_000_000 + i, 1 + i % SHOPS, 990 + 37 * i, 1 + i % 4, product_id=i, category_ids=(1 + i % 3, 1),
            tags=("助农",) if i % 4 == 0 else (), area_code=f"A{i % 3}", floor_fen=1 + i % 4,
        )
        for i in range(LINES)
    ]  # fmt: skip


def loop(cart: list[Line]) -> int:
    """Return the sum of the lines: what pricing would be without rules."""
    total = 0
    for line in cart:
        total += line.unit_price_fen * line.quantity
    return total


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of a call in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1_000_000


def main(argv: list[str]) -> int:
    """Measure and print; 1 when the limit is passed."""
    repeats = int(argv[0]) if argv else 500
    context, cart = QuoteContext({n: MerchantRule(800, 9_900) for n in range(1, SHOPS + 1)}, AT, rules()), lines()
    price = quote(context, cart)
    full, plain = median_ms(lambda: quote(context, cart), repeats), median_ms(lambda: loop(cart), repeats)
    print(f"rules {len(context.rules)}, lines {len(cart)}, adjustments {len(price.adjustments)}, off {price.discount_fen} fen")
    print(f"quote {full:.3f} ms, loop {plain:.4f} ms, ratio {full / plain:.0f}, limit {LIMIT_MS} ms")
    return int(full > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
