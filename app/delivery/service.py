"""Verbs of delivery: write templates, bind goods, make promises, keep the calendar, hold a place in a day's load (T23, M12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, select, update

from app.audit import service as audit
from app.catalog import queries as catalog
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.delivery import queries
from app.delivery.models import DeliveryClaim, DeliveryGoods, DeliveryLoad, DeliveryPromise, FreightTemplate, FreightVersion, Holiday
from app.delivery.promises import DAY_MINUTES, EVERY_DAY, Promise
from app.delivery.spec import TemplateSpec, check
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.merchants import service as merchants
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

MAX_TEMPLATES, MAX_PROMISES, MAX_CAPACITY = 20, 20, 100_000


def _areas() -> frozenset[str]:
    return frozenset(area.code for area in identity.list_areas())


def add_template(actor: Actor, merchant_id: int, spec: TemplateSpec) -> FreightTemplate:
    """Write a template with its first version; a shop's first one is its default. Raises Invalid naming the field, NotFound."""
    _own(actor, merchant_id)
    check(spec, _areas())
    known = queries.list_templates(merchant_id)
    if len(known) >= MAX_TEMPLATES:
        raise Invalid("freight.limit", f"一家店最多 {MAX_TEMPLATES} 个运费模板", field="name")
    template_id, at = new_id(), clock.now()
    row = FreightTemplate(
        id=template_id, merchant_id=merchant_id, name=clean(spec.name), basis=spec.basis, status="active", version=1,
        default_key=template_id if any(t.is_default for t in known) else merchant_id, created_at=at, updated_at=at,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()  # default_key is unique: two first templates may meet here
    except UniqueViolation as error:
        raise RunAgain("another template was the first one") from error
    _add_version(actor, template_id, 1, spec)
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "freight.created", "freight", template_id, detail={"name": row.name, "basis": spec.basis})
    return row


def revise_template(actor: Actor, template_id: int, spec: TemplateSpec, seen_version: int) -> int:
    """Write a template's next version; returns it. Raises NotFound, Invalid, Conflict(`freight.changed`) for a stale page."""
    row = queries.get_template(actor, template_id)
    check(spec, _areas())
    merchant_id, version = row.merchant_id, seen_version + 1
    values = {"version": version, "name": clean(spec.name), "basis": spec.basis, "updated_at": clock.now()}
    if not cas.change(FreightTemplate, template_id, where={"status": "active", "version": seen_version}, values=values):
        raise Conflict("freight.changed", "模板已被他人修改，请重新打开后再改")
    _add_version(actor, template_id, version, spec)
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "freight.edited", "freight", template_id, detail={"version": version})
    return version


def _add_version(actor: Actor, template_id: int, version: int, spec: TemplateSpec) -> None:
    session.add(
        FreightVersion(
            id=new_id(), template_id=template_id, version=version, spec=spec.to_json(), created_by=actor.account_id,
            created_at=clock.now(),
        )
    )  # fmt: skip


def _own(actor: Actor, merchant_id: int) -> None:
    if actor.realm == "merchant" and actor.merchant_id != merchant_id:
        raise NotFound("merchant.missing", "商家不存在")


def make_default(actor: Actor, template_id: int) -> None:
    """Make a template the one for goods without their own. Raises NotFound, Conflict(`freight.archived`)."""
    row = queries.get_template(actor, template_id)
    merchant_id = row.merchant_id
    session.execute(
        update(FreightTemplate)
        .where(FreightTemplate.default_key == merchant_id, FreightTemplate.id != template_id)
        .values(default_key=FreightTemplate.id)
        .execution_options(synchronize_session=False)
    )
    if not cas.change(FreightTemplate, template_id, where={"status": "active"}, values={"default_key": merchant_id}):
        raise Conflict("freight.archived", "模板已停用，不能设为默认")
    session.expire_all()
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "freight.default", "freight", template_id)


def archive_template(actor: Actor, template_id: int) -> None:
    """Take a template out of use; goods bound to it use the default again.

    Raises NotFound, Conflict(`freight.is_default`) for the default: goods must never be left without a rule.
    """
    row = queries.get_template(actor, template_id)
    merchant_id = row.merchant_id
    if not cas.change(
        FreightTemplate, template_id, where={"status": "active", "default_key": template_id}, values={"status": "archived"}
    ):
        raise Conflict("freight.is_default", "默认模板不能停用，请先把别的模板设为默认")
    session.execute(
        update(DeliveryGoods)
        .where(DeliveryGoods.template_id == template_id)
        .values(template_id=0)
        .execution_options(synchronize_session=False)
    )
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "freight.disabled", "freight", template_id)


