"""The operators' view of all stock, and their work in the platform's warehouses."""

from __future__ import annotations

from app.core.actor import Actor
from app.inventory.desk import Desk, counts, ledgers, lots, places, receipts, transfers
from app.inventory.service import alerts, verify
from app.web.figures import Figure
from app.web.surfaces import surface_blueprint

bp = surface_blueprint("operator", "inventory")
DESK = Desk(bp, "/operator", view="stock.monitor", work="warehouse.work", approve="warehouse.approve")
for _pages in (ledgers, lots, receipts, transfers, counts, places):
    DESK.add(_pages.ROUTES)
DESK.add(ledgers.OPERATOR_ROUTES)


def figures_of(actor: Actor) -> list[Figure]:
    """Return what calls for an operator in the warehouses; nothing for who may not see stock."""
    if not actor.can("stock.monitor"):
        return []
    cases, found = verify.count_open(), alerts.count_open(actor)
    expired = found["expired"]
    return [
        Figure("库存差异", cases, "/operator/stock", "处", "夜间核对发现", "bad" if cases else ""),
        Figure("低于安全库存", found["low"], "/operator/stock/alerts?kind=low", "个规格"),
        Figure("过期批次", expired, "/operator/stock/alerts?kind=expired", "个批次", "", "bad" if expired else ""),
    ]
