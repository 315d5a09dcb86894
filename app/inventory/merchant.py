"""The merchant's stock: the warehouse pages, and the quick change of a row without lots."""

from __future__ import annotations

from typing import Any

from flask import redirect, request

from app.core.actor import Actor
from app.core.errors import AppError, Invalid
from app.core.text import half_width
from app.core.tx import transaction
from app.inventory import service
from app.inventory.desk import Desk, counts, ledgers, lots, places, receipts, transfers
from app.inventory.service import alerts
from app.web import access
from app.web.figures import Figure
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "inventory")
DESK = Desk(bp, "/merchant", view="stock.view", work="stock.work", approve="stock.approve")
for _pages in (ledgers, lots, receipts, transfers, counts, places):
    DESK.add(_pages.ROUTES)
DESK.add(places.BUNDLE_ROUTES)


def figures_of(actor: Actor) -> list[Figure]:
    """Return the shop's warnings for the workbench; nothing for who may not see stock."""
    if not actor.can("stock.view"):
        return []
    found = alerts.count_open(actor)
    near = found["third"] + found["tenth"] + found["expired"]
    low = found["low"]
    return [
        Figure("低于安全库存", low, "/merchant/stock/alerts?kind=low", "个规格", "需要补货", "warn" if low else ""),
        Figure("临期批次", near, "/merchant/stock/lots", "个批次", "先卖或处置", "warn" if near else ""),
    ]


@bp.post("/stock/<int:stock_id>")
@needs("stock.adjust")
def change(stock_id: int) -> Any:
    """Receive or write off units; the cause makes a double click harmless."""
    text = half_width(request.form.get("delta", ""))
    cause = request.form.get("cause", "")
    try:
        if not text.lstrip("+-").isdigit() or len(text) > 8 or not cause.isdigit():
            raise Invalid("stock.delta", "请填写整数数量，减少用负数", field="delta")
        with transaction():
            service.change_on_hand(access.actor(), stock_id, int(text), cause_id=int(cause), note=request.form.get("note", "") or "-")
    except (Invalid, service.OutOfStock) as error:
        return _again(stock_id, error)
    flash("库存已更新")
    return redirect(f"/merchant/stock/{stock_id}", 303)


def _again(stock_id: int, error: AppError) -> Any:
    return ledgers.detail(DESK, stock_id, error)