def bind(actor: Actor, template_id: int, product_id: int, sku_id: int = 0, volume_cm3: int = 0) -> None:
    """Put a product (sku_id 0) or one variant under a template. Raises NotFound for foreign goods, Invalid for the volume."""
    template = queries.get_template(actor, template_id)
    merchant_id, product = template.merchant_id, catalog.get_for(actor, product_id)
    if product.merchant_id != merchant_id or (sku_id and sku_id not in {s.id for s in catalog.skus_of(product_id)}):
        raise NotFound("product.missing", "商品不存在")
    if not 0 <= volume_cm3 <= 50_000_000 or (template.basis == "volume" and not volume_cm3):
        raise Invalid("freight.volume", "按体积计费的商品须填写每件体积（立方厘米，最多 50000000）", field="volume_cm3")
    values = {"template_id": template_id, "volume_cm3": volume_cm3}
    own = (DeliveryGoods.product_id == product_id, DeliveryGoods.sku_id == sku_id)
    found = session.scalar(select(DeliveryGoods.id).where(*own))
    if found is not None:
        cas.change(DeliveryGoods, found, where={}, values=values)
    else:
        try:
            with session.begin_nested():
                session.add(DeliveryGoods(id=new_id(), merchant_id=merchant_id, product_id=product_id, sku_id=sku_id, **values))
                session.flush()
        except UniqueViolation as error:
            raise RunAgain("the goods were bound at the same moment") from error
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "freight.bound", "product", product_id, detail={"template_id": str(template_id), "sku_id": str(sku_id)})


def unbind(actor: Actor, goods_id: int) -> int:
    """Give goods back to the default template; returns the template they had. Raises NotFound."""
    row = session.get(DeliveryGoods, goods_id)
    if row is None or (actor.realm != "system" and row.merchant_id != actor.merchant_id):
        raise NotFound("freight.goods_missing", "商品不在运费模板中")
    merchant_id, product_id, template_id = row.merchant_id, row.product_id, row.template_id
    session.execute(delete(DeliveryGoods).where(DeliveryGoods.id == goods_id).execution_options(synchronize_session=False))
    session.expunge(row)
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "freight.unbound", "product", product_id)
    return template_id


@dataclass(frozen=True)
class PromiseInput:
    """A promise as its merchant writes it; see `promises.PromiseRule`."""

    name: str
    transit_days: int
    cutoff_min: int
    deliver_by_min: int
    areas: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = EVERY_DAY
    capacity: int = 0
    warehouse_id: int = 0
    template_id: int = 0


def add_promise(actor: Actor, merchant_id: int, data: PromiseInput) -> DeliveryPromise:
    """Make a promise. Raises Invalid naming the field, NotFound for a foreign warehouse or template."""
    _own(actor, merchant_id)
    values = _checked(actor, merchant_id, data)
    if len(queries.list_promises(merchant_id)) >= MAX_PROMISES:
        raise Invalid("promise.limit", f"一家店最多 {MAX_PROMISES} 条时效承诺", field="name")
    row = DeliveryPromise(id=new_id(), merchant_id=merchant_id, status="active", created_at=clock.now(), **values)
    session.add(row)
    session.flush()
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "promise.created", "promise", row.id, detail={"name": row.name})
    return row


def revise_promise(actor: Actor, promise_id: int, data: PromiseInput) -> None:
    """Change a promise; orders keep what they were promised. Raises NotFound, Invalid."""
    merchant_id = queries.get_promise(actor, promise_id).merchant_id
    cas.change(DeliveryPromise, promise_id, where={}, values=_checked(actor, merchant_id, data))
    merchants.touch_delivery(merchant_id)
    audit.record(actor, "promise.edited", "promise", promise_id)


def set_promise_active(actor: Actor, promise_id: int, active: bool) -> None:
    """Pause or resume a promise; repeating changes nothing. Raises NotFound."""
    merchant_id = queries.get_promise(actor, promise_id).merchant_id
    wanted, other = ("active", "paused") if active else ("paused", "active")
    if cas.change(DeliveryPromise, promise_id, where={"status": other}, values={"status": wanted}):
        merchants.touch_delivery(merchant_id)
        audit.record(actor, f"promise.{wanted}", "promise", promise_id)


