"""The merchant's money: balances, statements, payouts, deposit."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock, runtime
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.settlement import chart, downloads
from app.settlement.forms import AmountForm, BankForm
from app.settlement.queries import books, statements
from app.settlement.service import deposits, payouts
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint
from security.tokens import random_token

bp = surface_blueprint("merchant", "settlement")


def _mine() -> int:
    return access.actor().merchant_id


@bp.get("/funds")
@needs("funds.view")
def funds() -> str:
    """Show what the shop has, what waits, what it owes, and the latest movements."""
    kind = request.args.get("kind", "")
    kinds = (kind,) if kind in chart.MERCHANT_KINDS else chart.MERCHANT_KINDS
    return render_template(
        "settlement/merchant/funds.html", balances=books.balances_of(_mine()), kind=kind if kind in chart.MERCHANT_KINDS else "",
        page=books.movements_of(_mine(), kinds, request.args.get("cursor", "")), names=chart.KINDS, vouchers=chart.VOUCHERS,
        kinds=chart.MERCHANT_KINDS, days=runtime.current().settings.settlement.release_after_days, missing=deposits.missing(_mine()),
    )  # fmt: skip


@bp.get("/funds/orders")
@needs("funds.view")
def orders() -> str:
    """List the shop's paid orders with what is the shop's of each."""
    words = {name: request.args.get(name, "").strip()[:40] for name in ("status", "q")}
    page = books.list_splits(_mine(), words["status"], words["q"], request.args.get("cursor", ""))
    return render_template("settlement/merchant/orders.html", page=page, words=words)


@bp.get("/statements")
@needs("funds.view")
def statement_list() -> str:
    """List closed months, with the present one so far."""
    month = statements.month_of(statements.number_of(clock.business_date()))
    return render_template(
        "settlement/merchant/statements.html", page=statements.list_closed(_mine(), request.args.get("cursor", "")),
        current=statements.compute(_mine(), month), names=chart.KINDS, vouchers=chart.VOUCHERS,
    )  # fmt: skip


@bp.get("/statements/<int:statement_id>")
@needs("funds.view")
def statement(statement_id: int) -> str:
    """Show a closed month."""
    row = statements.get_for(access.actor(), statement_id)
    return render_template(
        "settlement/merchant/statement.html", row=row, totals=statements.totals_of(row), names=chart.KINDS, vouchers=chart.VOUCHERS,
        base="/merchant/statements", shop=None,
    )  # fmt: skip


@bp.get("/statements/<int:statement_id>/xlsx")
@needs("funds.view")
def statement_xlsx(statement_id: int) -> Any:
    """Send every line of a closed month."""
    return downloads.statement_xlsx(statements.get_for(access.actor(), statement_id))


@bp.get("/statements/<int:statement_id>/pdf")
@needs("funds.view")
def statement_pdf(statement_id: int) -> Any:
    """Send the statement of record."""
    return downloads.statement_pdf(statements.get_for(access.actor(), statement_id))


def _payout_page(form: Any, bank_form: Any = None, status: int = 200) -> Any:
    merchant_id = _mine()
    bank = payouts.bank_of(merchant_id)
    shown = bank_form or BankForm(
        data={"bank_name": bank.bank_name if bank else "", "holder": merchants.get_merchant(merchant_id).name,
              "auto_payout": bool(bank and bank.auto_payout)}
    )  # fmt: skip
    page = books.list_payouts(merchant_id, "", request.args.get("cursor", ""))
    return render_template(
        "settlement/merchant/payouts.html", page=page, form=form, bank=bank, bank_form=shown, balances=books.balances_of(merchant_id),
        names=payouts.NAMES, tones=payouts.TONES, key=random_token()[:32], least=runtime.current().settings.settlement.min_payout_fen,
        weekday=runtime.current().settings.settlement.auto_payout_weekday,
    ), status  # fmt: skip


@bp.get("/payouts")
@needs("funds.view")
def payout_list() -> Any:
    """Show payouts and the forms."""
    return _payout_page(AmountForm())


@bp.post("/payouts")
@needs("funds.manage")
def request_payout() -> Any:
    """Claim part of the balance; problems come back beside the field."""
    form = AmountForm.from_request()
    if form.validate():
        try:
            with transaction():
                made = payouts.request(access.actor(), form.amount.data, request.form.get("request_key", ""))
                number = made.payout_no
        except (Invalid, Conflict) as error:
            form.add_error(error)
            return _payout_page(form, status=409 if isinstance(error, Conflict) else 422)
        flash(f"提现申请 {number} 已提交，等待平台审批")
        return redirect("/merchant/payouts", 303)
    return _payout_page(form, status=422)


@bp.get("/payouts/<int:payout_id>")
@needs("funds.view")
def payout(payout_id: int) -> str:
    """Show one payout."""
    row = payouts.get_for(access.actor(), payout_id)
    return render_template("settlement/merchant/payout.html", row=row, names=payouts.NAMES, tones=payouts.TONES)


@bp.post("/payouts/<int:payout_id>/withdraw")
@needs("funds.manage")
def withdraw(payout_id: int) -> Any:
    """Take a request back."""
    with transaction():
        payouts.withdraw(access.actor(), payout_id)
    flash("提现申请已撤回，金额已回到可提现余额")
    return redirect(f"/merchant/payouts/{payout_id}", 303)


@bp.post("/bank-account")
@needs("funds.manage")
def bank_account() -> Any:
    """Keep the bank account."""
    form = BankForm.from_request()
    if form.validate():
        try:
            with transaction():
                payouts.set_bank(
                    access.actor(), bank_name=form.bank_name.data, holder=form.holder.data, number=form.number.data,
                    auto_payout=form.auto_payout.data,
                )  # fmt: skip
        except Invalid as error:
            form.add_error(error)
        else:
            flash("收款账户已保存")
            return redirect("/merchant/payouts", 303)
    return _payout_page(AmountForm(), form, 422)


def _deposit_page(form: Any, status: int = 200) -> Any:
    page = books.movements_of(_mine(), ("deposit", "receivable"), request.args.get("cursor", ""))
    return render_template(
        "settlement/merchant/deposit.html", page=page, form=form, balances=books.balances_of(_mine()), missing=deposits.missing(_mine()),
        required=runtime.current().settings.settlement.deposit_required_fen, key=random_token()[:32], names=chart.KINDS,
        vouchers=chart.VOUCHERS,
    ), status  # fmt: skip


@bp.get("/deposit")
@needs("funds.view")
def deposit() -> Any:
    """Show the deposit and what the shop owes."""
    return _deposit_page(AmountForm())


@bp.post("/deposit")
@needs("funds.manage")
def pay_deposit() -> Any:
    """Move part of the balance to the deposit."""
    form = AmountForm.from_request()
    if form.validate():
        try:
            with transaction():
                deposits.pay_from_balance(access.actor(), form.amount.data, request.form.get("request_key", ""))
        except (Invalid, Conflict) as error:
            form.add_error(error)
            return _deposit_page(form, 409 if isinstance(error, Conflict) else 422)
        flash("已从可提现余额转入保证金")
        return redirect("/merchant/deposit", 303)
    return _deposit_page(form, 422)
