"""What fulfilment hands to the registry."""

from __future__ import annotations

from typing import Any

from app.core.domain import Domain
from app.core.periodic import Periodic
from app.fulfilment import handlers, merchant_dispatch, openapi, operator, promising, queries, service, storefront
from app.fulfilment.events import ParcelShipped
from app.fulfilment.permissions import PERMISSIONS
from app.fulfilment.service import pickups, waybills
from app.orders import guards
from app.orders.events import OrderCancelled, OrderPaid
from app.web.menus import MenuEntry


def _scan(payload: dict[str, Any]) -> None:
    service.simulate_scan(**payload)


def _find_missed() -> None:
    promising.find_missed()


def _remind() -> None:
    service.remind_due()


def _complete_pickup(payload: dict[str, Any]) -> None:
    pickups.complete(**payload)


def _apply_push(payload: dict[str, Any]) -> None:
    waybills.apply_push(**payload)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="fulfilment",
        routes=(storefront.bp, merchant_dispatch.bp, operator.bp, openapi.bp),
        handlers=(
            (ParcelShipped, handlers.on_parcel_shipped), (OrderPaid, handlers.on_order_paid),
            (OrderCancelled, handlers.on_order_cancelled),
        ),
        periodics=(
            Periodic("fulfilment.find_missed", 300, _find_missed, "标记未按承诺送达的订单"),
            Periodic("fulfilment.remind_pickups", 900, _remind, "提醒买家尽快自提"),
        ),
        jobs=((service.SIMULATE_JOB, _scan), (pickups.COMPLETE_JOB, _complete_pickup), (waybills.APPLY_JOB, _apply_push)),
        permissions=PERMISSIONS,
        start=lambda: guards.on_started_check(queries.has_parcel),
        menu=(
            MenuEntry("merchant", "订单", "波次拣货", "/merchant/waves", "layers", "merchant_order.ship", 15),
            MenuEntry("merchant", "订单", "货位", "/merchant/shelves", "shelving-unit", "merchant_order.ship", 70),
            MenuEntry("operator", "履约", "集单配送", "/operator/trips", "truck", "delivery.manage", 45),
            MenuEntry("merchant", "订单", "包裹", "/merchant/parcels", "package", "merchant_order.view", 20),
            MenuEntry("operator", "履约", "包裹", "/operator/parcels", "package", "order.view", 40),
            MenuEntry("merchant", "订单", "自提备货", "/merchant/pickups", "package-check", "merchant_order.view", 30),
            MenuEntry("merchant", "订单", "自提核销", "/merchant/verify", "scan-qr-code", "pickup.verify", 40),
            MenuEntry("merchant", "订单", "超时订单", "/merchant/late", "clock-alert", "merchant_order.view", 50),
            MenuEntry("operator", "履约", "超时订单", "/operator/late", "clock-alert", "order.view", 50),
        ),
    )
