"""The wall of the supervising authority: one page, its refreshed parts and the county table as CSV."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

from flask import Response, render_template, request

from app.core import clock
from app.supervision import counties as counties_of
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


@bp.get("/counties/<code>")
@needs("board.view")
def county(code: str) -> str:
    """Show one county: days, categories, merchants."""
    found = counties_of.county_board(code)
    unit, fen = _unit(found.days)
    return render_template(
        "supervision/government/county.html", view=found, names=counties_of.codes(), small=queries.SMALL_CELL,
        as_of=found.at.astimezone(clock.REGION_TZ).strftime("%H:%M"), labels=[f"{day:%m-%d}" for day, _ in found.days],
        gmv=[round(total.paid_fen / fen, 2) for _, total in found.days], gmv_unit=unit, rate_label=queries.definitions()[4][0],
    )  # fmt: skip


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


def _unit(days: list[tuple[date, queries.Totals]]) -> tuple[str, int]:
    """Return the unit of a chart of daily sales and how many fen it is."""
    most_fen = max((total.paid_fen for _, total in days), default=0)
    return ("万元", 1_000_000) if most_fen >= 1_000_000 else ("元", 100)


def _context() -> dict[str, Any]:
    board = queries.board()
    unit, fen = _unit(board.days)
    return {
        "board": board,
        "as_of": board.at.astimezone(clock.REGION_TZ).strftime("%H:%M"),
        "fills": FILLS,
        "labels": [f"{day:%m-%d}" for day, _ in board.days],
        "gmv": [round(total.paid_fen / fen, 2) for _, total in board.days],
        "gmv_unit": unit,
        "orders": [total.orders for _, total in board.days],
        "local": [bps / 100 for _, total in board.days if (bps := total.local_bps) is not None],
        "rate_label": board.definitions[4][0],
    }
