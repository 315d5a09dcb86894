"""Buyer's pages of payment and the simulated cashier."""

from __future__ import annotations

from typing import Any

import segno
from flask import redirect, render_template, request, url_for
from markupsafe import Markup

from app.core import clock, runtime
from app.core.actor import Actor
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Upstream
from app.core.tx import transaction
from app.orders import queries as orders
from app.payments import channels, delivery, gateway, queries, service, simulator, wallet
from app.web import access
from app.web.figures import Figure
from app.web.surfaces import needs, public, surface_blueprint
from security.tokens import TokenInvalid

bp = surface_blueprint("storefront", "payments")
CASHIER_TTL_S = 3_600


def _pay_page(trade_no: str, error: str = "", chosen: str = "", status: int = 200) -> Any:
    trade = orders.get_trade(access.actor(), trade_no)
    page = render_template(
        "payments/storefront/pay.html", trade=trade, channels=channels.names(), error=error, chosen=chosen,
        balance=wallet.balance(trade.account_id), stored=request.form.get("stored") == "1" if request.method == "POST" else True,
    )  # fmt: skip
    return page, status


@bp.get("/pay/<trade_no>")
@needs("cart.checkout")
def pay(trade_no: str) -> Any:
    """Show what is to be paid and how; a trade that is no longer unpaid shows its result."""
    trade = orders.get_trade(access.actor(), trade_no)
    if trade.status != "unpaid" or trade.expires_at <= clock.now():
        return redirect(url_for("storefront_payments.result", trade_no=trade_no), 303)
    return _pay_page(trade_no)


@bp.post("/pay/<trade_no>")
@needs("cart.checkout")
def start(trade_no: str) -> Any:
    """Begin an attempt: the simulated cashier, or the channel's code or page."""
    channel = request.form.get("channel", "")
    try:
        with transaction():
            attempt = service.start(access.actor(), trade_no, channel, stored=request.form.get("stored") == "1")
            payment_no, taken = attempt.payment_no, attempt.channel
        if taken == channels.WALLET:
            return redirect(url_for("storefront_payments.result", trade_no=trade_no), 303)
        if taken == channels.BANK:
            return redirect(url_for("storefront_payments.waiting", trade_no=trade_no, no=payment_no), 303)
        if taken in channels.NETWORK:
            back = url_for("storefront_payments.result", trade_no=trade_no)
            public = runtime.current().settings.payment.public_url.rstrip("/")
            gateway.begin(payment_no, _scene(), request.remote_addr or "127.0.0.1", public + back)
            return redirect(url_for("storefront_payments.waiting", trade_no=trade_no, no=payment_no), 303)
    except (Conflict, Invalid, TooMany, Upstream) as error:
        if error.code == "trade.not_payable":
            raise
        return _pay_page(trade_no, error.message, channel, error.status)
    at = int(clock.now().timestamp())
    pass_ = runtime.current().tokens.sign({"p": payment_no, "t": trade_no}, "cashier", CASHIER_TTL_S, at)
    return redirect(url_for("storefront_payments.cashier", token=pass_), 303)


def _scene() -> str:
    """Return h5 for a telephone's browser; WeChat's own browser, which cannot open it, and desktops get the code."""
    agent = request.headers.get("User-Agent", "")
    return "h5" if "Mobile" in agent and "MicroMessenger" not in agent else "qr"


@bp.get("/pay/<trade_no>/waiting")
@needs("cart.checkout")
def waiting(trade_no: str) -> Any:
    """Show the code to scan or the way to the channel's page, for the actor's own attempt."""
    trade = orders.get_trade(access.actor(), trade_no)
    attempt = queries.get_attempt_of(trade.id, request.args.get("no", ""))
    if trade.status != "unpaid" or attempt.status != "pending":
        return redirect(url_for("storefront_payments.result", trade_no=trade_no), 303)
    code = Markup(segno.make(attempt.pay_value or "", error="m").svg_inline(scale=5)) if attempt.pay_kind == "qr" else ""  # noqa: S704 - drawn here
    return render_template(
        "payments/storefront/waiting.html", trade=trade, attempt=attempt, code=code, title=channels.title_of(attempt.channel),
        bank=runtime.current().settings.payment.bank,
    )


def figures_of(actor: Actor) -> list[Figure]:
    """Return the buyer's stored value in whole yuan, for the personal centre."""
    return [Figure("储值（元）", wallet.balance(actor.account_id).total_fen // 100, "/me/wallet")]


@bp.get("/me/wallet")
@needs("cart.checkout")
def my_wallet() -> str:
    """Show the buyer's balance and its entries."""
    account_id = access.actor().account_id
    page = queries.list_entries(account_id, request.args.get("cursor", ""))
    most = runtime.current().settings.payment.wallet_max_fen
    return render_template(
        "payments/storefront/wallet.html", balance=wallet.balance(account_id), page=page, kinds=wallet.ENTRIES, most=most
    )


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
