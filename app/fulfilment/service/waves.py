"""Waves of a shop's orders, picked together by shelf; trips that take several shops' orders to one place (T24, T27)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean, half_width
from app.fulfilment import boards, queries, sharing
from app.fulfilment.models import Shelf, Trip, TripStop, Wave, WaveOrder
from app.fulfilment.sharing import Load
from app.orders import queries as orders
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

MOST = 100


def open_wave(actor: Actor, order_ids: Sequence[int]) -> int:
    """Put paid orders of the actor's shop into a wave; an order is in one wave only.

    Raises Invalid(`wave.orders`), NotFound for a foreign order, Conflict(`wave.taken`) for one that is in another wave.
    """
    wanted = sorted(set(order_ids))
    if not 1 <= len(wanted) <= MOST:
        raise Invalid("wave.orders", f"请选择 1 到 {MOST} 个待发货订单")
    rows = [orders.get_for(actor, order_id) for order_id in wanted]
    if any(row.status != "paid" or row.hold != "-" for row in rows):
        raise Conflict("wave.state", "有订单已发货、取消或被暂停，请刷新后重选")
    wave_id, at = new_id(), clock.now()
    number = f"B{at:%y%m%d}{wave_id % 10**8:08d}"
    session.add(Wave(id=wave_id, merchant_id=rows[0].merchant_id, number=number, status="open", created_at=at))
    session.flush()
    try:
        with session.begin_nested():
            sql.add_all(WaveOrder, [{"id": new_id(), "wave_id": wave_id, "order_id": order_id} for order_id in wanted])
    except UniqueViolation:
        raise Conflict("wave.taken", "有订单已在别的波次中，请刷新后重选") from None
    audit.record(actor, "wave.created", "wave", wave_id, detail={"orders": len(wanted)})
    return wave_id


def finish_wave(actor: Actor, wave_id: int) -> None:
    """Note that a wave is picked; once. Raises NotFound, Conflict(`wave.state`)."""
    boards.get_wave(actor, wave_id)
    cas.move(Wave, wave_id, from_="open", to="picked", code="wave.state", message="波次已拣完", picked_at=clock.now())
    audit.record(actor, "wave.picked", "wave", wave_id)


def set_shelf(actor: Actor, sku_id: int, place: str) -> None:
    """Say on which shelf a variant of the actor's shop lies. Raises Invalid(`shelf.place`), NotFound."""
    text = half_width(clean(place)).upper()
    if len(text) > 20 or not all(char.isalnum() or char in "-._" for char in text):
        raise Invalid("shelf.place", "货位为 20 字以内的字母、数字或短横，如 A-03-2", field="place")
    if sku_id not in {row.id for row in boards.skus_of_shop(actor.merchant_id, [sku_id])}:
        raise NotFound("sku.missing", "商品规格不存在")
    known = session.scalar(select(Shelf.id).where(Shelf.sku_id == sku_id))
    if known is not None:
        cas.change(Shelf, known, where={}, values={"place": text or "-"})
        return
    try:
        with session.begin_nested():
            session.add(Shelf(id=new_id(), merchant_id=actor.merchant_id, sku_id=sku_id, place=text or "-"))
            session.flush()
    except UniqueViolation as error:
        raise RunAgain("the shelf was set at the same moment") from error


def plan_trip(actor: Actor, order_ids: Sequence[int], *, place: str, driver: str, vehicle: str, cost_fen: int, solo_fen: int) -> int:
    """Join orders of several shops to one trip and share its cost; an order is on one trip only.

    solo_fen: what delivering one order alone costs. Raises Invalid naming the field, NotFound, Conflict(`trip.taken`, `trip.state`).
    """
    wanted = sorted(set(order_ids))
    if not 2 <= len(wanted) <= MOST:
        raise Invalid("trip.orders", f"集单至少 2 单，最多 {MOST} 单", field="orders")
    if not 0 < cost_fen <= 10**8 or not 0 < solo_fen <= 10**7:
        raise Invalid("trip.cost", "请填写整车费用和单独配送的费用", field="cost")
    for field, value in (("place", place), ("driver", driver), ("vehicle", vehicle)):
        if not 1 <= len(clean(value)) <= 40:
            raise Invalid(f"trip.{field}", "请填写目的地、司机和车辆（40 字以内）", field=field)
    rows = [orders.get_for(actor, order_id) for order_id in wanted]
    if any(row.status not in {"paid", "shipped"} or row.hold != "-" or row.delivered_at is not None for row in rows):
        raise Conflict("trip.state", "有订单已送达、取消或被暂停，请刷新后重选")
    loads = [Load(row.id, *queries.load_of(row.id), solo_fen) for row in rows]
    shares = {part.order_id: part.fen for part in sharing.share(cost_fen, loads)}
    trip_id, at = new_id(), clock.now()
    session.add(
        Trip(
            id=trip_id, number=f"J{at:%y%m%d}{trip_id % 10**8:08d}", place=clean(place), driver=clean(driver), vehicle=clean(vehicle),
            cost_fen=cost_fen, solo_fen=solo_fen * len(wanted), status="planned", created_at=at,
        )
    )  # fmt: skip
    session.flush()
    stops = [
        {
            "id": new_id(), "trip_id": trip_id, "order_id": row.id, "merchant_id": row.merchant_id, "charged_g": load.charged_g,
            "share_fen": shares[row.id], "seq": number,
        }
        for number, (row, load) in enumerate(sorted(zip(rows, loads, strict=True), key=lambda pair: (pair[0].area_code, pair[0].id)), 1)
    ]  # fmt: skip
    try:
        with session.begin_nested():
            sql.add_all(TripStop, stops)
    except UniqueViolation:
        raise Conflict("trip.taken", "有订单已在别的车次中，请刷新后重选") from None
    audit.record(actor, "trip.created", "trip", trip_id, detail={"orders": len(wanted), "cost_fen": cost_fen})
    return trip_id


def move_trip(actor: Actor, trip_id: int, to: str) -> None:
    """Send a planned trip out, or note that it is done. Raises NotFound, Conflict(`trip.state`)."""
    boards.get_trip(trip_id)
    before = {"out": "planned", "done": "out"}.get(to, "-")
    cas.move(Trip, trip_id, from_=before, to=to, code="trip.state", message="车次状态已变化，请刷新查看")
    audit.record(actor, "trip.moved", "trip", trip_id, detail={"to": to})
