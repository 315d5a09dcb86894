"""Verbs of inventory, by subject; the frequent ones by their short names."""

from __future__ import annotations

from app.inventory.service.columns import OutOfStock
from app.inventory.service.lot_rows import LotShort
from app.inventory.service.parts import divide
from app.inventory.service.returns import Returned, receive_return
from app.inventory.service.stock import (
    change_on_hand,
    consume,
    ensure_stock,
    receive_declared,
    release,
    reserve,
    ship,
    unallocate,
    warehouse_of,
)
from app.inventory.service.unshipped import room_to_return, unallocate_units, unshipped_units

__all__ = [
    "LotShort", "OutOfStock", "Returned", "change_on_hand", "consume", "divide", "ensure_stock", "receive_declared", "receive_return",
    "release", "reserve", "room_to_return", "ship", "unallocate", "unallocate_units", "unshipped_units", "warehouse_of",
]  # fmt: skip
