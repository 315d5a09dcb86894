"""Reactions of payment; idempotent."""

from __future__ import annotations

from app.orders.events import OrderCancelled
from app.payments import service


def on_order_cancelled(event: OrderCancelled) -> None:
    """Give the buyer's money back when a paid order ended without delivery."""
    if event.was_paid and event.refund_fen:
        service.refund_trade(event.trade_id, event.refund_fen, cause=f"order:{event.order_id}", reason="订单取消，款项原路退回")
