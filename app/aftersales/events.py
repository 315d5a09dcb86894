"""Facts about after-sale. Amounts in fen, at_us: microseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaseMoved:
    """A case was opened or changed its status; event_id is the entry of its timeline."""

    case_id: int
    event_id: int
    order_id: int
    merchant_id: int
    account_id: int
    status: str


@dataclass(frozen=True)
class UnitsRefunded:
    """Units of a line went back. cash_fen is all the buyer gets, freight (when has_freight) included and buyer_fee_fen off."""

    case_id: int
    order_id: int
    line_id: int
    units: int
    cash_fen: int
    has_freight: bool
    buyer_fee_fen: int
    merchant_fee_fen: int
    at_us: int


@dataclass(frozen=True)
class CompensationPaid:
    """The buyer got money for a line and keeps the goods; the merchant bears it."""

    case_id: int
    order_id: int
    line_id: int
    amount_fen: int
    at_us: int
