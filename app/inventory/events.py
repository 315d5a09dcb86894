"""Facts about stock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StockAlertRaised:
    """Stock of merchants fell to its threshold, or lots come near their expiry: how many new warnings of each kind."""

    merchant_id: int
    alert_id: int
    low: int
    expiring: int


@dataclass(frozen=True)
class LotRecalled:
    """A lot is called back: its orders' buyers are to be told."""

    recall_id: int
    lot_id: int
    merchant_id: int
