"""Reactions of content; idempotent."""

from __future__ import annotations

from app.content import service
from app.identity.events import AccountRegistered


def on_account_registered(event: AccountRegistered) -> None:
    """Record the consent given by registering: the versions in force at delivery."""
    service.record_consents(event.account_id, getattr(event, "address", "-"))
