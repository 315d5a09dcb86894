"""Freight as properties: integers, nothing free by accident, units of a template added up before steps, the dearest first step once."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from app.delivery.freight import PIECE, VOLUME, WEIGHT, Charge, Plan, Rate, charge
from app.delivery.spec import RegionRule, TemplateSpec


@dataclass(frozen=True)
class Goods:
    sku_id: int
    product_id: int = 1
    quantity: int = 1
    weight_g: int = 500


RATES = st.builds(
    Rate, basis=st.sampled_from([PIECE, WEIGHT]), first_units=st.integers(1, 5_000), first_fen=st.integers(0, 5_000),
    next_units=st.sampled_from([0, 1, 500, 1_000]), next_fen=st.integers(0, 2_000),
)  # fmt: skip
GOODS = st.lists(st.builds(Goods, st.integers(1, 9), st.integers(1, 3), st.integers(1, 50), st.integers(1, 9_000)), min_size=1, max_size=8,
                 unique_by=lambda g: g.sku_id)  # fmt: skip


def fen_of(plan: Plan, goods: list[Goods]) -> int:
    found = charge(plan, [(g, 1_000 * g.quantity) for g in goods])
    assert found.refused == ()
    return found.fen


@given(RATES, GOODS, st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(rate: Rate, goods: list[Goods], rng: object) -> None:
    plan, shuffled = Plan({7: rate}, 7), list(goods)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fen_of(plan, goods) == fen_of(plan, shuffled)


@given(RATES, st.integers(1, 20), st.integers(1, 20), st.integers(1, 3_000))
def test_splitting_a_line_costs_nothing(rate: Rate, a: int, b: int, weight: int) -> None:
    """Units of one template are added up, so two lines cost what one line of both would."""
    plan = Plan({7: rate}, 7)
    assert fen_of(plan, [Goods(1, 1, a, weight), Goods(2, 1, b, weight)]) == fen_of(plan, [Goods(1, 1, a + b, weight)])


@given(st.dictionaries(st.integers(1, 3), RATES, min_size=3), GOODS, st.integers(0, 7))
def test_more_units_never_cost_less(rates: dict[int, Rate], goods: list[Goods], place: int) -> None:
    plan = Plan(rates, 1, {(product, 0): product for product in (1, 2, 3)})
    grown = list(goods)
    at = place % len(goods)
    grown[at] = Goods(goods[at].sku_id, goods[at].product_id, goods[at].quantity + 1, goods[at].weight_g)
    assert fen_of(plan, grown) >= fen_of(plan, goods)


@given(st.dictionaries(st.integers(1, 3), RATES, min_size=3), GOODS)
def test_a_merged_order_pays_one_first_step_the_dearest(rates: dict[int, Rate], goods: list[Goods]) -> None:
    plan = Plan(rates, 1, {(product, 0): product for product in (1, 2, 3)})
    used = {g.product_id for g in goods}
    together = fen_of(plan, goods)
    assert together >= max(rates[t].first_fen for t in used)
    firsts = sum(rates[t].first_fen for t in used)
    for template in used:  # a further step of every unit is the most the others pay
        rate = rates[template]
        units = sum(plan.units_of(g, rate.basis) for g in goods if g.product_id == template)
        firsts += rate.price(units, leads=False)
    assert together <= firsts


@given(GOODS, st.sets(st.integers(1, 3)))
def test_what_no_rule_covers_is_refused_and_never_free(goods: list[Goods], refusing: set[int]) -> None:
    rate = Rate(PIECE, 1, 800, 1, 200)
    plan = Plan({t: "不配送到青禾县" if t in refusing else rate for t in (1, 2, 3)}, 0, {(p, 0): p for p in (1, 2, 3)})
    found = charge(plan, [(g, 10**9) for g in goods])
    assert {sku for sku, _ in found.refused} == {g.sku_id for g in goods if g.product_id in refusing}
    assert (found.fen > 0) == any(g.product_id not in refusing for g in goods)


def test_a_shop_without_a_default_sends_only_what_is_bound() -> None:
    plan = Plan({1: Rate(PIECE, 1, 800)}, 0, {(5, 0): 1})
    assert charge(plan, [(Goods(1, 5), 100), (Goods(2, 6), 100)]) == Charge(800, ((2, "商家尚未设置此商品的运费"),))
    assert charge(Plan({}, 9), [(Goods(1), 100)]).refused == ((1, "商家尚未设置此商品的运费"),)


def test_a_variant_goes_before_its_product_and_the_product_before_the_default() -> None:
    plan = Plan({1: Rate(PIECE, 1, 100), 2: Rate(PIECE, 1, 200), 3: Rate(PIECE, 1, 300)}, 1, {(5, 0): 2, (5, 50): 3})
    assert [plan.template_of(g) for g in (Goods(9, 4), Goods(51, 5), Goods(50, 5))] == [1, 2, 3]


def test_unknown_weight_and_volume_are_refused() -> None:
    heavy, big = Plan({1: Rate(WEIGHT, 1_000, 800)}, 1), Plan({1: Rate(VOLUME, 10_000, 800, 10_000, 300)}, 1, {}, {(1, 0): 9_000, (1, 2): 30_000})
    assert "重量" in charge(heavy, [(Goods(1, weight_g=0), 1)]).refused[0][1]
    assert "体积" in charge(big, [(Goods(1, 8), 1)]).refused[0][1]
    assert charge(big, [(Goods(1, quantity=2), 1)]).fen == 1_100, "18,000 cm³: the first 10,000 and one begun step"
    assert charge(big, [(Goods(2), 1)]).fen == 1_400, "the variant's own 30,000 cm³"


def test_free_limits_look_at_the_templates_own_lines() -> None:
    by_money, by_pieces = Rate(PIECE, 1, 900, 1, 100, free_over_fen=9_900), Rate(PIECE, 1, 500, 1, 100, free_over_pieces=3)
    plan = Plan({1: by_money, 2: by_pieces}, 0, {(1, 0): 1, (2, 0): 2})
    assert charge(plan, [(Goods(1, 1), 9_899), (Goods(2, 2), 9_900)]).fen == 900 + 100
    assert charge(plan, [(Goods(1, 1), 9_900), (Goods(2, 2), 1)]).fen == 500
    assert charge(plan, [(Goods(1, 1), 9_900), (Goods(2, 2, 3), 1)]).fen == 0


def spec(*rules: RegionRule, excluded: tuple[str, ...] = (), reason: str = "") -> TemplateSpec:
    return TemplateSpec("模板", PIECE, rules, excluded, reason)


def test_the_nearest_area_decides_and_no_rule_means_no_delivery() -> None:
    city, rest = RegionRule(("CITY",), 1, 500), RegionRule((), 1, 900)
    named = spec(city, excluded=("ISLE",), reason="暂不通航")
    assert named.verdict(["CITY"], "城区") == city.rate(PIECE)
    assert named.verdict(["STREET", "CITY"], "街道") == city.rate(PIECE)
    assert named.verdict(["FAR"], "远县") == "不配送到远县"
    assert named.verdict(["ISLE", "CITY"], "岛上") == "不配送到岛上：暂不通航"
    assert named.verdict(["-"], "-") == "请先选择收货地区"
    assert spec(city, rest).verdict(["FAR"], "远县") == rest.rate(PIECE)
    assert spec(city, rest).verdict(["-"], "-") == rest.rate(PIECE)
    assert spec(city, rest, excluded=("ISLE",)).verdict(["-"], "-") == "请先选择收货地区", "an unknown place may be an excluded one"


def test_a_version_reads_back_as_written() -> None:
    written = spec(RegionRule(("A", "B"), 1, 500, 2, 100, 9_900, 3), RegionRule((), 1, 900), excluded=("C",), reason="山路")
    assert TemplateSpec.from_json(written.to_json()) == written
