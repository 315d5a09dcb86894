"""What a rule says, as data: one value for forms, versions and the quote, with the checks every rule must pass (K26)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core import clock
from app.core.errors import Invalid
from app.promotions.pricing import ITEM_KINDS, Funding, Rule, Scope

KINDS = {
    "full_cut": "满减", "timed": "限时折扣", "member_day": "会员日", "first_order": "首单立减", "scan": "扫码线下价", "coupon": "优惠券",
    "freight": "运费减免",
}  # fmt: skip
CHANNELS = {"web": "网页", "scan": "扫码进店"}
MERCHANT_KINDS = ("full_cut", "timed", "scan", "coupon", "freight")
OWNERS = {"merchant": "商家", "platform": "平台", "programme": "政府项目"}
MAX_TIERS, MAX_WINDOW_DAYS, MAX_LIMIT = 3, 366, 10_000_000


@dataclass(frozen=True)
class RuleSpec:
    """A rule as its author writes it; amounts in fen, rates in basis points of what is paid (8 折 = 8,000).

    starts_at, ends_at: window of a promotion, claim window of a coupon. valid_days: life of a claimed coupon in days, 0 = until
    ends_at. quantity, per_account, budget_fen: 0 = no limit. is_public: claimable by everybody, else issued to accounts.
    """

    kind: str
    owner: str
    title: str
    starts_at: datetime
    ends_at: datetime
    merchant_id: int = 0
    tiers: tuple[tuple[int, int], ...] = ()
    rate_bps: int = 0
    min_fen: int = 0
    max_off_fen: int = 0
    month_days: tuple[int, ...] = ()
    categories: tuple[int, ...] = ()
    products: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    priority: int = 0
    exclusive: bool = False
    merchant_bps: int = 0
    programme: str = "-"
    quantity: int = 0
    per_account: int = 0
    budget_fen: int = 0
    valid_days: int = 0
    is_public: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the canonical JSON value of the version row."""
        value = asdict(self)
        value["starts_us"], value["ends_us"] = clock.microseconds(value.pop("starts_at")), clock.microseconds(value.pop("ends_at"))
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RuleSpec:
        """Read a version row. Raises TypeError for fields this release does not know: a rule is never half understood."""
        data = dict(value)
        starts, ends = data.pop("starts_us"), data.pop("ends_us")
        data["tiers"] = tuple((int(a), int(b)) for a, b in data["tiers"])
        for name in ("month_days", "categories", "products", "tags", "areas", "channels"):
            data[name] = tuple(data[name])
        return cls(starts_at=_instant(starts), ends_at=_instant(ends), **data)

    @property
    def is_limited(self) -> bool:
        """Tell whether uses are counted; a coupon's limits count claims instead."""
        return self.kind != "coupon" and bool(self.quantity or self.per_account or self.budget_fen)

    def valid_until(self, claimed_at: datetime) -> datetime:
        """Return when a coupon claimed now ends: after valid_days, at the end of that business day, else with the window."""
        if not self.valid_days:
            return self.ends_at
        return clock.day_bounds(clock.business_date(claimed_at) + timedelta(days=self.valid_days))[0]

    def rule(self, rule_id: int, version: int) -> Rule:
        """Return the value the quote computes with."""
        if self.owner == "programme":
            funding = Funding(0, 0, 10_000, self.programme)
        else:
            funding = Funding(self.merchant_bps, 10_000 - self.merchant_bps)
        return Rule(
            rule_id, version, self.kind, self.owner, self.title, self.starts_at, self.ends_at,
            Scope(
                self.merchant_id, frozenset(self.categories), frozenset(self.products), frozenset(self.tags), frozenset(self.areas)
            ),
            self.tiers, self.rate_bps, self.min_fen, self.max_off_fen, self.month_days, frozenset(self.channels), self.priority,
            self.exclusive, funding, self.is_limited,
        )  # fmt: skip


