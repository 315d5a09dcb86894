"""What payments hands to the registry."""

from __future__ import annotations

from typing import Any

from app.core.domain import Domain
from app.core.periodic import Periodic
from app.orders import closing
from app.orders.events import OrderCancelled
from app.payments import channels, commands, gateway, handlers, openapi, operator, refunding, service, simulator, storefront, wallet
from app.payments import operator_slips as _slips  # noqa: F401 - adds its views to the operator blueprint
from app.payments.events import StrayPaymentReceived
from app.payments.permissions import PERMISSIONS
from app.web import figures
from app.web.menus import MenuEntry


def _apply(payload: dict[str, Any]) -> None:
    service.apply_notice(int(payload["notice_id"]))


def _refund(payload: dict[str, Any]) -> None:
    gateway.send_refund(int(payload["refund_id"]))


def _ask_refund(payload: dict[str, Any]) -> None:
    gateway.ask_refund(int(payload["refund_id"]), int(payload["n"]))


def _ask(payload: dict[str, Any]) -> None:
    gateway.ask_again(int(payload["attempt_id"]), int(payload["n"]))


def _close_one(payload: dict[str, Any]) -> None:
    gateway.close_attempt(int(payload["attempt_id"]))


def _close(payload: dict[str, Any]) -> None:
    gateway.close_trade(int(payload["trade_id"]))


def _simulated(payload: dict[str, Any]) -> None:
    body = str(payload["body"]).encode()
    service.receive_notice(channels.SIMULATOR, body, channels.sign(body))


def _start() -> None:
    closing.use(gateway.still_payable, gateway.close_trade)
    figures.declare("me", "wallet", storefront.figures_of, 60)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="payments",
        routes=(storefront.bp, openapi.bp, operator.bp),
        handlers=(
            (OrderCancelled, handlers.on_order_cancelled), (StrayPaymentReceived, handlers.on_stray_payment_received),
        ),
        jobs=((service.APPLY_JOB, _apply), (simulator.DELIVER_JOB, _simulated)),
        outside_jobs=(
            (refunding.REFUND_JOB, _refund), (refunding.ASK_REFUND_JOB, _ask_refund), (service.ASK_JOB, _ask), (handlers.CLOSE_JOB, _close),
            (service.CLOSE_JOB, _close_one),
        ),
        periodics=(
            Periodic("payments.close_expired", 30, gateway.close_expired, "关闭到期订单的渠道支付单", outside=True),
            Periodic("payments.refresh_keys", 43_200, gateway.refresh_keys, "更新支付渠道证书", outside=True),
            Periodic("payments.verify_wallets", 86_400, wallet.verify, "核对储值余额等于流水之和"),
        ),
        start=_start,
        permissions=PERMISSIONS,
        commands=(commands.channel_group,),
        menu=(
            MenuEntry("operator", "交易", "支付流水", "/operator/payments", "wallet", "payment.view", 30),
            MenuEntry("operator", "交易", "退款", "/operator/refunds", "rotate-ccw", "payment.view", 40),
            MenuEntry("operator", "交易", "异常收款", "/operator/abnormal-receipts", "triangle-alert", "payment.view", 42),
            MenuEntry("operator", "交易", "转账与充值", "/operator/bank-slips", "landmark", "payment.view", 43),
            MenuEntry("operator", "交易", "支付渠道", "/operator/payment-channels", "plug", "payment.channel", 44),
        ),
    )  # fmt: skip
