"""How a notice comes in, for every door that takes one: the receipt first, committed; then its application."""

from __future__ import annotations

from app.core.tx import retry_conflicts, transaction
from app.payments import service


def deliver(channel: str, body: bytes, signature: str) -> str:
    """Store and apply a notice; returns the outcome, also when the worker has applied it in between.

    A crash between the two leaves the queued job to apply it. Each transaction is repeated by itself on a conflict: a view that
    runs again would have the simulated cashier pay twice. Raises what `service.receive_notice` raises.
    """

    def receive() -> int:
        with transaction():
            return service.receive_notice(channel, body, signature)

    row_id = retry_conflicts(receive)

    def apply() -> str:
        with transaction():
            outcome = service.apply_notice(row_id)
            service.settle_job(row_id)
            return outcome

    return retry_conflicts(apply)
