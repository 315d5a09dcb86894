"""What inventory hands to the registry."""

from __future__ import annotations

from app.catalog.events import SkuCreated, StockDeclared
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.inventory import handlers, merchant, operator, queries
from app.inventory.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def _audit() -> None:
    """Compare the columns with the movements; a difference fails the job, so that it is parked and seen."""
    differences = queries.audit_columns()
    if differences:
        first = differences[0]
        raise RuntimeError(
            f"{len(differences)} stock rows differ from their movements; first {first.stock_id}: "
            f"{first.columns} is not {first.movements}"
        )


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="inventory",
        routes=(merchant.bp, operator.bp),
        handlers=((SkuCreated, handlers.on_sku_created), (StockDeclared, handlers.on_stock_declared)),
        periodics=(Periodic(queries.AUDIT_JOB, 86_400, _audit, "核对库存列与流水"),),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("merchant", "商品", "库存", "/merchant/stock", "boxes", "stock.view", 30),
            MenuEntry("operator", "履约", "库存监控", "/operator/stock", "boxes", "stock.monitor", 20),
        ),
    )
