"""How the frozen shares of a line divide with its units: exact sums whatever is split how often (commerce.md §2.4; trap 21)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.money import share_of
from app.promotions.service.trades import _kept


@given(st.integers(2, 60), st.integers(1, 100_000), st.lists(st.integers(0, 3_000), max_size=6), st.data())
def test_list_price_discounts_and_payment_agree_on_both_parts(quantity: int, unit: int, shares: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, quantity - 1))
    whole = unit * quantity
    shares = [share for at, share in enumerate(shares) if sum(shares[: at + 1]) <= whole]
    paid = whole - sum(shares)
    stays = quantity - count
    kept = _kept(shares, quantity, count)
    assert all(0 <= keep <= share for keep, share in zip(kept, shares, strict=True))
    assert unit * stays - sum(kept) == share_of(paid, quantity, 0, stays)
    moved = [share - keep for share, keep in zip(shares, kept, strict=True)]
    assert unit * count - sum(moved) == paid - share_of(paid, quantity, 0, stays)
