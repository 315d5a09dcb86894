"""Finance: bank slips entered by one officer and confirmed by another."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request
from wtforms import RadioField, StringField
from wtforms.validators import Length

from app.core.errors import AppError, Conflict, Invalid
from app.core.tx import transaction
from app.payments import bank, delivery, queries
from app.payments.operator import bp
from app.web import access
from app.web.flash import flash
from app.web.forms import CleanForm, MoneyField, Required
from app.web.surfaces import needs


class SlipForm(CleanForm):
    """A slip as the bank shows it."""

    purpose = RadioField("用途", [Required()], choices=list(bank.PURPOSES.items()), default="trade")
    slip_no = StringField("回单号", [Required(), Length(max=40)])
    target = StringField("支付单号或手机号", [Required(), Length(max=40)], description="订单付款填附言里的支付单号，储值充值填买家手机号")
    payer = StringField("付款人", [Required(), Length(max=80)])
    amount = MoneyField("到账金额（元）", [Required()])
    bonus = MoneyField("赠送金额（元）", description="仅储值充值；留空为不赠送")


def _page(form: Any, status: int = 200) -> Any:
    wanted = request.args.get("status", "entered")
    page = queries.list_slips(wanted if wanted in bank.STATES else "", request.args.get("cursor", ""))
    words = {"states": bank.STATES, "purposes": bank.PURPOSES}
    return render_template("payments/operator/slips.html", page=page, form=form, status=wanted, **words), status


@bp.get("/bank-slips")
@needs("payment.view")
def slips() -> Any:
    """List slips, those that wait for the second officer by default, with the form for a new one."""
    return _page(SlipForm.from_request())


@bp.post("/bank-slips")
@needs("payment.slip")
def enter_slip() -> Any:
    """Enter a slip; refusals show the form again with what was typed."""
    form = SlipForm.from_request()
    if not form.validate():
        return _page(form, 422)
    given = bank.SlipInput(form.slip_no.data, form.purpose.data, form.target.data, form.payer.data, form.amount.data, form.bonus.data or 0)
    try:
        with transaction():
            slip_id = bank.enter(access.actor(), given)
    except Invalid as error:
        form.add_error(error)
        return _page(form, 422)
    flash("回单已登记，等待另一位财务人员复核")
    return redirect(f"/operator/bank-slips/{slip_id}", 303)


def _slip_page(slip_id: int, error: str = "", note: str = "", status: int = 200) -> Any:
    row = bank.get(slip_id)
    words = {"states": bank.STATES, "purposes": bank.PURPOSES, "mine": access.actor().account_id}
    return render_template("payments/operator/slip.html", row=row, error=error, note=note, **words), status


@bp.get("/bank-slips/<int:slip_id>")
@needs("payment.view")
def slip(slip_id: int) -> Any:
    """Show a slip with the second officer's forms."""
    return _slip_page(slip_id)


@bp.post("/bank-slips/<int:slip_id>/confirm")
@needs("payment.slip")
def confirm_slip(slip_id: int) -> Any:
    """Confirm another officer's slip: the receipt is committed, then applied."""
    try:
        with transaction():
            notice_id = bank.confirm(access.actor(), slip_id)
    except Conflict as error:
        return _slip_page(slip_id, error.message, status=409)
    outcome = delivery.apply(notice_id) if notice_id else "credited"
    flash({"paid": "已确认，订单已付款", "credited": "已确认，储值已到账"}.get(outcome, "已确认；金额或订单状态不符，款项转入异常收款"))
    return redirect(f"/operator/bank-slips/{slip_id}", 303)


@bp.post("/bank-slips/<int:slip_id>/refuse")
@needs("payment.slip")
def refuse_slip(slip_id: int) -> Any:
    """Send a slip back with the reason."""
    note = request.form.get("note", "")
    try:
        with transaction():
            bank.refuse(access.actor(), slip_id, note)
    except AppError as error:
        if error.status == 404:
            raise
        return _slip_page(slip_id, error.message, note, error.status)
    flash("回单已退回")
    return redirect(f"/operator/bank-slips/{slip_id}", 303)
