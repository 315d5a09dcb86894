"""Sharing a trip's cost: by the greater of weight and volumetric weight, to the fen, and what it saves (T24; commerce.md §2.13). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.money import BPS_ONE, allocate

CM3_PER_KG = 6_000  # volumetric weight as road carriers count it


@dataclass(frozen=True)
class Load:
    """One order of a trip; solo_fen: what its delivery alone would cost."""

    order_id: int
    weight_g: int
    volume_cm3: int
    solo_fen: int

    @property
    def charged_g(self) -> int:
        """Return the weight it is charged by, at least one gram."""
        return max(1, self.weight_g, -(-self.volume_cm3 * 1_000 // CM3_PER_KG))


@dataclass(frozen=True)
class Share:
    """What one order bears of the trip."""

    order_id: int
    fen: int


def share(cost_fen: int, loads: Sequence[Load]) -> list[Share]:
    """Split a trip's cost; Σ shares = cost, the order of loads does not matter. Raises ValueError without loads or for a negative cost."""
    if not loads:
        raise ValueError("a trip has orders")
    ordered = sorted(loads, key=lambda load: load.order_id)
    parts = allocate(cost_fen, [load.charged_g for load in ordered])
    return [Share(load.order_id, fen) for load, fen in zip(ordered, parts, strict=True)]


def saving_bps(cost_fen: int, loads: Sequence[Load]) -> int:
    """Return 1 − cost ÷ Σ solo in basis points, rounded down; negative when the trip is dearer, 0 without solo costs."""
    solo = sum(load.solo_fen for load in loads)
    return (solo - cost_fen) * BPS_ONE // solo if solo else 0
