"""The simulated channel in the soak: it pays, fails, repeats itself, and remembers what it has done before it tells."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core import clock
from app.core.db import release_session, session
from app.orders.models import Trade
from app.payments import channels, delivery, simulator
from app.payments.models import PaymentAttempt
from tests.soak.acting import Nothing, Scene


def payable(scene: Scene) -> Any:
    """Choose a trade that can be paid: (id, trade_no, account_id). Raises Nothing."""
    open_still = (Trade.status == "unpaid", Trade.expires_at > clock.now())
    return scene.one_of(select(Trade.id, Trade.trade_no, Trade.account_id).where(*open_still).order_by(Trade.id.desc()))


def pay_at_channel(scene: Scene, payment_no: str, outcome: str) -> None:
    """Have the channel carry an attempt out; a notice may be held back, the process may die between payment and notice."""
    attempt = session.execute(select(PaymentAttempt).where(PaymentAttempt.payment_no == payment_no)).scalar_one()
    bodies = simulator.bodies(attempt, outcome)
    release_session()
    for body in bodies:
        scene.book.write(body)
    for body in bodies:
        if outcome == "late" or scene.rng.random() < 0.05:
            scene.held_back.append(body)
        else:
            delivery.deliver("simulator", body, channels.sign(body))


def deliver_late(scene: Scene) -> None:
    """The channel repeats a notice it is not sure about."""
    if not scene.held_back:
        raise Nothing
    body = scene.held_back.pop(scene.rng.randrange(len(scene.held_back)))
    delivery.deliver("simulator", body, channels.sign(body))
    if scene.rng.random() < 0.3:
        scene.held_back.append(body)
