"""Taking an order's row: who writes it first goes first, and what is read after that is current on every engine."""

from __future__ import annotations

from sqlalchemy import Update, bindparam, update

from app.core import sql
from app.core.db import session
from app.orders.models import Order
from app.orders.states import NONE

_C = sql.table_of(Order).c
_TAKE = update(sql.table_of(Order)).where(_C.id == bindparam("order_id")).values({_C.hold: _C.hold})
_TAKE_UNHELD = _TAKE.where(_C.hold == NONE)


def take(order_id: int) -> None:
    """Take the row of an order until the end of the transaction; a loaded instance is read again."""
    _run(_TAKE, order_id)


def take_unheld(order_id: int) -> bool:
    """Take the row unless a hold stops the order: what pays out asks here first, so that a hold and a payout do not overlap."""
    return _run(_TAKE_UNHELD, order_id)


def _run(statement: Update, order_id: int) -> bool:
    session.flush()
    changed = sql.change(statement, {"order_id": order_id}) == 1
    loaded = session().identity_map.get(session().identity_key(Order, order_id))
    if loaded is not None:
        session.expire(loaded)
    return changed
