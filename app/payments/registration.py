"""What payments hands to the registry."""

from __future__ import annotations

from typing import Any

from app.core.domain import Domain
from app.orders.events import OrderCancelled
from app.payments import channels, handlers, openapi, operator, service, simulator, storefront
from app.payments.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def _apply(payload: dict[str, Any]) -> None:
    service.apply_notice(int(payload["notice_id"]))


def _refund(payload: dict[str, Any]) -> None:
    service.send_refund(int(payload["refund_id"]))


def _simulated(payload: dict[str, Any]) -> None:
    body = str(payload["body"]).encode()
    service.receive_notice(channels.SIMULATOR, body, channels.sign(body))


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="payments",
        routes=(storefront.bp, openapi.bp, operator.bp),
        handlers=((OrderCancelled, handlers.on_order_cancelled),),
        jobs=((service.APPLY_JOB, _apply), (service.REFUND_JOB, _refund), (simulator.DELIVER_JOB, _simulated)),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("operator", "交易", "支付流水", "/operator/payments", "wallet", "payment.view", 30),
            MenuEntry("operator", "交易", "退款", "/operator/refunds", "rotate-ccw", "payment.view", 40),
        ),
    )
