"""The operators' view of stock."""

from __future__ import annotations

from flask import render_template, request

from app.inventory import queries
from app.inventory.service import verify
from app.web import access
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "inventory")


@bp.get("/stock")
@needs("stock.monitor")
def index() -> str:
    """List stock of all merchants, rows at or below their safety stock first."""
    cursor = request.args.get("cursor", "")
    page = queries.list_stock(access.actor(), cursor)
    short = [] if cursor else queries.list_short()
    return render_template(
        "inventory/operator/index.html", page=page, short=short, audit=queries.last_audit(), cases=verify.open_cases(), kinds=verify.KINDS
    )
