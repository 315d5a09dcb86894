"""What inventory hands to the registry."""

from __future__ import annotations

from prometheus_client import Gauge

from app.catalog.events import SkuCreated, StockDeclared
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.inventory import handlers, merchant, operator, queries
from app.inventory.commands import inventory_group
from app.inventory.permissions import PERMISSIONS
from app.inventory.service import alerts, lots, verify
from app.web import figures
from app.web.menus import MenuEntry
from dbadapters.errors import DbError

CASES = Gauge("regionmart_stock_cases_open", "Open differences between stock columns and what explains them")


def _count_cases() -> int:
    """Return the open cases for a scrape; -1 while the database is away, so that the other figures still come."""
    try:
        return verify.count_open()
    except DbError:
        return -1


def _audit() -> None:
    """Prove the stock; what differs becomes a case on the operators' page, the workbench and in the metrics."""
    verify.record(verify.verify())


def _block_expired() -> None:
    lots.block_expired()


def _scan() -> None:
    alerts.scan()


def _start() -> None:
    CASES.set_function(_count_cases)
    figures.declare("merchant", "inventory", merchant.figures_of, 200)
    figures.declare("operator", "inventory", operator.figures_of)


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="inventory",
        routes=(merchant.bp, operator.bp),
        handlers=((SkuCreated, handlers.on_sku_created), (StockDeclared, handlers.on_stock_declared)),
        periodics=(
            Periodic(queries.AUDIT_JOB, 86_400, _audit, "核对库存：流水、批次、占用、预留"),
            Periodic("inventory.block_expired", 3_600, _block_expired, "隔离到期批次"),
            Periodic("inventory.scan_alerts", 300, _scan, "检查安全库存与临期批次"),
        ),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "商品", "库存", "/merchant/stock", "boxes", "stock.view", 30),
            *(
                MenuEntry("merchant", "仓储", label, f"/merchant/stock/{path}", icon, "stock.view", order)
                for label, path, icon, order in (
                    ("批次效期", "lots", "calendar", 10), ("收货", "receipts", "package", 20), ("调拨", "transfers", "truck", 30),
                    ("盘点", "counts", "list-checks", 40), ("库存预警", "alerts", "triangle-alert", 50),
                    ("仓库", "warehouses", "warehouse", 60), ("组合商品", "bundles", "layers", 70),
                )
            ),
            MenuEntry("operator", "履约", "库存监控", "/operator/stock", "boxes", "stock.monitor", 20),
            *(
                MenuEntry("operator", "履约", label, f"/operator/stock/{path}", icon, "stock.monitor", order)
                for label, path, icon, order in (
                    ("批次效期", "lots", "calendar", 21), ("平台仓收货", "receipts", "package", 22), ("调拨", "transfers", "truck", 23),
                    ("平台仓盘点", "counts", "list-checks", 24), ("仓库", "warehouses", "warehouse", 25),
                )
            ),
        ),
        commands=(inventory_group,),
        start=_start,
    )