def _instant(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def check(spec: RuleSpec) -> None:
    """Refuse a rule that cannot work. Raises Invalid(`promotion.*`) with the field of the form it belongs to."""
    if spec.kind not in KINDS or spec.owner not in OWNERS:
        raise Invalid("promotion.kind", "活动类型不正确", field="kind")
    if (spec.owner == "merchant") != bool(spec.merchant_id):
        raise Invalid("promotion.owner", "商家活动必须属于一家店铺", field="owner")
    if spec.owner == "merchant" and (spec.kind not in MERCHANT_KINDS or spec.merchant_bps != 10_000):
        raise Invalid("promotion.kind", "商家不能创建这种活动", field="kind")
    if not spec.title:
        raise Invalid("promotion.title", "请填写活动名称", field="title")
    if not spec.starts_at < spec.ends_at or spec.ends_at - spec.starts_at > timedelta(days=MAX_WINDOW_DAYS):
        raise Invalid("promotion.window", f"结束时间须晚于开始时间，且不超过 {MAX_WINDOW_DAYS} 天", field="ends_at")
    if not 0 <= spec.merchant_bps <= 10_000:
        raise Invalid("promotion.funder", "商家承担比例为 0%–100%", field="merchant_share")
    if spec.owner == "programme" and (spec.programme == "-" or spec.merchant_bps):
        raise Invalid("promotion.programme", "请填写出资的政府项目，其优惠由项目全额承担", field="programme")
    if not set(spec.channels) <= set(CHANNELS):
        raise Invalid("promotion.channel", "渠道不正确", field="channel")
    if min(spec.quantity, spec.per_account, spec.budget_fen, spec.valid_days) < 0 or max(spec.quantity, spec.per_account) > MAX_LIMIT:
        raise Invalid("promotion.limit", "数量限制不正确", field="quantity")
    if spec.kind == "first_order" and spec.per_account != 1:
        raise Invalid("promotion.limit", "首单优惠每人限一次", field="per_account")
    if spec.kind == "coupon" and not (spec.quantity and spec.per_account):
        raise Invalid("promotion.limit", "优惠券须填写发行总量和每人限领张数", field="quantity")
    if any(not 1 <= day <= 31 for day in spec.month_days) or (spec.kind == "member_day" and not spec.month_days):
        raise Invalid("promotion.days", "请填写会员日是每月几号（1–31）", field="month_days")
    _check_benefit(spec)


def _check_benefit(spec: RuleSpec) -> None:
    by_rate = spec.kind in ITEM_KINDS or (spec.kind == "coupon" and not spec.tiers)
    if by_rate:
        if not 100 <= spec.rate_bps < 10_000 or spec.tiers:
            raise Invalid("promotion.rate", "折扣为 0.1 折到 9.9 折", field="rate")
    elif spec.kind == "freight":
        if spec.tiers or spec.rate_bps or spec.products or spec.categories or spec.tags or spec.areas:
            raise Invalid("promotion.freight", "运费减免只按店铺和商品金额判断", field="scope")
    else:
        _check_tiers(spec)
    if spec.min_fen < 0 or spec.max_off_fen < 0:
        raise Invalid("promotion.amount", "金额不能为负", field="min_fen")


def _check_tiers(spec: RuleSpec) -> None:
    tiers = spec.tiers
    if not 1 <= len(tiers) <= (1 if spec.kind in {"coupon", "first_order"} else MAX_TIERS):
        raise Invalid("promotion.tiers", f"请填写 1–{MAX_TIERS} 档门槛和减额", field="tiers")
    if any(off <= 0 or threshold < 0 or (threshold and off > threshold) for threshold, off in tiers):
        raise Invalid("promotion.tiers", "减额须大于 0 且不超过门槛", field="tiers")
    rising = all(a[0] < b[0] and a[1] < b[1] for a, b in zip(tiers, tiers[1:], strict=False))
    if not rising:
        raise Invalid("promotion.tiers", "档位须由低到高，门槛和减额都递增", field="tiers")


def benefit_text(spec: RuleSpec) -> str:
    """Return the benefit in words: 满100减10，满200减30 / 8折 / 满50享9折，最高减20."""
    if spec.kind == "freight":
        head = f"满{yuan(spec.min_fen)}" if spec.min_fen else ""
        return f"{head}减运费，最高减{yuan(spec.max_off_fen)}" if spec.max_off_fen else f"{head}免运费"
    if spec.tiers:
        return "，".join(f"满{yuan(t)}减{yuan(off)}" if t else f"立减{yuan(off)}" for t, off in spec.tiers)
    head = f"满{yuan(spec.min_fen)}享" if spec.min_fen else ""
    tail = f"，最高减{yuan(spec.max_off_fen)}" if spec.max_off_fen else ""
    days = f"每月{'、'.join(str(d) for d in spec.month_days)}日" if spec.month_days else ""
    return f"{days}{head}{fold(spec.rate_bps)}{tail}"


def yuan(fen: int) -> str:
    """Return yuan without needless decimals: 1000 -> 10, 1050 -> 10.5."""
    whole, cents = divmod(fen, 100)
    return str(whole) if not cents else f"{whole}.{cents:02d}".rstrip("0")


def fold(rate_bps: int) -> str:
    """Return 折 of a rate: 8000 -> 8折, 8500 -> 8.5折."""
    whole, rest = divmod(rate_bps, 1_000)
    return f"{whole}折" if not rest else f"{whole}.{rest:03d}".rstrip("0") + "折"
