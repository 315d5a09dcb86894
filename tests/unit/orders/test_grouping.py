"""How a quote becomes orders: every column sums to the quote whatever the lines, modes and temperatures (T12; traps 12 and 21)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.orders import grouping
from app.orders.grouping import Handling
from app.promotions import pricing
from app.promotions.pricing import Line, MerchantRule, QuoteContext, Rule, Scope

TEMPERATURES = st.sampled_from(list(grouping.TEMPERATURES))
LINES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 50_000), st.integers(1, 9), TEMPERATURES, st.booleans()), min_size=1, max_size=12
)
MODES = st.dictionaries(st.integers(1, 3), st.sampled_from(["express", "local", "pickup"]))


def quoted(rows: list[tuple[int, int, int, str, bool]], freight: int, relief: int) -> pricing.Quote:
    """A quote of (merchant, price, quantity, …) rows with one freight for each merchant and relief the platform bears."""
    lines = [Line(number, merchant, price, quantity) for number, (merchant, price, quantity, *_) in enumerate(rows, 1)]
    at = pricing.model.EPOCH
    rule = Rule(
        7, 1, "freight", "platform", "运费补贴", at, at.replace(year=2100), Scope(), max_off_fen=relief,
        funding=pricing.Funding(0, 6_000, 4_000, "助农"),
    )  # fmt: skip
    context = QuoteContext({m: MerchantRule(freight, 0) for m in (1, 2, 3)}, at=at, rules=(rule,) if relief else ())
    return pricing.quote(context, lines)


@given(LINES, MODES, st.integers(0, 2_000), st.integers(0, 2_000))
def test_the_parts_sum_to_the_quote(rows: list[tuple[int, int, int, str, bool]], modes: dict[int, str], freight: int, relief: int) -> None:
    quote = quoted(rows, freight, relief)
    handling = {n: Handling(temperature, service) for n, (_, _, _, temperature, service) in enumerate(rows, 1)}
    parts = grouping.divide(quote, handling, modes)
    assert sorted(sku for part in parts for sku in part.sku_ids) == sorted(line.sku_id for line in quote.lines)
    assert sum(part.payable_fen for part in parts) == quote.total_fen
    for order in quote.orders:
        mine = [part for part in parts if part.merchant_id == order.merchant_id]
        assert sum(part.goods_fen for part in mine) == order.goods_fen
        assert sum(part.freight_fen for part in mine) == order.freight_fen
        assert sum(part.freight_off_fen for part in mine) == order.freight_off_fen
        assert all(part.freight_fen >= 0 and part.freight_off_fen >= 0 for part in mine)
    for part in parts:
        assert {handling[sku].temperature for sku in part.sku_ids} == {part.temperature}
        assert {handling[sku].is_service for sku in part.sku_ids} == {part.mode == grouping.SERVICE}
    assert len({(part.merchant_id, part.mode, part.temperature) for part in parts}) == len(parts)


def test_goods_that_stay_bear_no_freight_while_others_travel() -> None:
    quote = quoted([(1, 3_000, 1, "ambient", False), (1, 9_000, 1, "ambient", True), (1, 1_000, 1, "frozen", False)], 400, 0)
    handling = {1: Handling(), 2: Handling(is_service=True), 3: Handling("frozen")}
    parts = {(part.mode, part.temperature): part.freight_fen for part in grouping.divide(quote, handling, {})}
    assert parts == {("express", "ambient"): 300, ("express", "frozen"): 100, ("service", "ambient"): 0}


def test_the_colder_of_two_temperatures_wins() -> None:
    assert grouping.colder("ambient", "chilled") == "chilled"
    assert grouping.colder("frozen", "chilled") == "frozen"
    assert grouping.colder("unheard of", "ambient") == "ambient"


def test_one_way_and_one_temperature_make_one_order() -> None:
    quote = quoted([(1, 3_000, 1, "chilled", False), (1, 500, 2, "chilled", False)], 800, 0)
    parts = grouping.divide(quote, {1: Handling("chilled"), 2: Handling("chilled")}, {1: "local"})
    assert [(part.mode, part.temperature, part.goods_fen, part.freight_fen) for part in parts] == [("local", "chilled", 4_000, 800)]
