"""Collecting: prepare an order, hand it over against its code, undo within minutes, give back what nobody fetched (T28; §2.14).

Every move is a compare-and-set on the pickup: the same code handed over twice at one moment moves it once. The order counts as
delivered with the handing-over and is completed when it can no longer be undone, so that money is never released and taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import cas, clock, events, jobs
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound, TooMany
from app.core.ids import new_id
from app.delivery import points
from app.delivery.models import Pickup, PickupPoint
from app.fulfilment import codes
from app.fulfilment.events import PickupPrepared, PickupReminded, PickupReturned
from app.fulfilment.models import CodeTry
from app.orders import queries as order_queries
from app.orders import service as orders
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

COMPLETE_JOB = "fulfilment.complete_pickup"
UNDO_WITHIN = timedelta(minutes=10)
TRIES, TRY_WINDOW = 8, timedelta(minutes=10)
REMIND_BEFORE = timedelta(days=1)
BATCH = 100


def prepare(actor: Actor, order_id: int) -> str:
    """Put an order on its point's shelf and give it a code; the order is shipped. Returns the code.

    Raises NotFound for a foreign order, Conflict(`pickup.state`, `order.not_shippable`).
    """
    order = order_queries.get_for(actor, order_id)
    pickup = session.scalar(select(Pickup).where(Pickup.order_id == order_id))
    if pickup is None:
        raise NotFound("pickup.missing", "这不是自提订单")
    pickup_id, seen = pickup.id, order.units_out
    count = order.item_count - sum(order_queries.units_back(order_id).values())
    keep_days = session.scalars(select(PickupPoint.keep_days).where(PickupPoint.id == pickup.point_id)).one()
    at, code = clock.now(), codes.fresh()
    values = {
        "state": "ready", "live_code": codes.index_of(code), "code_enc": codes.seal(code, pickup_id), "ready_at": at,
        "keep_until": at + timedelta(days=keep_days),
    }  # fmt: skip
    try:
        with session.begin_nested():
            moved = cas.change(Pickup, pickup_id, where={"state": "booked"}, values=values)
    except UniqueViolation as error:  # a living code came up again: the door runs this again with another one
        raise RunAgain("the code is in use") from error
    if not moved:
        raise Conflict("pickup.state", "订单已备货或已取消，请刷新查看")
    events.publish(PickupPrepared(order_id, pickup_id))
    audit.record(actor, "pickup.prepared", "order", order_id)
    orders.send_units(actor, order_id, seen, count)
    return code


@dataclass(frozen=True)
class Outcome:
    """What a code led to. refusal: why nothing may be handed over, '' otherwise; pickup_id 0 when the code is nobody's."""

    pickup_id: int
    order_id: int
    refusal: str


def look_up(actor: Actor, typed: str) -> Outcome:
    """Find what a code stands for at the clerk's points; a wrong one is counted against the clerk.

    Returns a refusal instead of raising, so that the count is kept. Raises TooMany(`pickup.tries`) after TRIES wrong codes in
    TRY_WINDOW.
    """
    _check_tries(actor)
    code = codes.normal(typed)
    row = _living(actor, code) if code else None
    if row is None:
        session.add(CodeTry(id=new_id(), account_id=actor.account_id, at=clock.now()))
        return Outcome(0, 0, "核销码不正确，或不属于您所在的自提点")
    order = order_queries.get_for(SYSTEM, row.order_id)
    refusal = ""
    if order.status != "shipped":
        refusal = "订单状态已变化，不能核销"
    elif order.hold != "-" or order.case_count:
        refusal = "订单有进行中的售后或被暂停，不能核销"
    return Outcome(row.id, row.order_id, refusal)


def _check_tries(actor: Actor) -> None:
    since = clock.now() - TRY_WINDOW
    wrong = select(func.count()).select_from(CodeTry).where(CodeTry.account_id == actor.account_id, CodeTry.at > since)
    if (session.scalar(wrong) or 0) >= TRIES:
        raise TooMany("pickup.tries", "输错次数过多，请 10 分钟后再试")


def _living(actor: Actor, code: str) -> Pickup | None:
    statement = (
        select(Pickup)
        .join(PickupPoint, PickupPoint.id == Pickup.point_id)
        .where(Pickup.live_code == codes.index_of(code), Pickup.state == "ready", PickupPoint.merchant_id == actor.merchant_id)
    )
    return session.scalar(statement)


