"""The evaluation of risk rules: pure, whatever their order; shadow rules decide nothing (P11; commerce.md §2.23)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.risk import rules
from app.risk.rules import Rule

PLAIN = ("amount_fen", "amount_times", "new_area")
RULES = st.lists(
    st.builds(
        lambda code, mode, action, pairs: Rule(code, 1, mode, code, action, 24, tuple(pairs.items())),
        st.text("abcdef", min_size=1, max_size=4), st.sampled_from(["off", "shadow", "live"]), st.sampled_from(["review", "hold", "deny"]),
        st.dictionaries(st.sampled_from(PLAIN), st.integers(1, 20), min_size=1),
    ),
    max_size=6, unique_by=lambda rule: rule.code,
)  # fmt: skip
INPUTS = st.dictionaries(st.sampled_from(PLAIN), st.integers(0, 20))


@given(RULES, INPUTS, st.integers())
def test_order_does_not_matter_and_shadow_decides_nothing(found: list[Rule], inputs: dict[str, int], seed: int) -> None:
    verdict = rules.evaluate(found, inputs)
    shuffled = found[:]
    random.Random(seed).shuffle(shuffled)
    assert rules.evaluate(shuffled, inputs) == verdict
    assert rules.evaluate([rule for rule in found if rule.mode == "live"], inputs).action == verdict.action
    assert all(mode != "off" for _, _, mode, _ in verdict.hits)


@given(RULES, INPUTS)
def test_a_rule_less_is_never_graver(found: list[Rule], inputs: dict[str, int]) -> None:
    whole = rules.SEVERITY.index(rules.evaluate(found, inputs).action)
    for left_out in range(len(found)):
        fewer = rules.evaluate(found[:left_out] + found[left_out + 1 :], inputs)
        assert rules.SEVERITY.index(fewer.action) <= whole


def test_all_thresholds_of_a_rule_must_be_reached() -> None:
    rule = Rule("r", 1, "live", "r", "hold", 24, (("account_orders", 3), ("amount_fen", 100)))
    assert rules.needed([rule]) == {("account_orders", 24), ("amount_fen", 0)}
    assert rules.evaluate([rule], {"account_orders.24": 3, "amount_fen": 100}).action == "hold"
    for inputs in ({"account_orders.24": 3, "amount_fen": 99}, {"account_orders.12": 9, "amount_fen": 900}, {}):
        assert rules.evaluate([rule], inputs).action == "allow"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (("x", "hold", 24, {"amount_fen": 1}), "risk.name"), (("大额", "allow", 24, {"amount_fen": 1}), "risk.action"),
        (("大额", "hold", 0, {"amount_fen": 1}), "risk.hours"), (("大额", "hold", 24, {}), "risk.thresholds"),
        (("大额", "hold", 24, {"luck": 1}), "risk.thresholds"), (("大额", "hold", 24, {"amount_fen": -1}), "risk.thresholds"),
    ],
)  # fmt: skip
def test_wrong_rules_are_refused(values: tuple[str, str, int, dict[str, int]], code: str) -> None:
    with pytest.raises(Invalid, match=code):
        rules.checked(*values)
