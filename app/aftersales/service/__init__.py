"""Verbs of after-sale, by whose turn it is."""

from app.aftersales.service.applying import Application, answer, apply, confirm_received, send_back, withdraw
from app.aftersales.service.arbitration import decide, escalate, give_evidence
from app.aftersales.service.deciding import approve, ask, check, collected, refuse_goods, reject
from app.aftersales.service.money import arrived
from app.aftersales.service.replacing import ship
from app.aftersales.service.timers import expire, queue_due

__all__ = [
    "Application", "answer", "apply", "approve", "arrived", "ask", "check", "collected", "confirm_received", "decide", "escalate",
    "expire", "give_evidence", "queue_due", "refuse_goods", "reject", "send_back", "ship", "withdraw",
]  # fmt: skip
