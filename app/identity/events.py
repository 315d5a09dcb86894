"""Facts about accounts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AccountRegistered:
    """A consumer registered and agreed to the agreements shown."""

    account_id: int
    address: str


@dataclass(frozen=True)
class SignInCodeIssued:
    """A one-time code must be sent; the code is encrypted and bound to its row."""

    code_id: int
    phone_index: str
    phone_enc: str
    code_enc: str
