"""A recalled lot's orders and buyers, found through the lot's ledger (commerce.md §2.15; trap 25)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.audit import service as audit
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.inventory.models import Lot, Recall
from app.inventory.service import recalls
from app.merchants.models import Merchant
from app.orders import queries
from app.orders.models import Order, OrderLine
from security.masking import mask_phone

PIECE = 500


@dataclass(frozen=True)
class Buyer:
    """An order that took units of the lot and has not brought them all back; the receiver is masked."""

    order_id: int
    order_no: str
    shop: str
    title: str
    units: int
    status: str
    shipped_at: datetime | None
    receiver_mask: str
    lot_no: str
    reason: str


def buyers(recall_id: int) -> list[Buyer]:
    """Return the orders a recall concerns, newest first; a few queries for each 500 orders."""
    recall = session.get_one(Recall, recall_id)
    lot = session.get_one(Lot, recall.lot_id)
    units: dict[int, int] = defaultdict(int)
    line_of: dict[int, int] = {}
    for (order_id, line_id), n in recalls.orders_of(recall.lot_id).items():
        units[order_id] += n
        line_of[order_id] = line_id
    found: list[Buyer] = []
    ids = sorted(units, reverse=True)
    for start in range(0, len(ids), PIECE):
        part = ids[start : start + PIECE]
        titles = {row.id: row.title for row in session.execute(_titles([line_of[i] for i in part]))}
        for order, shop in session.execute(_orders(part)):
            found.append(
                Buyer(
                    order.id, order.order_no, shop, titles.get(line_of[order.id], order.first_title), units[order.id], order.status,
                    order.shipped_at, order.receiver_mask, lot.lot_no, recall.reason,
                )
            )  # fmt: skip
    return found


def _titles(line_ids: list[int]) -> Any:
    return select(OrderLine.id, OrderLine.title).where(OrderLine.id.in_(line_ids))


def _orders(order_ids: list[int]) -> Any:
    joined = select(Order, Merchant.shop_name).join(Merchant, Merchant.id == Order.merchant_id)
    return joined.where(Order.id.in_(order_ids)).order_by(Order.id.desc())


def phone_of(order_id: int) -> str:
    """Return the receiver's phone of an order in clear, for the one message."""
    return queries.receiver_of(queries.get_for(SYSTEM, order_id)).phone


def export_rows(actor: Actor, recall_id: int) -> list[tuple[str, ...]]:
    """Return the list of a recall as text cells; the merchant, who calls its buyers back, gets receiver and phone in clear.

    Written to the audit log, since it hands out personal data. Raises NotFound.
    """
    recall = recalls.get_for(actor, recall_id)
    clear = actor.realm == "merchant"
    rows: list[tuple[str, ...]] = []
    for buyer in buyers(recall_id):
        receiver = queries.receiver_of(queries.get_for(SYSTEM, buyer.order_id))
        name, phone = (receiver.name, receiver.phone) if clear else (buyer.receiver_mask, mask_phone(receiver.phone))
        rows.append((buyer.order_no, buyer.shop, buyer.title, buyer.lot_no, str(buyer.units), name, phone))
    audit.record(actor, "recall.exported", "recall", recall.id, detail={"orders": len(rows)})
    return rows
