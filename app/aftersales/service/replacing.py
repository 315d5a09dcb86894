"""Exchange and repair: the replacement's stock is held from the approval on, price difference zero; the repaired goods go back."""

from __future__ import annotations

from datetime import timedelta

from app.aftersales import queries, states
from app.aftersales.service import base
from app.aftersales.service.applying import parcel
from app.core import clock
from app.core.actor import Actor
from app.core.errors import Conflict
from app.inventory import service as inventory


def hold(case_id: int, sku_id: int, units: int) -> None:
    """Allocate the replacement's units; the case stands for the order in stock. Raises OutOfStock(`stock.short`)."""
    inventory.reserve([(case_id, case_id, sku_id, units)], clock.now() + timedelta(days=1))
    inventory.consume(case_id)


def free(case_id: int) -> None:
    """Give the replacement's units back to sale; repeating changes nothing."""
    inventory.unallocate(case_id)


def ship(actor: Actor, case_id: int, carrier: str, tracking_no: str) -> None:
    """Send the replacement, or the repaired goods back. Raises Invalid(`case.carrier`, `case.tracking_no`), Conflict(`case.state`)."""
    base.own_turn(actor, "merchant")
    case = queries.get_for(actor, case_id)
    name, number = parcel(carrier, tracking_no)
    if case.status not in (states.SHIPPING, states.REPAIRING):
        raise Conflict("case.state", "该售后单不在待寄出状态")
    repaired = case.status == states.REPAIRING
    kind = "repaired" if repaired else "replaced"
    base.move(case, states.SHIPPED, actor, kind, f"{name} {number}", out_carrier=name, out_tracking_no=number)
    if not repaired:
        inventory.ship(case_id)
