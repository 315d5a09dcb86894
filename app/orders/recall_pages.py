"""Pages of a recall: who has units of the lot, and the list as a spreadsheet; the same for merchants and operators."""

from __future__ import annotations

import io
from functools import partial
from typing import Any
from urllib.parse import quote

import xlsxwriter
from flask import Blueprint, render_template, send_file

from app.core.db import session
from app.core.tx import transaction
from app.inventory.models import Lot
from app.inventory.service import recalls as lots_recalls
from app.orders import recalls, states
from app.web import access
from app.web.surfaces import needs

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADS = ("订单", "店铺", "商品", "批次", "件数", "收货人", "手机")
SHOWN = 200


def bind(bp: Blueprint, prefix: str, view: str, export: str) -> None:
    """Add the pages to a surface. view, export: its permissions."""
    bp.add_url_rule("/recalls/<int:recall_id>", "recall", needs(view)(partial(_page, prefix)), methods=["GET"])
    bp.add_url_rule("/recalls/<int:recall_id>/export", "recall_export", needs(export)(partial(_export)), methods=["POST"])


def _page(prefix: str, recall_id: int) -> str:
    recall = lots_recalls.get_for(access.actor(), recall_id)
    found = recalls.buyers(recall_id)
    return render_template(
        "orders/recall.html", recall=recall, lot=session.get_one(Lot, recall.lot_id), buyers=found[:SHOWN], total=len(found),
        units=sum(buyer.units for buyer in found), names=states.NAMES, tones=states.TONES, prefix=prefix,
    )  # fmt: skip


def _export(recall_id: int) -> Any:
    with transaction():
        rows = recalls.export_rows(access.actor(), recall_id)
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet("召回名单")
        sheet.set_column(0, 6, 20)
        for column, head in enumerate(HEADS):
            sheet.write_string(0, column, head)
        for line, row in enumerate(rows, start=1):
            for column, text in enumerate(row):
                sheet.write_string(line, column, text)
    out.seek(0)
    response = send_file(out, mimetype=XLSX)
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote('召回名单.xlsx')}"
    return response
