"""Stock of a case: units that are not shipped after all, and goods that come back, through the verbs of inventory."""

from __future__ import annotations

from sqlalchemy import func, select

from app.aftersales import states
from app.aftersales.models import Case
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict
from app.inventory import service as inventory
from app.inventory.service import Returned
from app.orders.models import OrderLine


def shipped_as(line_id: int, quantity: int, but: int = 0) -> int:
    """Return how many units of a line were or will be shipped: the bought ones less those refunded before (case `but` left out)."""
    gone = select(func.sum(Case.back_units)).where(Case.line_id == line_id, Case.was_shipped == 0, Case.id != but)
    return quantity - int(session.scalar(gone) or 0)


def in_house(order_id: int, line: OrderLine) -> int:
    """Return how many units of a paid line are not shipped yet."""
    ordered = shipped_as(line.id, line.quantity)
    return inventory.unshipped_units(order_id, line.id, ordered) if ordered else 0


def keep_home(case: Case, units: int) -> None:
    """Give units of an unshipped line back to sale. Raises Conflict(`stock.shipped`)."""
    line = session.get_one(OrderLine, case.line_id)
    inventory.unallocate_units(case.id, case.order_id, case.line_id, units, shipped_as(line.id, line.quantity, but=case.id))


def take_in(actor: Actor, case: Case, *, good: int, bad: int, note: str = "-") -> None:
    """Book inspected goods: good units go on sale again, bad ones into quarantine; each where it left from.

    A unit that replaced another left under its exchange, not under the order's line: once the line's own are all back, the
    exchanges of the line take the rest. Raises Conflict(`return.too_many`).
    """
    line = session.get_one(OrderLine, case.line_id)
    exchanges = session.execute(
        select(Case.id, Case.quantity)
        .where(Case.line_id == line.id, Case.kind == states.EXCHANGE, Case.status == states.DONE)
        .order_by(Case.id.desc())
    ).all()
    sources = [(case.order_id, line.id, shipped_as(line.id, line.quantity)), *((row.id, row.id, row.quantity) for row in exchanges)]
    case_id = case.id
    for order_id, line_id, ordered in sources:
        room = inventory.room_to_return(order_id, line_id, ordered) if ordered else 0
        of_good = min(good, room)
        of_bad = min(bad, room - of_good)
        good, bad = good - of_good, bad - of_bad
        if of_good or of_bad:
            back = Returned(order_id, line_id, ordered, of_good, of_bad)
            if not inventory.receive_return(actor, back, cause_id=case_id, note=note):
                raise Conflict("case.state", "该售后单的退货已入库")
    if good or bad:
        raise Conflict("return.too_many", "退回数量超过已发出且未退回的数量", field="good")
