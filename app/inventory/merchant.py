"""The merchant's stock."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.errors import Invalid
from app.core.ids import new_id
from app.core.text import half_width
from app.core.tx import transaction
from app.inventory import queries, service
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "inventory")


@bp.get("/stock")
@needs("stock.view")
def index() -> str:
    """List the shop's stock with a form per row; the cause makes a double click harmless."""
    page = queries.list_stock(access.actor(), request.args.get("cursor", ""))
    return render_template("inventory/merchant/index.html", page=page, cause=new_id)


@bp.post("/stock/<int:stock_id>")
@needs("stock.adjust")
def change(stock_id: int) -> Any:
    """Receive or write off units."""
    text = half_width(request.form.get("delta", ""))
    cause = request.form.get("cause", "")
    if not text.lstrip("+-").isdigit() or len(text) > 8 or not cause.isdigit():
        raise Invalid("stock.delta", "请填写整数数量，减少用负数", field="delta")
    with transaction():
        service.change_on_hand(access.actor(), stock_id, int(text), cause_id=int(cause), note=request.form.get("note", "") or "-")
    flash("库存已更新")
    return redirect("/merchant/stock", 303)
