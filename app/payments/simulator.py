"""The simulated cashier of the in-process channel: what a real channel's page would do, with every outcome a channel can produce."""

from __future__ import annotations

from datetime import timedelta

from app.core import clock, jobs
from app.core.errors import Invalid
from app.core.ids import new_id
from app.payments import channels
from app.payments.models import PaymentAttempt

DELIVER_JOB = "payments.simulator_deliver"
LATE_S = 45
OUTCOMES = {
    "paid": "支付成功", "late": f"支付成功，通知晚 {LATE_S} 秒到", "duplicate": "支付成功，通知重复三次",
    "wrong_amount": "少付一分钱", "failed": "支付失败",
}  # fmt: skip


def bodies(attempt: PaymentAttempt, outcome: str) -> list[bytes]:
    """Return the notice bodies an outcome produces, in order of delivery. Raises Invalid for an unknown outcome."""
    if outcome not in OUTCOMES:
        raise Invalid("payment.outcome", "请选择支付结果")
    amount = attempt.amount_fen - (1 if outcome == "wrong_amount" else 0)
    result = "failed" if outcome == "failed" else "paid"
    transaction_no = f"SIM{new_id()}"
    count = 3 if outcome == "duplicate" else 1
    return [
        channels.compose(
            channels.Notice(
                notice_id=f"N{new_id()}", payment_no=attempt.payment_no, amount_fen=amount, result=result,
                channel_txn=transaction_no,
            )
        )
        for _ in range(count)
    ]  # fmt: skip


def deliver_later(body: bytes) -> None:
    """Queue the delivery of a late notice."""
    due_at = clock.now() + timedelta(seconds=LATE_S)
    jobs.enqueue(DELIVER_JOB, {"body": body.decode()}, key=f"s{new_id()}", due_at=due_at)
