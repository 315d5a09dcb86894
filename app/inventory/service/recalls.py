"""Recall of a lot: out of sale everywhere at once; who bought it is found through the lot's own ledger (§2.15, trap 18)."""

from __future__ import annotations

from sqlalchemy import func, select

from app.audit import service as audit
from app.core import clock, events
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.inventory.events import LotRecalled
from app.inventory.models import LotMovement, Recall
from app.inventory.service import lots
from app.inventory.service.columns import reasoned
from dbadapters.errors import UniqueViolation


def recall(actor: Actor, lot_id: int, reason: str) -> Recall:
    """Call a lot back: it is blocked for good, its buyers are told by a job. Raises NotFound, Invalid, Conflict(`recall.known`)."""
    lot = lots.get_lot(actor, lot_id)
    why, merchant_id = reasoned(reason), lot.merchant_id
    row = Recall(
        id=new_id(), lot_id=lot_id, merchant_id=merchant_id, reason=why, created_by=actor.account_id, created_at=clock.now(),
        reached=len(orders_of(lot_id)),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except UniqueViolation:
        raise Conflict("recall.known", "该批次已经召回") from None
    lots.block(actor, lot_id, why, to="recalled")
    events.publish(LotRecalled(row.id, lot_id, merchant_id))
    audit.record(actor, "lot.recall_begun", "lot", lot_id, detail={"orders": row.reached, "reason": why})
    return row


def get_for(actor: Actor, recall_id: int) -> Recall:
    """Return a recall the actor may see. Raises NotFound."""
    row = session.get(Recall, recall_id)
    if row is None or (actor.realm == "merchant" and row.merchant_id != actor.merchant_id):
        raise NotFound("recall.missing", "召回不存在")
    return row


def of_lot(lot_id: int) -> Recall | None:
    """Return the recall of a lot, if it was recalled."""
    return session.scalar(select(Recall).where(Recall.lot_id == lot_id))


def orders_of(lot_id: int) -> dict[tuple[int, int], int]:
    """Return units of a lot that buyers still have, by (order, line): shipped less returned."""
    back = LotMovement.on_hand_delta + LotMovement.quarantined_delta
    shipped = dict[tuple[int, int], int]()
    rows = session.execute(
        select(LotMovement.line_id, func.max(LotMovement.cause_id), func.sum(-back))
        .where(LotMovement.lot_id == lot_id, LotMovement.cause_type == "order")
        .group_by(LotMovement.line_id)
        .order_by(LotMovement.line_id)
    )
    for line_id, order_id, units in rows:
        shipped[int(order_id), int(line_id)] = int(units)
    returned = {
        int(line_id): int(units)
        for line_id, units in session.execute(
            select(LotMovement.line_id, func.sum(back))
            .where(LotMovement.lot_id == lot_id, LotMovement.cause_type == "return")
            .group_by(LotMovement.line_id)
        )
    }
    left = {key: units - returned.get(key[1], 0) for key, units in shipped.items()}
    return {key: units for key, units in left.items() if units > 0}
