"""The wall of the supervising authority: one page, its refreshed parts and the county table as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, render_template, request

from app.core import clock
from app.supervision import queries
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("government", "supervision")
FILLS = ("#132440", "#17406f", "#1d5a9a", "#2f7fcb", "#5aa6ea", "#8fcbff")


@bp.get("/")
@needs("board.view")
def index() -> str:
    """Show the wall."""
    return render_template("supervision/government/board.html", **_context())


@bp.get("/board-panels")
@needs("board.view")
def panels() -> str:
    """Return the figures (?part=kpis) or the panels alone; the page fetches them every minute."""
    part = "_kpis" if request.args.get("part") == "kpis" else "_panels"
    return render_template(f"supervision/government/{part}.html", **_context())


@bp.get("/board-counties.csv")
@needs("board.view")
def counties() -> Response:
    """Return the county table, small cells hidden."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["县区", "近30日交易额(元)", "近30日订单", "及时发货率(%)"])
    for county in queries.board().counties:
        rate = "" if county.on_time_bps is None else f"{county.on_time_bps / 100:.1f}"
        writer.writerow([county.name, f"{county.paid_fen / 100:.2f}", county.orders_text, rate])
    headers = {"Content-Disposition": 'attachment; filename="counties.csv"'}
    return Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _context() -> dict[str, Any]:
    board = queries.board()
    return {
        "board": board,
        "as_of": board.at.astimezone(clock.REGION_TZ).strftime("%H:%M"),
        "fills": FILLS,
        "labels": [f"{day:%m-%d}" for day, _ in board.days],
        "gmv": [round(total.paid_fen / 1_000_000, 2) for _, total in board.days],
        "orders": [total.orders for _, total in board.days],
        "local": [bps / 100 for _, total in board.days if (bps := total.local_bps) is not None],
        "rate_label": board.definitions[4][0],
    }
