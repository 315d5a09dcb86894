"""满减 progress: the gap is judged on what the tier will be judged on (T03)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.promotions.pricing import Line, MerchantRule, QuoteContext, Rule, Scope, quote
from app.promotions.queries import progress

AT = datetime(2026, 11, 8, 4, tzinfo=UTC)
CUT = Rule(1, 1, "full_cut", "merchant", "满减", AT, AT + timedelta(days=1), Scope(1), ((10_000, 1_000), (20_000, 3_000)))
SALE = Rule(2, 1, "timed", "merchant", "九折", AT, AT + timedelta(days=1), Scope(1, products=frozenset({70})), rate_bps=9_000)
LINES = [Line(7, 1, 6_000, 1, product_id=70), Line(8, 1, 3_000, 1, product_id=80), Line(9, 2, 9_000, 1)]


def steps(*rules: Rule) -> list[tuple[int, int, int, int]]:
    context = QuoteContext({1: MerchantRule(0, 0), 2: MerchantRule(0, 0)}, AT, rules)
    return [(s.merchant_id, s.total_fen, s.gap_fen, s.off_fen) for s in progress(quote(context, LINES), rules)]


def test_gap_counts_item_prices_and_one_shop() -> None:
    assert steps(CUT) == [(1, 9_000, 1_000, 1_000)]
    assert steps(CUT, SALE) == [(1, 8_400, 1_600, 1_000)]


def test_lines_closed_by_an_exclusive_price_do_not_count() -> None:
    assert steps(CUT, replace(SALE, exclusive=True)) == [(1, 3_000, 7_000, 1_000)]


def test_lines_of_another_activity_do_not_count() -> None:
    other = replace(CUT, id=3, scope=Scope(1, products=frozenset({70})), tiers=((5_000, 100),), priority=1)
    assert steps(CUT, other) == [(1, 6_000, 0, 0)], "the one of highest priority is shown"
    assert steps(replace(CUT, priority=2), other) == [(1, 3_000, 7_000, 1_000)], "its line went to the activity that reached a tier"


def test_the_highest_tier_has_no_gap() -> None:
    low = replace(CUT, tiers=((1_000, 100),))
    assert steps(low) == [(1, 9_000, 0, 0)]
