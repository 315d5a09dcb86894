"""Reactions of payment; idempotent."""

from __future__ import annotations

from app.core import jobs
from app.orders.events import OrderCancelled
from app.payments import gateway, service

CLOSE_JOB = "payments.close_trade"


def on_order_cancelled(event: OrderCancelled) -> None:
    """Give the buyer's money back when a paid order ended without delivery; close what an unpaid trade left open at a channel."""
    if not event.was_paid and gateway.live_attempts([event.trade_id]):
        jobs.enqueue_once(CLOSE_JOB, {"trade_id": event.trade_id}, key=f"t{event.trade_id}")
    if event.was_paid and event.refund_fen:
        service.refund_trade(event.trade_id, event.refund_fen, cause=f"order:{event.order_id}", reason="订单取消，款项原路退回")
