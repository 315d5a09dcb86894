"""The finance desk's reconciliation: bills and cases."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.errors import Conflict, Invalid, Upstream
from app.core.tx import transaction
from app.payments import channels
from app.settlement.operator import bp
from app.settlement.queries import bills as bill_queries
from app.settlement.service import bills, cases
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

AGED_DAYS = 3


def _bills_page(error: str = "", status: int = 200) -> Any:
    return render_template(
        "settlement/operator/bills.html", page=bill_queries.list_bills(request.args.get("cursor", "")), channels=channels.names(),
        counts=bill_queries.case_counts(), kinds=cases.KINDS, error=error, yesterday=clock.business_date() - timedelta(days=1),
    ), status  # fmt: skip


@bp.get("/finance/bills")
@needs("finance.view")
def bill_list() -> Any:
    """List channel bills with the forms of import."""
    return _bills_page()


def _day() -> date:
    try:
        return date.fromisoformat(request.form.get("day", ""))
    except ValueError:
        raise Invalid("bill.day", "请选择账单日期", field="day") from None


def _stored(upload: Any, channel: str, day: date) -> int:
    """Import the uploaded file, or the simulated channel's own bill; returns the bill's id."""
    if upload is None or not upload.filename:
        return bills.fetch(access.actor(), day).id
    with io.TextIOWrapper(upload.stream, encoding="utf-8-sig", newline="") as lines:
        return bills.import_bill(access.actor(), channel, day, lines).id


@bp.post("/finance/bills")
@needs("finance.recon")
def import_bill() -> Any:
    """Import a bill: the uploaded file, or what the channel offers for download when no file was chosen."""
    upload, channel = request.files.get("file"), request.form.get("channel", "")
    try:
        if channel not in channels.names():
            raise Invalid("bill.channel", "请选择支付渠道", field="channel")
        day = _day()
        if channel in channels.NETWORK and not (upload is not None and upload.filename):
            bill_id = bills.fetch_channel(access.actor(), channel, day)
        else:
            with transaction():
                bill_id = _stored(upload, channel, day)
    except UnicodeDecodeError:
        return _bills_page("文件不是 UTF-8 编码的账单", 422)
    except Invalid as error:
        return _bills_page(error.message, 422)
    except (Conflict, Upstream) as error:
        return _bills_page(error.message, error.status)
    flash("账单已导入，正在后台对账")
    return redirect(f"/operator/finance/bills/{bill_id}", 303)


@bp.get("/finance/bills/<int:bill_id>")
@needs("finance.view")
def bill(bill_id: int) -> str:
    """Show a bill and its cases."""
    row = bill_queries.get_bill(bill_id)
    page = bill_queries.list_cases(bill_id=bill_id, cursor=request.args.get("cursor", ""))
    return render_template("settlement/operator/bill.html", row=row, page=page, **_words())


@bp.post("/finance/bills/<int:bill_id>/compare")
@needs("finance.recon")
def compare(bill_id: int) -> Any:
    """Compare a bill again; what has come since closes its case."""
    bill_queries.get_bill(bill_id)
    with transaction():
        found = bills.compare(bill_id)
    flash(f"对账完成，新增 {found} 个案例" if found else "对账完成，没有新的差异")
    return redirect(f"/operator/finance/bills/{bill_id}", 303)


def _words() -> dict[str, Any]:
    return {
        "kinds": cases.KINDS, "hints": cases.KIND_HINTS, "states": cases.STATES, "resolutions": cases.RESOLUTIONS, "now": clock.now(),
        "aged": AGED_DAYS,
    }  # fmt: skip


@bp.get("/finance/cases")
@needs("finance.view")
def case_list() -> str:
    """List cases; those that wait by default."""
    words = {name: request.args.get(name, default).strip() for name, default in (("status", "waiting"), ("kind", ""))}
    page = bill_queries.list_cases(
        words["status"] if words["status"] in {"waiting", *cases.STATES} else "", words["kind"] if words["kind"] in cases.KINDS else "",
        cursor=request.args.get("cursor", ""),
    )  # fmt: skip
    counts = bill_queries.case_counts()
    return render_template("settlement/operator/cases.html", page=page, words=words, counts=counts, **_words())


def _case_page(case_id: int, error: str = "", status: int = 200) -> Any:
    row = cases.get(case_id)
    choices = cases.choices(row)
    return render_template("settlement/operator/case.html", row=row, choices=choices, error=error, **_words()), status


@bp.get("/finance/cases/<int:case_id>")
@needs("finance.view")
def case(case_id: int) -> Any:
    """Show a case with both sides and the forms of its handling."""
    return _case_page(case_id)


@bp.post("/finance/cases/<int:case_id>/take")
@needs("finance.recon")
def take_case(case_id: int) -> Any:
    """Become the owner of a case."""
    with transaction():
        cases.take(access.actor(), case_id)
    flash("已认领")
    return redirect(f"/operator/finance/cases/{case_id}", 303)


@bp.post("/finance/cases/<int:case_id>/resolve")
@needs("finance.recon")
def resolve_case(case_id: int) -> Any:
    """Resolve a case; refusals show the page again."""
    try:
        with transaction():
            cases.resolve(access.actor(), case_id, request.form.get("resolution", ""), request.form.get("note", ""))
    except (Invalid, Conflict) as error:
        return _case_page(case_id, error.message, 409 if isinstance(error, Conflict) else 422)
    flash("案例已处理")
    return redirect(f"/operator/finance/cases/{case_id}", 303)
