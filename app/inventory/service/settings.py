"""What an owner sets on a stock row."""

from __future__ import annotations

from sqlalchemy import update

from app.audit import service as audit
from app.core import sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Invalid
from app.inventory.models import Stock
from app.inventory.service.columns import MOST_UNITS, workable


def set_safety(actor: Actor, stock_id: int, units: int) -> None:
    """Set the threshold of a SKU in one warehouse, 0 takes the SKU's own. Raises NotFound, Invalid."""
    stock = workable(actor, stock_id)
    if not 0 <= units <= MOST_UNITS:
        raise Invalid("stock.safety", f"安全库存请填写 0–{MOST_UNITS}", field="safety_stock")
    if stock.safety_stock != units:
        table = sql.table_of(Stock)
        session.execute(update(table).where(table.c.id == stock_id).values(safety_stock=units))
        session.expire_all()
        audit.record(actor, "stock.threshold_set", "stock", stock_id, detail={"units": units})
