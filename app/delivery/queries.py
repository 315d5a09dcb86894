"""Reads of delivery: a shop's rules from memory, what they say of a destination, the desks' lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import bindparam, select

from app.catalog.models import Product, Sku
from app.core import clock, sql
from app.core.actor import Actor
from app.core.cache_reset import on_reset
from app.core.db import session
from app.core.errors import NotFound
from app.core.money import format_yuan
from app.delivery import promises
from app.delivery.freight import Goods, Plan, Rate, charge
from app.delivery.models import (
    DeliveryGoods,
    DeliveryLoad,
    DeliveryPromise,
    FreightTemplate,
    FreightVersion,
    Holiday,
    Pickup,
    PickupPoint,
)
from app.delivery.promises import Promise, PromiseRule
from app.delivery.spec import UNKNOWN_AREA, TemplateSpec
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.merchants.queries import Shop

__all__ = [
    "Plan", "Point", "Promise", "ShopRules", "get_promise", "get_template", "goods_of", "list_holidays", "list_promises",
    "list_templates", "pickup_of", "plan", "points_of", "promise_of", "promises_for", "rules_of", "spec_of", "unit_text",
    "versions_of", "weekday_text",
]  # fmt: skip
MAX_SHOPS = 2_000
_LOAD = select(DeliveryLoad.promise_id, DeliveryLoad.day_on, DeliveryLoad.taken).where(
    DeliveryLoad.promise_id.in_(bindparam("ids", expanding=True)), DeliveryLoad.day_on >= bindparam("today")
)


@dataclass(frozen=True)
class Point:
    """A pickup point as buyers see it."""

    id: int
    name: str
    area_code: str
    street: str
    phone: str
    hours: str
    keep_days: int


@dataclass(frozen=True)
class ShopRules:
    """All that a shop's delivery rules say at a revision."""

    revision: int
    templates: Mapping[int, TemplateSpec]
    default_id: int
    bound: Mapping[tuple[int, int], int]
    volumes: Mapping[tuple[int, int], int]
    promises: tuple[PromiseRule, ...]
    holidays: frozenset[date]
    points: tuple[Point, ...] = ()


_kept: dict[int, ShopRules] = {}


@on_reset
def forget() -> None:
    """Read every shop's rules again."""
    _kept.clear()


def rules_of(merchant_id: int, revision: int) -> ShopRules | None:
    """Return a shop's rules, from memory while its revision stands; None for a shop that has none (revision 0)."""
    if not revision:
        return None
    kept = _kept.get(merchant_id)
    if kept is not None and kept.revision == revision:
        return kept
    if len(_kept) >= MAX_SHOPS:
        _kept.clear()
    _kept[merchant_id] = found = _load(merchant_id, revision)
    return found


def _load(merchant_id: int, revision: int) -> ShopRules:
    t, v, g = FreightTemplate, FreightVersion, DeliveryGoods
    heads = session.execute(
        select(t.id, t.default_key, v.spec)
        .join(v, (v.template_id == t.id) & (v.version == t.version))
        .where(t.merchant_id == merchant_id, t.status == "active")
    ).all()
    goods = session.execute(select(g.product_id, g.sku_id, g.template_id, g.volume_cm3).where(g.merchant_id == merchant_id)).all()
    rows = session.scalars(
        select(DeliveryPromise).where(DeliveryPromise.merchant_id == merchant_id, DeliveryPromise.status == "active")
    ).all()
    days = session.scalars(select(Holiday.day_on).where(Holiday.day_on >= clock.business_date() - timedelta(days=1)))
    p = PickupPoint
    columns = (p.id, p.name, p.area_code, p.street, p.phone, p.hours, p.keep_days)
    usable = (p.status == "active", (p.merchant_id == merchant_id) | (p.is_shared == True))  # noqa: E712
    return ShopRules(
        revision, {row.id: TemplateSpec.from_json(row.spec) for row in heads},
        next((row.id for row in heads if row.default_key == merchant_id), 0),
        {(row.product_id, row.sku_id): row.template_id for row in goods if row.template_id},
        {(row.product_id, row.sku_id): row.volume_cm3 for row in goods if row.volume_cm3},
        tuple(_rule(row) for row in rows), frozenset(days),
        tuple(Point(*row) for row in session.execute(select(*columns).where(*usable).order_by(p.is_shared, p.id).limit(200))),
    )  # fmt: skip


