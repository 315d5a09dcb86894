"""What a freight template says, as written by its merchant; immutable once it is a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.core.errors import Invalid
from app.core.text import clean
from app.delivery.freight import BASES, Rate

MAX_RULES = 6
MAX_UNITS, MAX_FEN = 10_000_000, 10_000_000
UNKNOWN_AREA = "-"


@dataclass(frozen=True)
class RegionRule:
    """Steps for some areas; no areas: every area no other rule names."""

    areas: tuple[str, ...]
    first_units: int
    first_fen: int
    next_units: int = 0
    next_fen: int = 0
    free_over_fen: int = 0
    free_over_pieces: int = 0

    def rate(self, basis: str) -> Rate:
        """Return the rule as prices use it."""
        return Rate(
            basis, self.first_units, self.first_fen, self.next_units, self.next_fen, self.free_over_fen, self.free_over_pieces
        )


@dataclass(frozen=True)
class TemplateSpec:
    """One version of a template. excluded: areas nothing is sent to, whatever the rules say of the areas above them."""

    name: str
    basis: str
    rules: tuple[RegionRule, ...]
    excluded: tuple[str, ...] = ()
    excluded_reason: str = ""

    def verdict(self, chain: Sequence[str], area_name: str) -> Rate | str:
        """Return the rate of an area or why nothing goes there. chain: the area's code and those above it; nearest decides."""
        for code in chain:
            if code in self.excluded:
                return f"不配送到{area_name}" + (f"：{self.excluded_reason}" if self.excluded_reason else "")
            for rule in self.rules:
                if code in rule.areas:
                    return rule.rate(self.basis)
        rest = next((rule for rule in self.rules if not rule.areas), None)
        if rest is not None and (chain and chain[0] != UNKNOWN_AREA or not self.excluded):
            return rest.rate(self.basis)
        return "请先选择收货地区" if not chain or chain[0] == UNKNOWN_AREA else f"不配送到{area_name}"

    def to_json(self) -> dict[str, Any]:
        """Return the version as stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TemplateSpec:
        """Return a stored version."""
        rules = tuple(RegionRule(**{**rule, "areas": tuple(rule["areas"])}) for rule in value["rules"])
        return cls(value["name"], value["basis"], rules, tuple(value["excluded"]), value["excluded_reason"])


def check(spec: TemplateSpec, known_areas: frozenset[str]) -> None:
    """Raise Invalid naming the field unless the template is one a price can be made of."""
    if not 1 <= len(clean(spec.name)) <= 40:
        raise Invalid("freight.name", "请填写模板名称（40 字以内）", field="name")
    if spec.basis not in BASES:
        raise Invalid("freight.basis", "请选择计费方式", field="basis")
    if not spec.rules:
        raise Invalid("freight.rules", "请至少填写一条运费规则；没有规则的地区不配送", field="rules")
    if len(spec.rules) > MAX_RULES:
        raise Invalid("freight.rules", f"一个模板最多 {MAX_RULES} 条规则", field="rules")
    seen: set[str] = set(spec.excluded)
    if not seen <= known_areas:
        raise Invalid("freight.area", "不配送地区中有不存在的地区", field="excluded")
    for number, rule in enumerate(spec.rules):
        _check_rule(rule, number, seen, known_areas)
    if sum(not rule.areas for rule in spec.rules) > 1:
        raise Invalid("freight.rest", "“其余地区”的规则只能有一条", field="rules")


def _check_rule(rule: RegionRule, number: int, seen: set[str], known_areas: frozenset[str]) -> None:
    where = f"第 {number + 1} 条规则"
    if not set(rule.areas) <= known_areas:
        raise Invalid("freight.area", f"{where}中有不存在的地区", field="rules")
    if seen & set(rule.areas):
        raise Invalid("freight.area", f"{where}的地区已在别的规则或不配送地区中", field="rules")
    seen |= set(rule.areas)
    units = (rule.first_units, rule.next_units, rule.free_over_pieces)
    if rule.first_units < 1 or any(not 0 <= u <= MAX_UNITS for u in units):
        raise Invalid("freight.units", f"{where}的首件（首重、首体积）至少为 1，其余不能为负", field="rules")
    if any(not 0 <= fen <= MAX_FEN for fen in (rule.first_fen, rule.next_fen)) or rule.free_over_fen < 0:
        raise Invalid("freight.amount", f"{where}的金额不正确", field="rules")
    if rule.next_fen and not rule.next_units:
        raise Invalid("freight.next", f"{where}填了续费，请同时填写每续多少", field="rules")
