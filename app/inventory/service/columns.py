"""Stock columns: the one guarded UPDATE, the movement that explains it, and who may touch a row.

Rows are changed in ascending id order, after everything else (shortest time on a hot row); only LotStock rows come later still,
under the lock of their stock row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Update, bindparam, select, update

from app.core import clock, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.inventory.models import Movement, Stock, Warehouse
from dbadapters.errors import UniqueViolation

MOST_UNITS = 1_000_000


class OutOfStock(Conflict):
    """A variant has fewer units available than wanted; params: sku_id."""


def movement(
    stock_id: int, kind: str, cause_type: str, cause_id: int, line_id: int = 0, *, on_hand: int = 0, allocated: int = 0,
    reserved: int = 0, quota: int = 0, account_id: int = 0, note: str = "-",
) -> dict[str, Any]:  # fmt: skip
    """Return the movement that explains a change of columns."""
    return {
        "id": new_id(), "stock_id": stock_id, "kind": kind, "cause_type": cause_type, "cause_id": cause_id, "line_id": line_id,
        "on_hand_delta": on_hand, "allocated_delta": allocated, "reserved_delta": reserved, "quota_delta": quota, "note": note or "-",
        "account_id": account_id, "at": clock.now(),
    }  # fmt: skip


def _guarded_update(*, with_quota: bool) -> Update:
    """Return the one UPDATE of stock columns: none of them, nor the available amount, falls below zero."""
    table = sql.table_of(Stock)
    s = table.c
    on_hand, allocated, reserved = (bindparam(name, type_=Integer) for name in ("d_on_hand", "d_allocated", "d_reserved"))
    available = s.on_hand - s.allocated - s.reserved - s.quota_held
    left = available + on_hand - allocated - reserved
    values = {s.on_hand: s.on_hand + on_hand, s.allocated: s.allocated + allocated, s.reserved: s.reserved + reserved}
    where = [s.id == bindparam("stock_id"), s.on_hand + on_hand >= 0, s.allocated + allocated >= 0, s.reserved + reserved >= 0]
    if with_quota:
        quota = bindparam("d_quota", type_=Integer)
        left = left - quota
        values[s.quota_held] = s.quota_held + quota
        where.append(s.quota_held + quota >= 0)
    return update(table).where(*where, left >= 0).values(values)


_CHANGE_COLUMNS = _guarded_update(with_quota=False)
_CHANGE_QUOTA = _guarded_update(with_quota=True)


def add(stock_id: int, *, on_hand: int = 0, allocated: int = 0, reserved: int = 0) -> bool:
    """Change columns when no column and not the available amount would fall below zero; True when changed.

    With zero deltas it takes the row's lock and changes nothing.
    """
    given = {"stock_id": stock_id, "d_on_hand": on_hand, "d_allocated": allocated, "d_reserved": reserved}
    return sql.change(_CHANGE_COLUMNS, given) == 1


def add_quota(stock_id: int, quota: int, *, reserved: int = 0) -> bool:
    """As `add`, for units kept for activities."""
    given = {"stock_id": stock_id, "d_on_hand": 0, "d_allocated": 0, "d_reserved": reserved, "d_quota": quota}
    return sql.change(_CHANGE_QUOTA, given) == 1


def once(movements: list[dict[str, Any]]) -> bool:
    """Write movements before the columns change; False when their cause was already booked, so a repeat changes nothing."""
    try:
        with session.begin_nested():
            session.flush()
            sql.add_all(Movement, movements)
    except UniqueViolation:
        return False
    return True


def stock_for(actor: Actor, stock_id: int) -> Stock:
    """Return a stock row the actor may see: merchants their own, operators all. Raises NotFound."""
    stock = session.get(Stock, stock_id)
    if stock is None or (actor.realm == "merchant" and stock.merchant_id != actor.merchant_id):
        raise NotFound("stock.missing", "库存记录不存在")
    return stock


def may_handle(actor: Actor, warehouse: Warehouse) -> bool:
    """Tell whether the actor works in a warehouse: merchants in their own, operators in the platform's."""
    if actor.realm == "merchant":
        return warehouse.merchant_id == actor.merchant_id
    return actor.realm == "system" or (actor.realm == "operator" and warehouse.merchant_id == 0)


def handled(actor: Actor, warehouse_id: int) -> Warehouse:
    """Return an active warehouse the actor works in. Raises NotFound, Conflict(`warehouse.closed`)."""
    warehouse = session.get(Warehouse, warehouse_id)
    if warehouse is None or not may_handle(actor, warehouse):
        raise NotFound("warehouse.missing", "仓库不存在")
    if warehouse.status != "active":
        raise Conflict("warehouse.closed", "仓库已停用", field="warehouse_id")
    return warehouse


def workable(actor: Actor, stock_id: int) -> Stock:
    """Return a stock row in a warehouse the actor works in. Raises NotFound: to others it is not theirs to move."""
    stock = stock_for(actor, stock_id)
    handled(actor, stock.warehouse_id)
    return stock


def whole(value: int, *, field: str = "units", least: int = 1) -> int:
    """Return a sensible amount of units. Raises Invalid(`stock.delta`)."""
    if not least <= value <= MOST_UNITS:
        raise Invalid("stock.delta", f"请填写 {least}–{MOST_UNITS} 的数量", field=field)
    return value


def reasoned(reason: str, *, field: str = "reason") -> str:
    """Return a reason of at most 120 characters. Raises Invalid(`stock.reason`) when there is none."""
    text = clean(reason)[:120]
    if not text or text == "-":
        raise Invalid("stock.reason", "请填写原因", field=field)
    return text


_FREE = select(Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held).where(Stock.id == bindparam("stock_id"))


def free_of(stock_id: int) -> int:
    """Return the available units of a row as they are now."""
    return int(sql.read(_FREE, {"stock_id": stock_id}).scalar() or 0)
