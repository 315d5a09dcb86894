"""What happened to merchants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MerchantApplied:
    """A merchant applied or applied again."""

    merchant_id: int


@dataclass(frozen=True)
class MerchantApproved:
    """A merchant may sell: approved, or taken back after a suspension."""

    merchant_id: int


@dataclass(frozen=True)
class MerchantRejected:
    """An application was refused; the reason stands on the merchant."""

    merchant_id: int


@dataclass(frozen=True)
class MerchantSuspended:
    """A merchant may not sell for now."""

    merchant_id: int
