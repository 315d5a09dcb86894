"""Answers that are files, made in a temporary file and sent in pieces; shared by both surfaces."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from urllib.parse import quote

from flask import Response, send_file

from app.core import runtime
from app.merchants import queries as merchants
from app.settlement import exports
from app.settlement.models import Statement
from app.settlement.queries import statements

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _named(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return response


def statement_xlsx(statement: Statement) -> Response:
    """Answer with every line of a closed month; memory does not grow with the lines."""
    shop = merchants.get_merchant(statement.merchant_id)
    with tempfile.TemporaryDirectory(prefix="statement-") as folder:
        path = Path(folder).joinpath("statement.xlsx")
        exports.statement_xlsx(path, shop.shop_name, statements.totals_of(statement))
        body = path.open("rb")  # the open file outlives its name; the answer closes it
    return _named(send_file(body, mimetype=XLSX), f"对账单-{statement.month_no}-{shop.code}.xlsx")


def statement_pdf(statement: Statement) -> Response:
    """Answer with the statement of record of a closed month."""
    shop = merchants.get_merchant(statement.merchant_id)
    out = io.BytesIO()
    exports.statement_pdf(
        out, site=runtime.current().settings.site.name, shop=shop.shop_name, name=shop.name, number=f"{statement.id}",
        totals=statements.totals_of(statement), closed_at=statement.closed_at,
    )  # fmt: skip
    out.seek(0)
    return _named(send_file(out, mimetype="application/pdf"), f"对账单-{statement.month_no}-{shop.code}.pdf")


def text_file(text: str, name: str, mimetype: str = "text/csv; charset=utf-8") -> Response:
    """Answer with a text file."""
    return _named(Response(text, content_type=mimetype), name)
