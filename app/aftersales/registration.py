"""What after-sale hands to the registry."""

from __future__ import annotations

from typing import Any

from app.aftersales import handlers, merchant, operator, service, storefront
from app.aftersales.permissions import PERMISSIONS
from app.aftersales.service import timers
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.payments.events import PaymentRefunded
from app.web import figures
from app.web.menus import MenuEntry


def _expire(payload: dict[str, Any]) -> None:
    service.expire(int(payload["case_id"]), int(payload["due_us"]))


def _scan() -> None:
    service.queue_due()


def _start() -> None:
    figures.declare("me.orders", "aftersales", storefront.figures_of, 200)
    figures.declare("merchant", "aftersales", merchant.figures_of, 200)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="aftersales",
        routes=(storefront.bp, merchant.bp, operator.bp),
        handlers=((PaymentRefunded, handlers.on_payment_refunded),),
        jobs=((timers.EXPIRE_JOB, _expire),),
        periodics=(Periodic("aftersales.queue_due", 60, _scan, "售后到期：自动同意、自动关闭、转平台"),),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "订单", "售后", "/merchant/after-sales", "rotate-ccw", "merchant_aftersale.view", 40),
            MenuEntry("operator", "交易", "售后与纠纷", "/operator/after-sales", "scale", "aftersale.view", 20),
        ),
        start=_start,
    )
