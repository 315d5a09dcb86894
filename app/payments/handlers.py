"""Reactions of payment; idempotent."""

from __future__ import annotations

from app.core import jobs
from app.core.money import format_yuan
from app.orders import cases
from app.orders.events import OrderCancelled
from app.payments import gateway, queries, service
from app.payments.events import StrayPaymentReceived

CLOSE_JOB = "payments.close_trade"


def on_order_cancelled(event: OrderCancelled) -> None:
    """Give the buyer's money back when a paid order ended without delivery; let go of what an unpaid trade has open."""
    if not event.was_paid and event.trade_id:
        service.release_stored(event.trade_id)
        if gateway.live_attempts([event.trade_id]):
            jobs.enqueue_once(CLOSE_JOB, {"trade_id": event.trade_id}, key=f"t{event.trade_id}")
    if event.was_paid and event.refund_fen:
        service.refund_trade(event.trade_id, event.refund_fen, cause=f"order:{event.order_id}", reason="订单取消，款项原路退回")


def on_stray_payment_received(event: StrayPaymentReceived) -> None:
    """Put money that was not owed before an officer; its refund runs already."""
    trade_id = queries.trade_of_notice(event.notice_id)
    reason = f"收到不应收的款项 ¥{format_yuan(event.amount_fen)}（迟到、重复或金额不符），已原路退回"
    cases.raise_payment(trade_id, f"stray:{event.notice_id}", reason)
