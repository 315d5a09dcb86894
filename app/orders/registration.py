"""What orders hand to the registry."""

from __future__ import annotations

from typing import Any

from app.core.domain import Domain
from app.core.periodic import Periodic
from app.orders import addresses, cases, exporting, handlers, merchant, operator, queries, screening, service, storefront
from app.orders import merchant_invoices as _invoices  # noqa: F401 - adds its views to the merchant blueprint
from app.orders import merchant_parts as _merchant_parts  # noqa: F401 - adds its views to the merchant blueprint
from app.orders import operator_cases as _cases  # noqa: F401 - adds its views to the operator blueprint
from app.orders import operator_parts as _operator_parts  # noqa: F401 - adds its views to the operator blueprint
from app.orders import storefront_after as _after  # noqa: F401 - adds its views to the storefront blueprint
from app.orders.events import OrderPaid
from app.orders.permissions import PERMISSIONS
from app.promotions import queries as promotions
from app.web import figures
from app.web.menus import MenuEntry


def _expire() -> None:
    service.expire_unpaid()


def _confirm() -> None:
    service.confirm_due()


def _overdue() -> None:
    cases.watch_overdue()


def _purge_exports() -> None:
    exporting.purge()


def _export(payload: dict[str, Any]) -> None:
    exporting.run(int(payload["export_id"]))


def _index_older() -> None:
    addresses.index_older()


def _is_first_order(account_id: int) -> bool:
    return not queries.has_ordered(account_id)


def _start() -> None:
    cases.on_resolved(screening.on_case_resolved)
    promotions.on_first_order_check(_is_first_order)
    figures.declare("me", "orders", storefront.review_figures, 20)
    figures.declare("me.orders", "orders", storefront.order_figures)
    figures.declare("merchant", "orders", merchant.figures_of)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="orders",
        routes=(storefront.bp, merchant.bp, operator.bp),
        handlers=((OrderPaid, handlers.on_order_paid),),
        periodics=(
            Periodic("orders.expire_unpaid", 15, _expire, "关闭超时未付款订单并归还库存"),
            Periodic("orders.confirm_due", 600, _confirm, "到期自动确认收货"),
            Periodic("orders.watch_overdue", 1_800, _overdue, "超时未发货的订单转异常队列"),
            Periodic("orders.purge_exports", 86_400, _purge_exports, "删除一周前的订单导出文件"),
            Periodic("orders.index_older", 600, _index_older, "为较早的订单补全查询索引"),
        ),
        jobs=((exporting.JOB, _export),),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "订单", "订单", "/merchant/orders", "shopping-cart", "merchant_order.view", 10),
            MenuEntry("merchant", "订单", "合并发货", "/merchant/order-bundles", "layers", "merchant_order.view", 14),
            MenuEntry("merchant", "订单", "发票", "/merchant/invoices", "receipt", "merchant_order.view", 16),
            MenuEntry("merchant", "订单", "订单导出", "/merchant/order-exports", "download", "merchant_order.view", 18),
            MenuEntry("operator", "交易", "订单导出", "/operator/order-exports", "download", "order.view", 18),
            MenuEntry("operator", "交易", "订单管理", "/operator/orders", "shopping-cart", "order.view", 10),
            MenuEntry("operator", "交易", "异常订单", "/operator/order-cases", "triangle-alert", "order.case", 15),
        ),
        start=_start,
    )
