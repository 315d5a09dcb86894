"""The list of parcels, for a shop and for operators."""

from __future__ import annotations

from flask import render_template, request

from app.fulfilment import queries, states
from app.fulfilment.carriers import CARRIERS

VIEWS = {"": "全部", "open": "在途", "failed": "丢失或退回", "breached": "冷链超温"}


def index(prefix: str, merchant_id: int) -> str:
    """Return the list by view."""
    view = request.args.get("view", "")
    view = view if view in VIEWS else ""
    page = queries.list_parcels(merchant_id, view, request.args.get("cursor", ""))
    return render_template("fulfilment/parcels.html", page=page, view=view, views=VIEWS, prefix=prefix, states=states, carriers=CARRIERS)
