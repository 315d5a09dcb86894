"""Facts about orders. at_us: microseconds since the epoch; amounts in fen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OrderPlaced:
    """An order exists and holds its units."""

    order_id: int
    merchant_id: int


@dataclass(frozen=True)
class OrderPaid:
    """An order was paid and waits for the merchant."""

    order_id: int
    trade_id: int
    merchant_id: int
    paid_fen: int
    at_us: int


@dataclass(frozen=True)
class OrderShipped:
    """All parcels of an order are out."""

    order_id: int
    merchant_id: int
    at_us: int


@dataclass(frozen=True)
class OrderDelivered:
    """All parcels of an order arrived."""

    order_id: int


@dataclass(frozen=True)
class OrderCompleted:
    """The buyer, or time, confirmed receipt."""

    order_id: int
    merchant_id: int


@dataclass(frozen=True)
class PromiseMissed:
    """An order was not with the buyer when it was promised; promised_us: microseconds since the epoch."""

    order_id: int
    merchant_id: int
    promised_us: int


@dataclass(frozen=True)
class OrderCancelled:
    """An order ended without delivery; refund_fen is what the buyer gets back of its trade when it was paid."""

    order_id: int
    merchant_id: int
    was_paid: bool
    trade_id: int = 0
    refund_fen: int = 0
