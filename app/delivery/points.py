"""Pickup points: who keeps them, which a shop may offer, the place an order takes at one (T28; commerce.md §2.14)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import select, update

from app.audit import service as audit
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean, half_width
from app.delivery.models import Pickup, PickupPoint
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.merchants import service as merchant_service

OPEN_STATES = ("booked", "ready")


@dataclass(frozen=True)
class PointInput:
    """A point as its keeper writes it."""

    name: str
    area_code: str
    street: str
    phone: str
    hours: str
    capacity: int
    keep_days: int = 3
    is_shared: bool = False


def get_for(actor: Actor, point_id: int) -> PickupPoint:
    """Return a point the actor keeps: the shop's own, any for operators. Raises NotFound."""
    row = session.get(PickupPoint, point_id)
    if row is None or (actor.realm not in {"system", "operator"} and row.merchant_id != actor.merchant_id):
        raise NotFound("point.missing", "自提点不存在")
    return row


def list_points(merchant_id: int = 0) -> list[PickupPoint]:
    """Return the points of a shop, or all."""
    statement = select(PickupPoint).order_by(PickupPoint.status, PickupPoint.id)
    return list(session.scalars(statement.where(PickupPoint.merchant_id == merchant_id) if merchant_id else statement.limit(500)))


def save(actor: Actor, merchant_id: int, data: PointInput, point_id: int = 0) -> int:
    """Make or change a point; only operators share one. Raises Invalid naming the field, NotFound; returns its id."""
    values = _checked(actor, data)
    if point_id:
        merchant_id = get_for(actor, point_id).merchant_id
        cas.change(PickupPoint, point_id, where={}, values=values)
    else:
        merchants.get_for(actor, merchant_id)
        point_id = new_id()
        session.add(PickupPoint(id=point_id, merchant_id=merchant_id, open_count=0, status="active", created_at=clock.now(), **values))
        session.flush()
    merchant_service.touch_delivery(merchant_id, everyone=data.is_shared)
    audit.record(actor, "point.saved", "point", point_id, detail={"name": data.name})
    return point_id


def _checked(actor: Actor, data: PointInput) -> dict[str, object]:
    values = asdict(data) | {name: clean(getattr(data, name)) for name in ("name", "street", "hours")}
    values["phone"] = half_width(data.phone)
    for field, most, text in (("name", 40, "名称"), ("street", 100, "地址"), ("hours", 60, "营业时间"), ("phone", 20, "电话")):
        if not 1 <= len(str(values[field])) <= most:
            raise Invalid(f"point.{field}", f"请填写{text}（{most} 字以内）", field=field)
    if data.area_code not in {area.code for area in identity.list_areas()}:
        raise Invalid("point.area", "请选择所在县区", field="area_code")
    if not 1 <= data.capacity <= 100_000 or not 1 <= data.keep_days <= 30:
        raise Invalid("point.capacity", "可存单数为 1 到 100000，保管天数为 1 到 30", field="capacity")
    if data.is_shared and actor.realm == "merchant":
        values["is_shared"] = False
    return values


def set_open(actor: Actor, point_id: int, open_: bool) -> None:
    """Close a point for new orders or open it again; what it holds stays. Raises NotFound."""
    row = get_for(actor, point_id)
    merchant_id, shared = row.merchant_id, row.is_shared
    wanted, other = ("active", "closed") if open_ else ("closed", "active")
    if cas.change(PickupPoint, point_id, where={"status": other}, values={"status": wanted}):
        merchant_service.touch_delivery(merchant_id, everyone=shared)
        audit.record(actor, "point.opened" if open_ else "point.closed", "point", point_id)


def book(order_id: int, merchant_id: int, point_id: int) -> None:
    """Take an order's place at a point. Raises Conflict(`point.full`) for one that is full, closed or not the shop's to use."""
    p = PickupPoint
    usable = (p.id == point_id, p.status == "active", (p.merchant_id == merchant_id) | (p.is_shared == True))  # noqa: E712
    taken = session.execute(
        update(p).where(*usable, p.open_count < p.capacity).values(open_count=p.open_count + 1)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("point.full", "所选自提点已满或停用，请换一个自提点或改为快递配送")
    name, pickup_id = session.scalars(select(p.name).where(p.id == point_id)).one(), new_id()
    session.add(
        Pickup(
            id=pickup_id, order_id=order_id, merchant_id=merchant_id, point_id=point_id, point_name=name, state="booked",
            live_code=f"#{pickup_id}", collected_by=0, rev=0,
        )
    )  # fmt: skip


def leave(point_id: int) -> None:
    """Give a place at a point back."""
    p = PickupPoint
    session.execute(
        update(p).where(p.id == point_id, p.open_count > 0).values(open_count=p.open_count - 1).execution_options(synchronize_session=False)
    )


def hold(point_id: int) -> None:
    """Take a place at a point again (a handing-over was undone), even when it is full: the goods are there."""
    p = PickupPoint
    session.execute(update(p).where(p.id == point_id).values(open_count=p.open_count + 1).execution_options(synchronize_session=False))


def cancel(order_id: int) -> bool:
    """Forget the pickup of a cancelled order; once."""
    row = session.execute(select(Pickup.id, Pickup.point_id).where(Pickup.order_id == order_id)).one_or_none()
    if row is None:
        return False
    values = {"state": "cancelled", "live_code": f"#{row.id}"}
    if not cas.change(Pickup, row.id, where={"state": OPEN_STATES}, values=values):
        return False
    leave(row.point_id)
    return True
