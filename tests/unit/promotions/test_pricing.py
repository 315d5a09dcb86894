"""The pure quote: sums, order independence, the freight rule, and a hash that names the price (commerce.md §2.25 b)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.promotions.pricing import Line, MerchantRule, QuoteContext, quote

MERCHANTS = st.integers(1, 4)
RULES = st.builds(MerchantRule, freight_fen=st.integers(0, 5_000), free_over_fen=st.sampled_from([0, 1, 9_900, 50_000]))
CONTEXTS = st.fixed_dictionaries(dict.fromkeys((1, 2, 3, 4), RULES)).map(QuoteContext)
LINES = st.lists(
    st.builds(
        Line, sku_id=st.integers(1, 10**18), merchant_id=MERCHANTS, unit_price_fen=st.integers(0, 10**9),
        quantity=st.integers(1, 99), weight_g=st.integers(0, 50_000),
    ),
    min_size=1, max_size=12, unique_by=lambda line: line.sku_id,
)  # fmt: skip


@given(CONTEXTS, LINES)
def test_orders_sum_to_the_total(context: QuoteContext, lines: list[Line]) -> None:
    result = quote(context, lines)
    assert result.total_fen == sum(order.payable_fen for order in result.orders)
    assert sum(order.goods_fen for order in result.orders) == sum(line.unit_price_fen * line.quantity for line in lines)
    assert all(order.payable_fen == order.goods_fen + order.freight_fen for order in result.orders)
    assert sorted(result.lines, key=id) == sorted(lines, key=id), "no line is lost or made up"
    assert {order.merchant_id for order in result.orders} == {line.merchant_id for line in lines}


@given(CONTEXTS, LINES, st.randoms(use_true_random=False))
def test_input_order_does_not_matter(context: QuoteContext, lines: list[Line], chance: object) -> None:
    shuffled = list(lines)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert quote(context, shuffled) == quote(context, lines)


@given(CONTEXTS, LINES)
def test_freight_rule(context: QuoteContext, lines: list[Line]) -> None:
    for order in quote(context, lines).orders:
        rule = context.merchants[order.merchant_id]
        free = rule.free_over_fen > 0 and order.goods_fen >= rule.free_over_fen
        assert order.freight_fen == (0 if free else rule.freight_fen)


@given(CONTEXTS, LINES, st.integers(0, 11))
def test_any_change_of_price_or_quantity_changes_the_hash(context: QuoteContext, lines: list[Line], at: int) -> None:
    first = quote(context, lines)
    at %= len(lines)
    for changed in (replace(lines[at], unit_price_fen=lines[at].unit_price_fen + 1), replace(lines[at], quantity=100)):
        again = quote(context, [*lines[:at], changed, *lines[at + 1 :]])
        assert again.quote_hash != first.quote_hash


@given(CONTEXTS, LINES)
def test_one_shop_does_not_change_another(context: QuoteContext, lines: list[Line]) -> None:
    whole = quote(context, lines)
    for merchant_id in {line.merchant_id for line in lines}:
        alone = quote(context, [line for line in lines if line.merchant_id == merchant_id])
        assert alone.orders == (whole.order_of(merchant_id),)


def test_freight_is_free_from_the_limit_on() -> None:
    context = QuoteContext({1: MerchantRule(800, 9_900)})
    assert quote(context, [Line(7, 1, 9_899, 1)]).total_fen == 9_899 + 800
    assert quote(context, [Line(7, 1, 9_900, 1)]).total_fen == 9_900


@pytest.mark.parametrize("bad", [Line(1, 1, 100, 0), Line(1, 1, -1, 1), Line(1, 1, 100, -2)])
def test_impossible_lines_are_refused(bad: Line) -> None:
    with pytest.raises(ValueError, match="positive"):
        quote(QuoteContext({1: MerchantRule(0, 0)}), [bad])


def test_one_line_per_sku_and_known_merchants_only() -> None:
    context = QuoteContext({1: MerchantRule(0, 0)})
    with pytest.raises(ValueError, match="one line"):
        quote(context, [Line(1, 1, 100, 1), Line(1, 1, 100, 1)])
    with pytest.raises(KeyError):
        quote(context, [Line(1, 2, 100, 1)])
