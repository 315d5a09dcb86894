"""Verbs of warehouses: central, street-front, third-party and the merchants' own (T19, T20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select

from app.audit import service as audit
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.identity import queries as identity
from app.inventory.models import LotStock, ServiceArea, Stock, Transfer, Warehouse
from app.inventory.service.columns import handled, may_handle
from dbadapters.errors import UniqueViolation

KINDS = {"merchant": "商家自有仓", "central": "区域中心仓", "street": "街道前置仓", "third_party": "第三方仓"}
PLATFORM_KINDS = ("central", "street", "third_party")


@dataclass(frozen=True)
class WarehouseInput:
    """A warehouse as typed. area_codes: districts it serves first."""

    code: str
    name: str
    kind: str
    area_code: str
    parent_id: int = 0
    priority: int = 100
    partner: str = ""
    area_codes: Sequence[str] = ()


def create(actor: Actor, data: WarehouseInput) -> Warehouse:
    """Add a warehouse: merchants add their own, operators the platform's.

    Raises Invalid for a field, NotFound for a foreign parent, Conflict(`warehouse.code`).
    """
    owner = actor.merchant_id if actor.realm == "merchant" else 0
    row = Warehouse(id=new_id(), merchant_id=owner, status="active", code="-", name="-", kind="-", area_code="-")
    _fill(actor, row, data)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except UniqueViolation:
        raise Conflict("warehouse.code", "仓库编码已被使用", field="code") from None
    _serve(row.id, data.area_codes)
    audit.record(actor, "warehouse.created", "warehouse", row.id, detail={"code": row.code, "kind": row.kind})
    return row


def edit(actor: Actor, warehouse_id: int, data: WarehouseInput) -> None:
    """Change a warehouse the actor works in. Raises as `create`."""
    row = handled(actor, warehouse_id)
    _fill(actor, row, data)
    try:
        with session.begin_nested():
            session.flush()
    except UniqueViolation:
        raise Conflict("warehouse.code", "仓库编码已被使用", field="code") from None
    _serve(row.id, data.area_codes)
    audit.record(actor, "warehouse.edited", "warehouse", row.id, detail={"priority": row.priority, "areas": list(data.area_codes)})


def _fill(actor: Actor, row: Warehouse, data: WarehouseInput) -> None:
    code, name = clean(data.code)[:32], clean(data.name)[:60]
    if not code or not code.isascii():
        raise Invalid("warehouse.code", "请填写字母、数字组成的仓库编码", field="code")
    if not name:
        raise Invalid("warehouse.name", "请填写仓库名称", field="name")
    kinds = ("merchant", "third_party") if actor.realm == "merchant" else PLATFORM_KINDS
    if data.kind not in kinds:
        raise Invalid("warehouse.kind", "请选择仓库类型", field="kind")
    known = {area.code for area in identity.list_areas()}
    if data.area_code not in known or not set(data.area_codes) <= known:
        raise Invalid("warehouse.area", "请选择所在区域", field="area_code")
    if not 1 <= data.priority <= 999:
        raise Invalid("warehouse.priority", "优先级请填写 1–999，数字小的先出货", field="priority")
    if data.parent_id:
        _check_parent(actor, row, data.parent_id)
    row.code, row.name, row.kind, row.area_code = code, name, data.kind, data.area_code
    row.parent_id, row.priority, row.partner = data.parent_id, data.priority, clean(data.partner)[:60] or "-"


def _check_parent(actor: Actor, row: Warehouse, parent_id: int) -> None:
    """Raise unless the parent is the actor's or the platform's, and the chain upwards has no ring and at most four levels."""
    above, steps = session.get(Warehouse, parent_id), 0
    if above is None or (above.merchant_id and not may_handle(actor, above)):
        raise NotFound("warehouse.missing", "上级仓库不存在")
    while above is not None:
        steps += 1
        if above.id == row.id or steps > 4:
            raise Invalid("warehouse.parent", "上级仓库不能是自己或下级，层级最多四级", field="parent_id")
        above = session.get(Warehouse, above.parent_id) if above.parent_id else None


def _serve(warehouse_id: int, area_codes: Sequence[str]) -> None:
    session.execute(delete(ServiceArea).where(ServiceArea.warehouse_id == warehouse_id))
    session.add_all(ServiceArea(id=new_id(), warehouse_id=warehouse_id, area_code=code) for code in sorted(set(area_codes)))
    session.flush()


def close(actor: Actor, warehouse_id: int) -> None:
    """Close an empty warehouse. Raises NotFound, Conflict(`warehouse.not_empty`) while goods lie in it or are on their way."""
    row = handled(actor, warehouse_id)
    goods = session.scalar(select(func.sum(Stock.on_hand)).where(Stock.warehouse_id == warehouse_id)) or 0
    aside = session.scalar(
        select(func.sum(LotStock.quarantined)).join(Stock, Stock.id == LotStock.stock_id).where(Stock.warehouse_id == warehouse_id)
    )
    either = or_(Transfer.from_warehouse_id == warehouse_id, Transfer.to_warehouse_id == warehouse_id)
    moving = session.scalar(select(Transfer.id).where(either, Transfer.status.in_(("requested", "shipped"))).limit(1))
    if goods or aside or moving:
        raise Conflict("warehouse.not_empty", "仓库还有库存、隔离品或在途调拨，不能停用")
    row.status = "closed"
    session.flush()
    audit.record(actor, "warehouse.closed", "warehouse", warehouse_id)


def visible(actor: Actor) -> list[Warehouse]:
    """Return warehouses the actor sees: merchants their own and the platform's active ones, operators all."""
    statement = select(Warehouse).order_by(Warehouse.merchant_id, Warehouse.priority, Warehouse.id)
    if actor.realm == "merchant":
        platform = (Warehouse.merchant_id == 0) & (Warehouse.status == "active")
        statement = statement.where(or_(Warehouse.merchant_id == actor.merchant_id, platform))
    return list(session.scalars(statement.limit(500)))


def mine(actor: Actor) -> list[Warehouse]:
    """Return active warehouses the actor works in."""
    return [w for w in visible(actor) if w.status == "active" and may_handle(actor, w)]


def get_for(actor: Actor, warehouse_id: int) -> Warehouse:
    """Return a warehouse the actor may see. Raises NotFound."""
    row = session.get(Warehouse, warehouse_id)
    if row is None or (actor.realm == "merchant" and row.merchant_id not in (0, actor.merchant_id)):
        raise NotFound("warehouse.missing", "仓库不存在")
    return row


def areas_of(warehouse_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return districts served, by warehouse."""
    found: dict[int, list[str]] = {warehouse_id: [] for warehouse_id in warehouse_ids}
    if found:
        for row in session.scalars(select(ServiceArea).where(ServiceArea.warehouse_id.in_(list(found))).order_by(ServiceArea.area_code)):
            found[row.warehouse_id].append(row.area_code)
    return found
