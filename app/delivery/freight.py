"""What freight costs: pure, integers only. Units are pieces, grams or cubic centimetres, by the template's basis (T23, M12).

Lines of one template are added up before steps are counted. Several templates in one merchant's order share one first step, the
dearest: the other templates pay further steps for all their units. What no rule covers is refused with its reason, never free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

PIECE, WEIGHT, VOLUME = "piece", "weight", "volume"
BASES = {PIECE: "按件", WEIGHT: "按重量", VOLUME: "按体积"}


class Goods(Protocol):
    """What freight looks at of a line."""

    @property
    def sku_id(self) -> int: ...
    @property
    def product_id(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def weight_g(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Rate:
    """What a template takes in one region: first_fen up to first_units, next_fen for each begun next_units (0 = no more is taken).

    free_over_fen, free_over_pieces: the template's lines travel free from there on, 0 = never.
    """

    basis: str
    first_units: int
    first_fen: int
    next_units: int = 0
    next_fen: int = 0
    free_over_fen: int = 0
    free_over_pieces: int = 0

    def price(self, units: int, *, leads: bool) -> int:
        """Return what units cost; without the lead the first step is another template's and every unit is a further one."""
        if units <= 0:
            return 0
        beyond = max(0, units - self.first_units) if leads else units
        steps = -(-beyond // self.next_units) if self.next_units else 0
        return (self.first_fen if leads else 0) + steps * self.next_fen

    def is_free(self, taken_fen: int, pieces: int) -> bool:
        """Tell whether lines worth so much, of so many pieces, travel free."""
        return bool((self.free_over_fen and taken_fen >= self.free_over_fen) or (self.free_over_pieces and pieces >= self.free_over_pieces))


@dataclass(frozen=True, slots=True)
class Plan:
    """What one shop's templates say about one destination.

    rates: by template id, a text says why nothing goes there. bound: template by (product, SKU), SKU 0 = all variants.
    default_id: of what is not bound, 0 = no default. volumes: cm³ of a piece by (product, SKU).
    """

    rates: Mapping[int, Rate | str]
    default_id: int = 0
    bound: Mapping[tuple[int, int], int] = field(default_factory=dict)
    volumes: Mapping[tuple[int, int], int] = field(default_factory=dict)

    def template_of(self, goods: Goods) -> int:
        """Return the template of a variant: its own, its product's, the default."""
        own = self.bound.get((goods.product_id, goods.sku_id)) or self.bound.get((goods.product_id, 0))
        return own or self.default_id

    def units_of(self, goods: Goods, basis: str) -> int:
        """Return a line's units on a basis, 0 when the merchant has not said what a piece weighs or measures."""
        if basis == PIECE:
            return goods.quantity
        if basis == WEIGHT:
            return goods.quantity * goods.weight_g
        each = self.volumes.get((goods.product_id, goods.sku_id)) or self.volumes.get((goods.product_id, 0), 0)
        return goods.quantity * each

    def refusal(self, goods: Goods) -> str:
        """Return why a line cannot be sent, '' when it can."""
        rate = self.rates.get(self.template_of(goods), "商家尚未设置此商品的运费")
        if isinstance(rate, str):
            return rate
        if self.units_of(goods, rate.basis) <= 0:
            return "商家未填写此商品的重量，暂不能配送" if rate.basis == WEIGHT else "商家未填写此商品的体积，暂不能配送"
        return ""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a merchant's lines cost to send; refused: (SKU, reason) of those that cannot be sent, which are not in fen."""

    fen: int
    refused: tuple[tuple[int, str], ...] = ()


def charge(plan: Plan, goods: Iterable[tuple[Goods, int]]) -> Charge:
    """Price one merchant's (line, what the merchant takes for it) pairs."""
    groups: dict[int, list[tuple[Goods, int]]] = {}
    refused = []
    for line, taken_fen in goods:
        reason = plan.refusal(line)
        if reason:
            refused.append((line.sku_id, reason))
        else:
            groups.setdefault(plan.template_of(line), []).append((line, taken_fen))
    paying: list[tuple[int, Rate, int]] = []
    for template_id, lines in groups.items():
        rate = plan.rates[template_id]
        if isinstance(rate, Rate) and not rate.is_free(sum(taken for _, taken in lines), sum(line.quantity for line, _ in lines)):
            paying.append((template_id, rate, sum(plan.units_of(line, rate.basis) for line, _ in lines)))
    return Charge(_merged(paying), tuple(sorted(refused)))


def _merged(paying: Sequence[tuple[int, Rate, int]]) -> int:
    lead = max(paying, key=lambda p: (p[1].first_fen, -p[0]), default=None)
    return sum(rate.price(units, leads=lead is not None and template_id == lead[0]) for template_id, rate, units in paying)
