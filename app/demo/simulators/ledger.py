"""What a simulated channel remembers: payments, refunds and how each is to go. One lock; all in memory."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from datetime import datetime

from app.core import clock

SCENARIOS = {
    "paid": "支付成功", "late": "支付成功，通知晚到", "duplicate": "支付成功，通知重复三次", "wrong_amount": "少付一分钱",
    "wrong_app": "通知里是别的应用", "failed": "支付失败", "silent": "支付成功，不发通知",
}  # fmt: skip
REFUNDS = {"done": "退款立即成功", "slow": "退款受理，稍后成功", "fail_later": "退款受理，随后失败"}


@dataclass
class Payment:
    """One payment. state: waiting | paid | closed | failed."""

    number: str
    amount_fen: int
    subject: str
    notify_url: str
    details: dict[str, str] = field(default_factory=dict)
    state: str = "waiting"
    txn: str = "-"
    paid_fen: int = 0
    at: datetime | None = None


@dataclass
class Refund:
    """One refund. state: accepted | done | failed."""

    number: str
    payment: Payment
    amount_fen: int
    txn: str
    notify_url: str
    state: str = "accepted"
    at: datetime | None = None


class Ledger:
    """The payments and refunds of one simulated channel."""

    def __init__(self, prefix: str, width: int = 28) -> None:
        self.prefix, self.width = prefix, width
        self.lock = threading.RLock()
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.refund_plan = "done"
        self.bill_differences = False
        self.calls: list[str] = []
        self._numbers = itertools.count(1)

    def next_txn(self) -> str:
        """Return a number of the channel's own."""
        return f"{self.prefix}{clock.now():%Y%m%d%H%M%S%f}{next(self._numbers):06d}"[-self.width :]

    def pay(self, number: str, scenario: str) -> Payment | None:
        """Let a buyer pay as a scenario says; None for a payment that is not waiting."""
        with self.lock:
            payment = self.payments.get(number)
            if payment is None or payment.state != "waiting":
                return None
            payment.state = "failed" if scenario == "failed" else "paid"
            payment.txn = self.next_txn()
            payment.paid_fen = payment.amount_fen - (1 if scenario == "wrong_amount" else 0)
            payment.at = clock.now()
            return payment

    def refunded(self, payment: Payment) -> int:
        """Return what refunds that did not fail have given back of a payment."""
        return sum(r.amount_fen for r in self.refunds.values() if r.payment is payment and r.state != "failed")

    def order_refund(self, number: str, payment: Payment, amount_fen: int, notify_url: str) -> Refund | None:
        """Order a refund, the same number once; None when it would be more than was paid."""
        with self.lock:
            known = self.refunds.get(number)
            if known is not None:
                return known
            if amount_fen <= 0 or self.refunded(payment) + amount_fen > payment.paid_fen:
                return None
            made = Refund(number, payment, amount_fen, self.next_txn(), notify_url)
            if self.refund_plan == "done":
                made.state, made.at = "done", clock.now()
            self.refunds[number] = made
            return made

    def end_refund(self, number: str) -> Refund:
        """Bring an accepted refund to the end its plan names."""
        with self.lock:
            refund = self.refunds[number]
            if refund.state == "accepted":
                refund.state = "failed" if self.refund_plan == "fail_later" else "done"
                refund.at = clock.now()
            return refund
