"""How a notice comes in, for every door that takes one: the receipt first, committed; then its application."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.tx import retry_conflicts, transaction
from app.payments import channels, service
from app.payments.channels.values import Notice


def deliver(channel: str, body: bytes, signature: str) -> str:
    """As `take`, for a notice of the simulated channel: its signature alone."""
    return take(channel, {channels.SIGNATURE_HEADER.lower(): signature}, body)


def take(channel: str, headers: Mapping[str, str], body: bytes) -> str:
    """Store and apply a notice; returns the outcome, also when the worker has applied it in between.

    A crash between the two leaves the queued job to apply it. Each transaction is repeated by itself on a conflict: a view that
    runs again would have the simulated cashier pay twice. The signature is checked before, outside of any transaction: that may call
    out for a channel's key. Raises what `channels.read_notice` raises; nothing is stored then.
    """
    return settle(channel, channels.read_notice(channel, headers, body), body)


def settle(channel: str, notice: Notice, body: bytes) -> str:
    """Store and apply a verified notice; returns the outcome."""

    def receive() -> int:
        with transaction():
            return service.store_notice(channel, notice, body)

    return apply(retry_conflicts(receive))


def apply(notice_id: int) -> str:
    """Apply a stored notice; returns the outcome."""

    def once() -> str:
        with transaction():
            outcome = service.apply_notice(notice_id)
            service.settle_job(notice_id)
            return outcome

    return retry_conflicts(once)