def hand_over(actor: Actor, typed: str) -> Outcome:
    """Hand an order over against its code, once: of two clerks at one moment the second is told that it is done.

    Returns a refusal for a wrong code; raises TooMany, Conflict(`pickup.state`) when the pickup or its order moved meanwhile.
    """
    found = look_up(actor, typed)
    if found.refusal:
        return found
    at = clock.now()
    row = session.get_one(Pickup, found.pickup_id)
    point_id, rev = row.point_id, row.rev
    values = {
        "state": "collected", "live_code": f"#{found.pickup_id}", "collected_at": at, "collected_by": actor.account_id, "rev": rev + 1,
    }  # fmt: skip
    if not cas.change(Pickup, found.pickup_id, where={"state": "ready", "rev": rev}, values=values):
        raise Conflict("pickup.state", "此订单刚刚已被核销，请勿重复交付")
    payload = {"pickup_id": found.pickup_id, "rev": rev + 1}
    jobs.enqueue_once(COMPLETE_JOB, payload, key=f"{found.pickup_id}-{rev + 1}", due_at=at + UNDO_WITHIN)
    points.leave(point_id)
    audit.record(actor, "pickup.collected", "order", found.order_id)
    if not orders.mark_collected(found.order_id):
        raise Conflict("pickup.state", "订单状态已变化，不能核销")
    return found


def undo(actor: Actor, pickup_id: int) -> None:
    """Take a handing-over back: by the clerk who did it, within UNDO_WITHIN; the code lives again.

    Raises NotFound for another's, Conflict(`pickup.undo`) when it is too late.
    """
    row = session.get(Pickup, pickup_id)
    if row is None or row.state != "collected" or row.collected_by != actor.account_id or row.collected_at is None or not row.code_enc:
        raise NotFound("pickup.missing", "没有可以撤销的核销记录")
    order_id, point_id, rev, code = row.order_id, row.point_id, row.rev, codes.unseal(row.code_enc, pickup_id)
    late = clock.now() >= row.collected_at + UNDO_WITHIN
    values = {"state": "ready", "live_code": codes.index_of(code), "collected_at": None, "collected_by": 0, "rev": rev + 1}
    where = {"state": "collected", "rev": rev, "collected_by": actor.account_id}
    if late or not cas.change(Pickup, pickup_id, where=where, values=values):
        raise Conflict("pickup.undo", "已超过 10 分钟，不能撤销核销")
    if not orders.undo_delivery(order_id):
        raise Conflict("pickup.undo", "订单已完成，不能撤销核销")
    points.hold(point_id)
    audit.record(actor, "pickup.undone", "order", order_id)


def complete(pickup_id: int, rev: int) -> bool:
    """Complete the order of a handing-over that was not undone; queued by `hand_over`."""
    row = session.get(Pickup, pickup_id)
    if row is None:
        return False
    order_id = row.order_id
    if order_queries.get_for(SYSTEM, order_id).status != "shipped":
        return False
    # Moves the row although nothing else changes: an undo at the same moment waits here, then finds another rev.
    if not cas.change(Pickup, pickup_id, where={"state": "collected", "rev": rev}, values={"rev": rev + 1}):
        return False
    orders.complete(SYSTEM, order_id)
    return True


def remind_due() -> int:
    """Periodic job: remind buyers whose pickup ends within a day, once; returns how many."""
    soon = clock.now() + REMIND_BEFORE
    due = (Pickup.state == "ready", Pickup.keep_until <= soon, Pickup.reminded_at.is_(None))
    found = session.execute(select(Pickup.id, Pickup.order_id).where(*due).order_by(Pickup.keep_until).limit(BATCH)).all()
    done = 0
    for row in found:
        if cas.change(Pickup, row.id, where={"state": "ready", "reminded_at": None}, values={"reminded_at": clock.now()}):
            events.publish(PickupReminded(row.order_id, row.id))
            done += 1
    return done


def give_back(actor: Actor, order_id: int) -> None:
    """Take an order nobody fetched in time off the shelf; its code dies and PickupReturned tells who refunds it.

    Raises NotFound, Conflict(`pickup.not_due`) before its time is over.
    """
    order_queries.get_for(actor, order_id)
    row = session.scalar(select(Pickup).where(Pickup.order_id == order_id))
    if row is None:
        raise NotFound("pickup.missing", "这不是自提订单")
    pickup_id, point_id, merchant_id, keep_until = row.id, row.point_id, row.merchant_id, row.keep_until
    if keep_until is None or keep_until > clock.now():
        raise Conflict("pickup.not_due", "还在保管期内，不能退回")
    values = {"state": "returned", "live_code": f"#{pickup_id}"}
    if not cas.change(Pickup, pickup_id, where={"state": "ready"}, values=values):
        raise Conflict("pickup.state", "订单已取走或已退回，请刷新查看")
    points.leave(point_id)
    events.publish(PickupReturned(order_id, pickup_id, merchant_id))
    audit.record(actor, "pickup.returned", "order", order_id)
