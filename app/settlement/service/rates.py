"""The rate list: ordered, dated, first match wins; every change is a new version, so that the past can be asked (commerce.md §2.10)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select

from app.audit import service as audit
from app.catalog import queries as catalog
from app.core import cas, clock, runtime, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.money import BPS_ONE
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.settlement.chart import FOREVER, NONE
from app.settlement.models import Rate
from app.settlement.shares import Contract

LAST_PLACE = 9_999
NEWCOMER_PLACE = 100
YEAR = timedelta(days=365)
FREIGHT_TO = {"merchant": "商家", "carrier": "物流商"}


@dataclass(frozen=True)
class Resolved:
    """The first rule that matches, as it is frozen on a line; rule_id 0 is the default of the settings."""

    rule_id: int
    version: int
    contract: Contract
    freight_to: str


@dataclass(frozen=True)
class RateInput:
    """A line of the rate list as an operator states it; 0 and '-' mean any; valid_until_on is the first day without effect."""

    place: int
    fee_bps: int
    promoter_bps: int = 0
    logistics_bps: int = 0
    freight_to: str = "merchant"
    merchant_id: int = 0
    category_id: int = 0
    area_code: str = NONE
    valid_from_on: date = date(2000, 1, 1)
    valid_until_on: date = FOREVER
    note: str = NONE


_RATE = sql.table_of(Rate).c
_RATES = (
    select(
        _RATE.rule_id, _RATE.version, _RATE.merchant_id, _RATE.category_id, _RATE.area_code, _RATE.fee_bps, _RATE.promoter_bps,
        _RATE.logistics_bps, _RATE.freight_to, _RATE.valid_from_on, _RATE.valid_until_on, _RATE.made_at, _RATE.ended_at,
    )
    .where(_RATE.merchant_id.in_(bindparam("merchant_ids", expanding=True)))
    .where(or_(_RATE.ended_at.is_(None), _RATE.ended_at > bindparam("at")))
    .order_by(_RATE.place, _RATE.rule_id)
)  # fmt: skip


class RateBook:
    """The rules of some merchants since an instant, read once: two queries however many orders are split."""

    def __init__(self, merchant_ids: Collection[int], since: datetime) -> None:
        self._areas = {shop.id: shop.area_code for shop in merchants.shops(list(merchant_ids)).values()}
        self._rows = sql.read(_RATES, {"merchant_ids": [0, *merchant_ids], "at": since}).all()

    def resolver(self, merchant_id: int, at: datetime) -> Resolver:
        """Return the rules in force for a merchant at an instant."""
        day = clock.business_date(at)
        rules = [
            row for row in self._rows
            if row.merchant_id in (0, merchant_id) and row.made_at <= at and (row.ended_at is None or row.ended_at > at)
            and row.valid_from_on <= day < row.valid_until_on
        ]  # fmt: skip
        return Resolver(self._areas.get(merchant_id, NONE), rules)


class Resolver:
    """The rules in force for a merchant at an instant, in their order; a match per line."""

    def __init__(self, area_code: str, rules: Sequence[Any]) -> None:
        self.area_code, self.rules = area_code, rules

    def resolve(self, category_id: int) -> Resolved:
        """Return the first rule whose conditions hold for a product of this category."""
        path = _path_of(category_id)
        for rule in self.rules:
            if rule.category_id not in (0, *path) or rule.area_code not in (NONE, self.area_code):
                continue
            contract = Contract(rule.fee_bps, rule.promoter_bps, rule.logistics_bps)
            return Resolved(rule.rule_id, rule.version, contract, rule.freight_to)
        return Resolved(0, 0, Contract(runtime.current().settings.settlement.default_fee_bps), "merchant")


def _path_of(category_id: int) -> tuple[int, ...]:
    """Return a category with its ancestors."""
    path: list[int] = []
    while category_id and category_id not in path:
        path.append(category_id)
        found = catalog.find_category(category_id)
        category_id = found.parent_id if found is not None else 0
    return tuple(path)


def get(rule_id: int) -> Rate:
    """Return the current version of a rule. Raises NotFound for an unknown or ended one."""
    found = session.scalar(select(Rate).where(Rate.rule_id == rule_id, Rate.ended_at.is_(None)))
    if found is None:
        raise NotFound("rate.missing", "分账规则不存在或已停用")
    return found


def _check(wanted: RateInput) -> None:
    if not 1 <= wanted.place <= LAST_PLACE:
        raise Invalid("rate.place", f"顺序为 1–{LAST_PLACE}", field="place")
    for name in ("fee_bps", "promoter_bps", "logistics_bps"):
        if not 0 <= getattr(wanted, name) <= BPS_ONE:
            raise Invalid("rate.bps", "比例为 0–100%", field=name)
    if wanted.fee_bps + wanted.promoter_bps + wanted.logistics_bps > BPS_ONE:
        raise Invalid("rate.sum", "平台、推广、物流比例之和不能超过 100%", field="fee_bps")
    if wanted.freight_to not in FREIGHT_TO:
        raise Invalid("rate.freight", "请选择运费归属", field="freight_to")
    if wanted.valid_from_on >= wanted.valid_until_on:
        raise Invalid("rate.dates", "结束日须晚于开始日", field="valid_until_on")
    if wanted.merchant_id and merchants.find(wanted.merchant_id) is None:
        raise Invalid("rate.merchant", "商家不存在", field="merchant_id")
    if wanted.category_id and catalog.find_category(wanted.category_id) is None:
        raise Invalid("rate.category", "类目不存在", field="category_id")
    if wanted.area_code != NONE and wanted.area_code not in {area.code for area in identity.list_areas()}:
        raise Invalid("rate.area", "县区不存在", field="area_code")


def save(actor: Actor, wanted: RateInput, *, rule_id: int = 0, version: int = 0) -> int:
    """Add a rule, or replace version `version` of one by the next; returns the rule's id.

    Orders paid before this moment keep their rate. Raises Invalid, NotFound, Conflict(`rate.moved`) when somebody else was faster.
    """
    _check(wanted)
    at = clock.now()
    if rule_id:
        current = get(rule_id)
        if current.version != version or not cas.change(Rate, current.id, where={"ended_at": None}, values={"ended_at": at}):
            raise Conflict("rate.moved", "规则刚被修改过，请查看最新内容后再提交")
    number = version + 1 if rule_id else 1
    rule_id = rule_id or new_id()
    session.add(
        Rate(
            id=new_id(), rule_id=rule_id, version=number, place=wanted.place, merchant_id=wanted.merchant_id,
            category_id=wanted.category_id, area_code=wanted.area_code or NONE, fee_bps=wanted.fee_bps,
            promoter_bps=wanted.promoter_bps, logistics_bps=wanted.logistics_bps, freight_to=wanted.freight_to,
            valid_from_on=wanted.valid_from_on, valid_until_on=wanted.valid_until_on, note=wanted.note[:120] or NONE,
            made_at=at, made_by=actor.name[:60] or NONE,
        )
    )  # fmt: skip
    audit.record(
        actor, "rate.saved", "rate", rule_id,
        detail={"version": number, "place": wanted.place, "fee_bps": wanted.fee_bps, "promoter_bps": wanted.promoter_bps,
                "logistics_bps": wanted.logistics_bps, "freight_to": wanted.freight_to, "merchant_id": wanted.merchant_id,
                "category_id": wanted.category_id, "area_code": wanted.area_code, "from": f"{wanted.valid_from_on}",
                "until": f"{wanted.valid_until_on}"},
    )  # fmt: skip
    return rule_id


def end(actor: Actor, rule_id: int, version: int) -> None:
    """Stop a rule from now on. Raises NotFound, Conflict(`rate.moved`)."""
    current = get(rule_id)
    ended = {"ended_at": clock.now()}
    if current.version != version or not cas.change(Rate, current.id, where={"ended_at": None}, values=ended):
        raise Conflict("rate.moved", "规则刚被修改过，请查看最新内容后再提交")
    audit.record(actor, "rate.ended", "rate", rule_id, detail={"version": version})


def grant_first_year(merchant_id: int) -> bool:
    """Give a merchant its first year without commission as a dated rule of 0; True when it was given now, once per merchant."""
    if not runtime.current().settings.settlement.first_year_free:
        return False
    if session.scalar(select(Rate.id).where(Rate.merchant_id == merchant_id).limit(1)) is not None:
        return False  # approved again after a suspension, or an agreed rate exists
    today = clock.business_date()
    wanted = RateInput(NEWCOMER_PLACE, 0, merchant_id=merchant_id, valid_from_on=today, valid_until_on=today + YEAR, note="首年免费")
    save(SYSTEM, wanted)
    return True
