"""A trip's cost is shared to the fen, by the greater weight, whatever the order of the loads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fulfilment.sharing import Load, saving_bps, share

LOADS = st.lists(
    st.builds(Load, st.integers(1, 10**6), st.integers(0, 60_000), st.integers(0, 500_000), st.integers(1, 5_000)),
    min_size=1, max_size=12, unique_by=lambda load: load.order_id,
)  # fmt: skip


@given(st.integers(0, 10**7), LOADS, st.randoms(use_true_random=False))
def test_the_parts_sum_to_the_cost_in_any_order(cost: int, loads: list[Load], rng: object) -> None:
    shuffled = list(loads)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    parts = share(cost, loads)
    assert sum(part.fen for part in parts) == cost
    assert parts == share(cost, shuffled)
    assert all(part.fen >= 0 for part in parts)


@given(st.integers(1, 10**7), LOADS)
def test_who_weighs_more_pays_no_less(cost: int, loads: list[Load]) -> None:
    charged = {load.order_id: load.charged_g for load in loads}
    paid = {part.order_id: part.fen for part in share(cost, loads)}
    for a in charged:
        for b in charged:
            if charged[a] > charged[b]:
                assert paid[a] >= paid[b] - 1, "equal but for the fen that rounding places"


def test_bulky_goods_count_by_volume() -> None:
    assert Load(1, 500, 60_000, 0).charged_g == 10_000
    assert Load(1, 500, 0, 0).charged_g == 500
    assert Load(1, 0, 0, 0).charged_g == 1, "nothing rides for nothing"
    assert [p.fen for p in share(1_000, [Load(1, 1_000, 0, 0), Load(2, 500, 18_000, 0)])] == [250, 750]


def test_the_saving_is_told_in_basis_points() -> None:
    loads = [Load(n, 1_000, 0, 1_000) for n in range(5)]
    assert saving_bps(4_000, loads) == 2_000
    assert saving_bps(6_000, loads) == -2_000
    assert saving_bps(6_000, [Load(1, 1, 1, 0)]) == 0
    with pytest.raises(ValueError, match="orders"):
        share(1, [])
