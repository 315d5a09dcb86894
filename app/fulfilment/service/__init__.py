"""Verbs of fulfilment: parcels (`shipping`), their way (`tracking`), collecting (`pickups`), papers (`papers`)."""

from __future__ import annotations

from app.fulfilment.service.papers import log_print
from app.fulfilment.service.pickups import give_back, hand_over, prepare, remind_due, undo
from app.fulfilment.service.shipping import ship
from app.fulfilment.service.tracking import DELIVERED, SIMULATE_JOB, plan_simulated_scans, record_temperature, simulate_scan, track

__all__ = [
    "DELIVERED", "SIMULATE_JOB", "give_back", "hand_over", "log_print", "plan_simulated_scans", "prepare", "record_temperature",
    "remind_due", "ship", "simulate_scan", "track", "undo",
]  # fmt: skip
