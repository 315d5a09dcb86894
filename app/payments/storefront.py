"""Buyer's pages of payment and the simulated cashier."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for

from app.core import clock, runtime
from app.core.errors import Forbidden, NotFound
from app.core.tx import transaction
from app.orders import queries as orders
from app.payments import channels, delivery, queries, service, simulator
from app.web import access
from app.web.surfaces import needs, public, surface_blueprint
from security.tokens import TokenInvalid

bp = surface_blueprint("storefront", "payments")
CASHIER_TTL_S = 3_600


@bp.get("/pay/<trade_no>")
@needs("cart.checkout")
def pay(trade_no: str) -> Any:
    """Show what is to be paid and how; a trade that is no longer unpaid shows its result."""
    trade = orders.get_trade(access.actor(), trade_no)
    if trade.status != "unpaid" or trade.expires_at <= clock.now():
        return redirect(url_for("storefront_payments.result", trade_no=trade_no), 303)
    return render_template("payments/storefront/pay.html", trade=trade, channels=channels.names())


@bp.post("/pay/<trade_no>")
@needs("cart.checkout")
def start(trade_no: str) -> Any:
    """Begin an attempt and go to the channel's cashier."""
    with transaction():
        attempt = service.start(access.actor(), trade_no, request.form.get("channel", ""))
    at = int(clock.now().timestamp())
    pass_ = runtime.current().tokens.sign({"p": attempt.payment_no, "t": trade_no}, "cashier", CASHIER_TTL_S, at)
    return redirect(url_for("storefront_payments.cashier", token=pass_), 303)


@bp.get("/pay/<trade_no>/result")
@needs("cart.checkout")
def result(trade_no: str) -> Any:
    """Say whether the money has arrived and what happens next."""
    trade = orders.get_trade(access.actor(), trade_no)
    waiting = trade.status == "unpaid" and trade.expires_at > clock.now()
    return render_template(
        "payments/storefront/result.html", trade=trade, waiting=waiting, orders=orders.orders_of_trade(trade.id)
    )


def _attempt(token: str) -> tuple[Any, str]:
    """Return the attempt and trade number a cashier pass names."""
    if not channels.names():
        raise NotFound("payment.channel", "模拟收银台未启用")
    try:
        payload = runtime.current().tokens.verify(token, "cashier", int(clock.now().timestamp()))
    except TokenInvalid:
        raise Forbidden("payment.cashier", "收银台链接已失效，请回到订单重新支付") from None
    return queries.get_attempt(str(payload["p"])), str(payload["t"])


@bp.get("/simulator/cashier")
@public("stands for the channel's own page; a signed pass names the payment")
def cashier() -> str:
    """Show the simulated cashier."""
    token = request.args.get("token", "")
    attempt, _ = _attempt(token)
    return render_template(
        "payments/storefront/cashier.html", attempt=attempt, token=token, outcomes=simulator.OUTCOMES
    )


@bp.post("/simulator/cashier")
@public("stands for the channel's own page; a signed pass names the payment")
def decide() -> Any:
    """Produce the chosen outcome: signed notices, delivered through the same verbs as a channel's callback."""
    attempt, trade_no = _attempt(request.form.get("token", ""))
    outcome = request.form.get("outcome", "")
    made = simulator.bodies(attempt, outcome)
    if outcome == "late":
        with transaction():
            simulator.deliver_later(made[0])
    else:
        for body in made:
            delivery.deliver(channels.SIMULATOR, body, channels.sign(body))
    return redirect(url_for("storefront_payments.result", trade_no=trade_no), 303)