def _checked(actor: Actor, merchant_id: int, data: PromiseInput) -> dict[str, object]:
    if not 1 <= len(clean(data.name)) <= 40:
        raise Invalid("promise.name", "请填写名称（40 字以内）", field="name")
    if not 0 <= data.transit_days <= 15:
        raise Invalid("promise.days", "送达天数为 0（当日）到 15", field="transit_days")
    if not 0 < data.cutoff_min < DAY_MINUTES or not 0 < data.deliver_by_min <= DAY_MINUTES:
        raise Invalid("promise.time", "请填写截单时间和送达时间", field="cutoff")
    if data.transit_days == 0 and data.deliver_by_min <= data.cutoff_min:
        raise Invalid("promise.time", "当日达的送达时间要晚于截单时间", field="deliver_by")
    if not set(data.areas) <= _areas():
        raise Invalid("promise.area", "地区不存在", field="areas")
    if not data.weekdays or not set(data.weekdays) <= set(EVERY_DAY):
        raise Invalid("promise.weekdays", "请至少选择一个发货日", field="weekdays")
    if not 0 <= data.capacity <= MAX_CAPACITY:
        raise Invalid("promise.capacity", f"每日上限为 0（不限）到 {MAX_CAPACITY}", field="capacity")
    if data.template_id and queries.get_template(actor, data.template_id).merchant_id != merchant_id:
        raise NotFound("freight.missing", "运费模板不存在")
    if data.warehouse_id and data.warehouse_id not in {w.id for w in inventory.warehouses_of(merchant_id)}:
        raise NotFound("warehouse.missing", "仓库不存在")
    return {
        "name": clean(data.name), "transit_days": data.transit_days, "cutoff_min": data.cutoff_min, "deliver_by_min": data.deliver_by_min,
        "areas": list(data.areas), "weekdays": "".join(str(day) for day in sorted(set(data.weekdays))), "capacity": data.capacity,
        "warehouse_id": data.warehouse_id, "template_id": data.template_id,
    }  # fmt: skip


def add_holiday(actor: Actor, day: date, name: str) -> None:
    """Close a day for the whole region. Raises Invalid for a past day, Conflict(`holiday.known`)."""
    if day < clock.business_date():
        raise Invalid("holiday.past", "请选择今天或以后的日期", field="day_on")
    if not 1 <= len(clean(name)) <= 40:
        raise Invalid("holiday.name", "请填写名称（40 字以内）", field="name")
    try:
        with session.begin_nested():
            session.add(Holiday(id=new_id(), day_on=day, name=clean(name)))
            session.flush()
    except UniqueViolation:
        raise Conflict("holiday.known", "这一天已在日历中", field="day_on") from None
    merchants.touch_delivery()
    audit.record(actor, "holiday.added", "holiday", day.isoformat(), detail={"name": clean(name)})


def remove_holiday(actor: Actor, holiday_id: int) -> None:
    """Open a day again. Raises NotFound."""
    row = session.get(Holiday, holiday_id)
    if row is None:
        raise NotFound("holiday.missing", "日历中没有这一天")
    day = row.day_on
    session.delete(row)
    merchants.touch_delivery()
    audit.record(actor, "holiday.removed", "holiday", day.isoformat())


def claim(order_id: int, promise: Promise) -> bool:
    """Take a place in the day's load for an order; False when the day is full. Raises a retryable Conflict when two first ones meet."""
    row = DeliveryLoad
    where = (row.promise_id == promise.rule_id, row.day_on == promise.dispatch_on)
    changed = session.execute(
        update(row).where(*where, row.taken < promise.capacity).values(taken=row.taken + 1).execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        if session.scalar(select(row.id).where(*where)) is not None:
            return False
        try:
            with session.begin_nested():
                session.add(row(id=new_id(), promise_id=promise.rule_id, day_on=promise.dispatch_on, taken=1))
                session.flush()
        except UniqueViolation as error:
            raise RunAgain("another order was the day's first") from error
    session.add(DeliveryClaim(id=new_id(), order_id=order_id, promise_id=promise.rule_id, day_on=promise.dispatch_on, state="held"))
    return True


def release(order_id: int) -> bool:
    """Give an order's place in a day's load back; once, whatever how often it is asked."""
    held = session.execute(
        select(DeliveryClaim.id, DeliveryClaim.promise_id, DeliveryClaim.day_on).where(DeliveryClaim.order_id == order_id)
    ).one_or_none()
    if held is None or not cas.change(DeliveryClaim, held.id, where={"state": "held"}, values={"state": "released"}):
        return False
    row = DeliveryLoad
    session.execute(
        update(row)
        .where(row.promise_id == held.promise_id, row.day_on == held.day_on, row.taken > 0)
        .values(taken=row.taken - 1)
        .execution_options(synchronize_session=False)
    )
    return True
