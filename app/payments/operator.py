"""Operator's view of money moving."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import runtime
from app.core.errors import AppError, Conflict, Invalid
from app.core.tx import transaction
from app.payments import abnormal, channels, queries, refunding
from app.web import access
from app.web.flash import flash
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


@bp.get("/abnormal-receipts")
@needs("payment.view")
def cases() -> str:
    """List receipts and refunds that need a person; those that wait by default."""
    status = request.args.get("status", "waiting")
    wanted = status if status in {"waiting", *abnormal.STATES} else ""
    page = queries.list_cases(wanted, request.args.get("cursor", ""))
    return render_template("payments/operator/cases.html", page=page, status=status, **_words())


def _words() -> dict[str, Any]:
    return {"kinds": abnormal.KINDS, "states": abnormal.STATES, "title_of": channels.title_of}


def _case_page(case_id: int, error: str = "", note: str = "", status: int = 200) -> Any:
    row = abnormal.get(case_id)
    page = render_template("payments/operator/case.html", row=row, error=error, note=note, mine=access.actor().account_id, **_words())
    return page, status


@bp.get("/abnormal-receipts/<int:case_id>")
@needs("payment.view")
def case(case_id: int) -> Any:
    """Show a case with the forms of its handling."""
    return _case_page(case_id)


@bp.post("/abnormal-receipts/<int:case_id>/take")
@needs("payment.abnormal")
def take_case(case_id: int) -> Any:
    """Become the owner of a case."""
    try:
        with transaction():
            abnormal.take(access.actor(), case_id)
    except Conflict as error:
        return _case_page(case_id, error.message, status=409)
    flash("已认领")
    return redirect(f"/operator/abnormal-receipts/{case_id}", 303)


@bp.post("/abnormal-receipts/<int:case_id>/resolve")
@needs("payment.abnormal")
def resolve_case(case_id: int) -> Any:
    """Close a case with what was done, or have its failed refund sent again; refusals show the page again."""
    note = request.form.get("note", "")
    try:
        with transaction():
            row = abnormal.get(case_id)
            if request.form.get("intent") == "resend":
                abnormal.must_own(access.actor(), row)
                refunding.resend(row.refund_id)
            elif request.form.get("intent") == "paid_back":
                abnormal.must_own(access.actor(), row)
                abnormal.check_note(note)
                refunding.finish(row.refund_id, note[:64], by_hand=True)
            else:
                abnormal.resolve(access.actor(), case_id, note)
    except (Invalid, Conflict) as error:
        return _case_page(case_id, error.message, note, error.status)
    flash("退款已重新提交" if request.form.get("intent") == "resend" else "案例已处理")
    return redirect(f"/operator/abnormal-receipts/{case_id}", 303)


@bp.get("/payment-channels")
@needs("payment.channel")
def channel_status() -> str:
    """Show which channels are set up and in what state; secrets are never shown."""
    found = []
    for key, (title, _) in channels.NETWORK.items():
        facts, problem = [], ""
        if channels.switched_on(key):
            try:
                facts = list(channels.get(key).facts())
            except (AppError, ValueError) as error:
                problem = error.message if isinstance(error, AppError) else "密钥或证书无法读取"
        found.append({"title": title, "on": channels.switched_on(key), "facts": facts, "problem": problem})
    settings = runtime.current().settings
    return render_template("payments/operator/channels.html", found=found, payment=settings.payment, egress=settings.egress)