def _rule(row: DeliveryPromise) -> PromiseRule:
    return PromiseRule(
        row.id, row.transit_days, row.cutoff_min, row.deliver_by_min, frozenset(row.areas), row.warehouse_id, row.template_id,
        tuple(int(day) for day in row.weekdays), row.capacity,
    )  # fmt: skip


def chain_of(area_code: str) -> list[str]:
    """Return an area's code and those above it, nearest first."""
    parents = {area.code: area.parent_code for area in identity.list_areas()}
    chain = [area_code]
    while (above := parents.get(chain[-1], "-")) not in {"-", *chain}:
        chain.append(above)
    return chain


def plan(shop: Shop, area_code: str) -> Plan | None:
    """Return what a shop's templates say of a destination; None for a shop without any, whose flat freight counts."""
    rules = rules_of(shop.id, shop.delivery_revision)
    if rules is None or not rules.templates:
        return None
    chain, name = chain_of(area_code or UNKNOWN_AREA), identity.area_name(area_code)
    rates = {template_id: spec.verdict(chain, name) for template_id, spec in rules.templates.items()}
    return Plan(rates, rules.default_id, rules.bound, rules.volumes)


def unit_text(plan: Plan, goods: Goods, price_fen: int) -> str:
    """Return what one unit costs to send by itself, in words, or why it is not sent."""
    found = charge(plan, [(goods, price_fen)])
    if found.refused:
        return found.refused[0][1]
    rate = plan.rates[plan.template_of(goods)]
    free = f"，满 ¥{format_yuan(rate.free_over_fen)} 包邮" if isinstance(rate, Rate) and rate.free_over_fen else ""
    return (f"¥{format_yuan(found.fen)}" if found.fen else "包邮") + free


def points_of(shop: Shop, area_code: str) -> list[Point]:
    """Return where buyers may collect a shop's goods, points of the area first."""
    rules = rules_of(shop.id, shop.delivery_revision)
    return sorted(rules.points, key=lambda point: point.area_code != area_code) if rules is not None else []


def pickup_of(order_id: int) -> tuple[Pickup, PickupPoint] | None:
    """Return an order's pickup with its point, None when it is sent; one query. The caller has checked who may see the order."""
    joined = select(Pickup, PickupPoint).join(PickupPoint, PickupPoint.id == Pickup.point_id)
    found = session.execute(joined.where(Pickup.order_id == order_id)).one_or_none()
    return None if found is None else (found[0], found[1])


def promise_of(shop: Shop, area_code: str, goods: Sequence[Goods]) -> Promise | None:
    """Return the best promise of a shop for its part of an order; None when it makes none."""
    return promises_for([shop], area_code, {shop.id: goods}).get(shop.id)


def promises_for(shops: Iterable[Shop], area_code: str, goods: Mapping[int, Sequence[Goods]]) -> dict[int, Promise]:
    """Return the best promise by merchant. No query while no rule names a warehouse or a capacity; one for each of the two.

    goods: lines by merchant. A variant that cannot be sent to the area is promised nothing.
    """
    at, chain, found = clock.now(), chain_of(area_code or UNKNOWN_AREA), {}
    with_rules = [(shop, rules) for shop in shops if (rules := rules_of(shop.id, shop.delivery_revision)) and rules.promises]
    taken = _taken([rule.id for _, rules in with_rules for rule in rules.promises if rule.capacity])
    for shop, rules in with_rules:
        lines, freight = goods.get(shop.id, ()), plan(shop, area_code)
        if not lines or (freight is not None and any(freight.refusal(line) for line in lines)):
            continue
        templates = {freight.template_of(line) for line in lines} if freight is not None else {0}
        holding = _holding(lines) if any(rule.warehouse_id for rule in rules.promises) else ()
        made = promises.best(
            rules.promises, at, chain, holidays=rules.holidays, templates=templates, warehouses=holding, taken=taken
        )
        if made is not None:
            found[shop.id] = made
    return found


