"""Facts about money others may react to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaymentReceived:
    """A receipt was applied to its trade. amount in fen."""

    trade_id: int
    amount_fen: int
    channel: str


@dataclass(frozen=True)
class PaymentRefunded:
    """A refund reached its end at the channel."""

    refund_id: int
    amount_fen: int
