"""Reactions of after-sale; idempotent."""

from __future__ import annotations

from app.aftersales import service
from app.payments.events import PaymentRefunded


def on_payment_refunded(event: PaymentRefunded) -> None:
    """End the case whose money reached the buyer."""
    service.arrived(event.refund_id)
