"""The split of a line and its reversal by units are exact for every amount, rate and order of refunds (commerce.md §2.25 c, j)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.settlement.shares import Contract, Parts, Worth, between, split, up_to

amounts = st.one_of(st.integers(0, 12), st.integers(0, 10**9))
rates = st.integers(0, 3_333)


@st.composite
def lines(draw: st.DrawFn) -> tuple[int, list[int], Parts, int]:
    """A line: cash, funding of up to three programmes, its parts, its units."""
    paid = draw(amounts)
    funding = draw(st.lists(amounts, max_size=3))
    contract = Contract(draw(rates), draw(rates), draw(rates))
    return paid, funding, split(paid + sum(funding), contract), draw(st.integers(1, 12))


def parts_of(worth: Worth) -> tuple[int, int, int, int]:
    p = worth.parts
    return p.fee, p.promoter, p.logistics, p.merchant


@given(st.integers(0, 10**12), rates, rates, rates)
def test_parts_sum_to_the_base(base: int, fee: int, promoter: int, logistics: int) -> None:
    parts = split(base, Contract(fee, promoter, logistics))
    assert parts.total == base
    assert min(parts.fee, parts.promoter, parts.logistics, parts.merchant) >= 0
    assert parts.fee == min((base * fee * 2 + 10_000) // 20_000, base), "half up, once"


def test_rounding_is_half_up_and_the_merchant_takes_the_rest() -> None:
    assert split(1_990, Contract(500)) == Parts(100, 0, 0, 1_890), "99.5 fen become 100"
    assert split(1_989, Contract(500)) == Parts(99, 0, 0, 1_890)
    assert split(10_000, Contract(500, 200, 300)) == Parts(500, 200, 300, 9_000)
    assert split(1, Contract(5_000, 5_000)) == Parts(1, 0, 0, 0), "shares never exceed the base"


@given(lines(), st.data())
def test_any_sequence_of_refunds_reverses_everything(line: tuple[int, list[int], Parts, int], data: st.DataObject) -> None:
    paid, funding, parts, quantity = line
    cash, funds, taken, done = 0, [0] * len(funding), [0, 0, 0, 0], 0
    while done < quantity:
        count = data.draw(st.integers(1, quantity - done))
        worth = between(paid, funding, parts, quantity, done, count)
        assert worth.parts.total == worth.cash + sum(worth.funding), "each step balances"
        assert worth.cash >= 0
        done += count
        cash += worth.cash
        funds = [a + b for a, b in zip(funds, worth.funding, strict=True)]
        taken = [a + b for a, b in zip(taken, parts_of(worth), strict=True)]
        whole = (parts.fee, parts.promoter, parts.logistics, parts.merchant)
        assert all(0 <= t <= w for t, w in zip(taken, whole, strict=True)), "nobody gives back more than it got"
    assert (cash, funds) == (paid, funding)
    assert taken == [parts.fee, parts.promoter, parts.logistics, parts.merchant]


@given(lines())
def test_worth_depends_on_the_number_of_units_only(line: tuple[int, list[int], Parts, int]) -> None:
    paid, funding, parts, quantity = line
    singles = [between(paid, funding, parts, quantity, j, 1) for j in range(quantity)]
    for k in range(quantity + 1):
        together = up_to(paid, funding, parts, quantity, k)
        assert together.cash == sum(w.cash for w in singles[:k])
        assert parts_of(together) == tuple(map(sum, zip(*(parts_of(w) for w in singles[:k]), strict=True))) or k == 0


def test_a_step_that_a_naive_split_gets_wrong() -> None:
    """Two fen on three units, one fen each for platform and promoter: the merchant never owes what it did not get."""
    parts = Parts(1, 1, 0, 0)
    for units in range(4):
        assert up_to(2, (), parts, 3, units).parts.merchant == 0
    assert up_to(2, (), parts, 3, 2).parts.total == 1
