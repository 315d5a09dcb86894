"""Splitting a paid line among merchant, platform, promoter and carrier, and giving back k of n units exactly (commerce.md §2.4, §2.8).

Rounding rule: base = goods_net = cash paid on the line + discount funded by a programme, freight excluded. Each share is
⌊base · bps / 10000 + ½⌋ (half up, once, for the whole line), bounded by what is left of the base in the order platform, promoter,
carrier; the merchant takes the remainder, so the parts sum to the base. Units are worth F(j) = ⌊j · amount / n⌋ cumulatively.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.money import percent_of, share_of


@dataclass(frozen=True)
class Contract:
    """Basis points of the base for platform, promoter and carrier."""

    fee_bps: int
    promoter_bps: int = 0
    logistics_bps: int = 0


@dataclass(frozen=True)
class Parts:
    """Who gets what of a line, in fen; the merchant's part is the remainder."""

    fee: int
    promoter: int
    logistics: int
    merchant: int

    @property
    def total(self) -> int:
        """Return the sum of the parts."""
        return self.fee + self.promoter + self.logistics + self.merchant


@dataclass(frozen=True)
class Worth:
    """What a number of units is worth: cash to the buyer, claims on programmes, and the parties' parts, all in fen."""

    cash: int
    funding: tuple[int, ...]
    parts: Parts


def split(base_fen: int, contract: Contract) -> Parts:
    """Split a non-negative base; the parts are non-negative and sum to it."""
    left, parts = base_fen, []
    for bps in (contract.fee_bps, contract.promoter_bps, contract.logistics_bps):
        part = min(percent_of(base_fen, bps), left)
        parts.append(part)
        left -= part
    return Parts(parts[0], parts[1], parts[2], left)


def up_to(paid_fen: int, funding: Sequence[int], parts: Parts, quantity: int, units: int) -> Worth:
    """Return what the first `units` of a line are worth together.

    Cash and each programme follow F; the parties follow F too, the merchant takes the remainder within its own part, and
    what rounding leaves over is taken from, or put on, platform, promoter and carrier in this order. It depends on the number
    of units only, so any sequence of refunds ends at the same amounts, and every part stays between zero and its whole.
    """
    cash = share_of(paid_fen, quantity, 0, units)
    funds = tuple(share_of(amount, quantity, 0, units) for amount in funding)
    whole = [parts.fee, parts.promoter, parts.logistics]
    others = [share_of(amount, quantity, 0, units) for amount in whole]
    merchant = cash + sum(funds) - sum(others)
    over, short = merchant - parts.merchant, -merchant
    for place in range(3):
        add = min(max(over, 0), whole[place] - others[place])
        take = min(max(short, 0), others[place])
        others[place] += add - take
        over -= add
        short -= take
    merchant = cash + sum(funds) - sum(others)
    return Worth(cash, funds, Parts(others[0], others[1], others[2], merchant))


def between(paid_fen: int, funding: Sequence[int], parts: Parts, quantity: int, first: int, count: int) -> Worth:
    """Return what units first+1 … first+count are worth. A part of a single step may be -1 fen by rounding; sums are exact."""
    after = up_to(paid_fen, funding, parts, quantity, first + count)
    before = up_to(paid_fen, funding, parts, quantity, first)
    return Worth(
        after.cash - before.cash,
        tuple(a - b for a, b in zip(after.funding, before.funding, strict=True)),
        Parts(
            after.parts.fee - before.parts.fee, after.parts.promoter - before.parts.promoter,
            after.parts.logistics - before.parts.logistics, after.parts.merchant - before.parts.merchant,
        ),
    )  # fmt: skip
