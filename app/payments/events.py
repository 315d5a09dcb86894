"""Facts about money others may react to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaymentReceived:
    """A receipt was applied to its trade. amount in fen; channel_txn is the channel's number, at_us when the notice came.

    A trade paid from several sources tells one of each; bonus_fen is the part of the amount that was gift balance.
    """

    trade_id: int
    amount_fen: int
    channel: str
    channel_txn: str = "-"
    at_us: int = 0
    bonus_fen: int = 0


@dataclass(frozen=True)
class StrayPaymentReceived:
    """Money came that nothing was owed for (late, second or wrong amount); it goes back by a refund."""

    notice_id: int
    amount_fen: int
    channel: str
    channel_txn: str
    at_us: int


@dataclass(frozen=True)
class PaymentRefunded:
    """A refund reached its end at the channel. The defaults are what events told before these fields: one channel existed."""

    refund_id: int
    amount_fen: int
    channel: str = "simulator"
    refund_no: str = "-"
    at_us: int = 0
    bonus_fen: int = 0


@dataclass(frozen=True)
class WalletCredited:
    """A buyer's stored value grew by a bank transfer: principal paid in, bonus given; slip_no is the bank's."""

    slip_id: int
    amount_fen: int
    bonus_fen: int
    slip_no: str
    at_us: int
