"""What a rule says, and the evaluation: a pure function of collected inputs; integers only, no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.core.errors import Invalid

FEATURES = {
    "account_orders": "同一账号 {hours} 小时内下单数", "phone_orders": "同一收货手机 {hours} 小时内下单数",
    "address_orders": "同一收货地址 {hours} 小时内下单数", "address_accounts": "同一收货地址 {hours} 小时内的账号数",
    "phone_accounts": "同一收货手机 {hours} 小时内的账号数", "amount_fen": "交易金额（分）", "amount_times": "金额为本人历史均单的倍数",
    "new_area": "首次寄往该县区（1 为是）", "coupon_trades": "同一账号 {hours} 小时内用券交易数",
    "cancelled_trades": "同一账号 {hours} 小时内取消数",
}  # fmt: skip
ACTIONS = {"allow": "放行", "review": "仅复核", "hold": "暂停发货并复核", "deny": "取消并退款"}
SEVERITY = tuple(ACTIONS)
MODES = {"off": "停用", "shadow": "试运行", "live": "启用"}
MAX_HOURS = 24 * 90


@dataclass(frozen=True)
class Rule:
    """One version of a rule: the action when every feature named is at least its threshold. hours: how far its counts look back."""

    code: str
    version: int
    mode: str
    name: str
    action: str
    hours: int
    thresholds: tuple[tuple[str, int], ...]

    def spec(self) -> dict[str, Any]:
        """Return what a version row keeps."""
        kept = asdict(self)
        return {name: kept[name] for name in ("name", "action", "hours")} | {"thresholds": [list(pair) for pair in self.thresholds]}

    def matches(self, inputs: Mapping[str, int]) -> bool:
        """Tell whether all thresholds are reached; a feature that was not collected counts as zero."""
        return all(inputs.get(key_of(feature, self.hours), 0) >= least for feature, least in self.thresholds)


@dataclass(frozen=True)
class Verdict:
    """What the rules say together: the gravest action of the live ones; hits of live and shadow rules."""

    action: str
    hits: tuple[tuple[str, int, str, str], ...]


def key_of(feature: str, hours: int) -> str:
    """Return the name of an input: counts are told apart by how far they look back."""
    return f"{feature}.{hours}" if "{hours}" in FEATURES[feature] else feature


def needed(rules: Sequence[Rule]) -> set[tuple[str, int]]:
    """Return the (feature, hours) the rules look at."""
    return {(feature, rule.hours if "{hours}" in FEATURES[feature] else 0) for rule in rules for feature, _ in rule.thresholds}


def evaluate(rules: Sequence[Rule], inputs: Mapping[str, int]) -> Verdict:
    """Judge inputs; the order of the rules does not matter, and a rule more never makes the action milder."""
    matched = sorted((rule for rule in rules if rule.mode != "off" and rule.matches(inputs)), key=lambda rule: rule.code)
    actions = [rule.action for rule in matched if rule.mode == "live"]
    gravest = max(actions, key=SEVERITY.index, default="allow")
    return Verdict(gravest, tuple((rule.code, rule.version, rule.mode, rule.action) for rule in matched))


def checked(name: str, action: str, hours: int, thresholds: Mapping[str, int]) -> dict[str, Any]:
    """Return a spec. Raises Invalid naming the field."""
    if not 2 <= len(name) <= 40:
        raise Invalid("risk.name", "请填写规则名称（2–40 字）", field="name")
    if action not in ACTIONS or action == "allow":
        raise Invalid("risk.action", "请选择命中后的处理", field="action")
    if not 1 <= hours <= MAX_HOURS:
        raise Invalid("risk.hours", f"统计时长为 1–{MAX_HOURS} 小时", field="hours")
    if not thresholds or not set(thresholds) <= set(FEATURES) or any(not 1 <= least <= 10**12 for least in thresholds.values()):
        raise Invalid("risk.thresholds", "请至少填写一个条件，数值为正整数", field="thresholds")
    return {"name": name, "action": action, "hours": hours, "thresholds": sorted([key, least] for key, least in thresholds.items())}
