"""Operator's report of what people search and do not find."""

from __future__ import annotations

from flask import render_template

from app.core.tx import transaction
from app.search import pending, queries, service
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "search")


@bp.get("/searches")
@needs("content.edit")
def searches() -> str:
    """Show hot words and searches without a result."""
    waiting = pending.take_due(now=True)
    if waiting:
        with transaction():
            service.record_searches(waiting)
    return render_template("search/operator/searches.html", hot=queries.hot_words(50), missing=queries.without_result(50))