def _taken(rule_ids: Sequence[int]) -> dict[tuple[int, date], int]:
    if not rule_ids:
        return {}
    rows = sql.read(_LOAD, {"ids": list(rule_ids), "today": clock.business_date()})
    return {(row.promise_id, row.day_on): row.taken for row in rows}


def _holding(lines: Sequence[Goods]) -> set[int]:
    """Return the warehouses that hold all of the lines."""
    free = inventory.free_by_warehouse({line.sku_id for line in lines})
    sets = [{w for w, units in free[line.sku_id].items() if units >= line.quantity} for line in lines]
    return set.intersection(*sets) if sets else set()


def get_template(actor: Actor, template_id: int) -> FreightTemplate:
    """Return a template of the actor's shop. Raises NotFound."""
    row = session.get(FreightTemplate, template_id)
    if row is None or (actor.realm != "system" and row.merchant_id != actor.merchant_id):
        raise NotFound("freight.missing", "运费模板不存在")
    return row


def spec_of(template: FreightTemplate) -> TemplateSpec:
    """Return what a template says now; one query."""
    v = FreightVersion
    where = (v.template_id == template.id, v.version == template.version)
    return TemplateSpec.from_json(session.scalars(select(v.spec).where(*where)).one())


def list_templates(merchant_id: int) -> list[FreightTemplate]:
    """Return a shop's templates in use, the default first."""
    rows = session.scalars(
        select(FreightTemplate).where(FreightTemplate.merchant_id == merchant_id, FreightTemplate.status == "active")
    )
    return sorted(rows, key=lambda row: (not row.is_default, row.id))


def versions_of(template: FreightTemplate) -> list[FreightVersion]:
    """Return a template's versions, newest first."""
    newest = FreightVersion.version.desc()
    return list(session.scalars(select(FreightVersion).where(FreightVersion.template_id == template.id).order_by(newest)))


def goods_of(merchant_id: int, template_id: int) -> list[Any]:
    """Return (goods row, product title, option key or None) of what is bound to a template."""
    g = DeliveryGoods
    return list(
        session.execute(
            select(g, Product.title, Sku.option_key)
            .join(Product, Product.id == g.product_id)
            .outerjoin(Sku, Sku.id == g.sku_id)
            .where(g.merchant_id == merchant_id, g.template_id == template_id)
            .order_by(g.id)
        )
    )


def get_promise(actor: Actor, promise_id: int) -> DeliveryPromise:
    """Return a promise of the actor's shop. Raises NotFound."""
    row = session.get(DeliveryPromise, promise_id)
    if row is None or (actor.realm != "system" and row.merchant_id != actor.merchant_id):
        raise NotFound("promise.missing", "时效承诺不存在")
    return row


def list_promises(merchant_id: int) -> list[DeliveryPromise]:
    """Return a shop's promises."""
    mine = select(DeliveryPromise).where(DeliveryPromise.merchant_id == merchant_id)
    return list(session.scalars(mine.order_by(DeliveryPromise.transit_days, DeliveryPromise.id)))


def list_holidays() -> list[Holiday]:
    """Return the calendar from today on."""
    return list(session.scalars(select(Holiday).where(Holiday.day_on >= clock.business_date()).order_by(Holiday.day_on)))


def weekday_text(weekdays: Collection[int] | str) -> str:
    """Return ISO days in words."""
    days = sorted(int(day) for day in weekdays)
    return "每天" if len(days) == 7 else "周" + "、".join("一二三四五六日"[day - 1] for day in days)
