"""Operator's view of money moving."""

from __future__ import annotations

from flask import render_template, request

from app.payments import queries
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "payments")
STATES = {"": "全部", "received": "待处理", "applied": "已入账", "refunded": "已转退款", "rejected": "已拒收"}


@bp.get("/payments")
@needs("payment.view")
def index() -> str:
    """List channel notices and refunds."""
    state = request.args.get("state", "")
    page = queries.list_notices(state if state in STATES else "", request.args.get("cursor", ""))
    return render_template("payments/operator/index.html", page=page, state=state, states=STATES)


@bp.get("/refunds")
@needs("payment.view")
def refunds() -> str:
    """List refunds."""
    page = queries.list_refunds("", request.args.get("cursor", ""))
    return render_template("payments/operator/refunds.html", page=page)
