"""The finance desk's books: income, trial balance, accounts, vouchers, merchants' funds and statements."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock, runtime
from app.core.errors import Conflict, Invalid
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.settlement import chart, downloads
from app.settlement.forms import AmountForm, DepositForm
from app.settlement.operator import bp
from app.settlement.queries import bills, books, statements
from app.settlement.service import deposits
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs
from security.tokens import random_token

MONTHS = 6


@bp.get("/finance")
@needs("finance.view")
def overview() -> str:
    """Show the platform's income by month, what waits, and whether the books were proven."""
    numbers = [statements.number_of(clock.business_date())]
    while len(numbers) < MONTHS:
        numbers.append(statements.before(numbers[-1]))
    months = [statements.month_of(number) for number in numbers]
    income = [(month.number, books.income_between(month.start, month.end)) for month in months]
    return render_template(
        "settlement/operator/overview.html", income=income, payouts=books.payout_counts(), cases=bills.case_counts(),
        trial=books.trial_balance(), verify=books.last_verify(), kinds=chart.KINDS,
    )  # fmt: skip


@bp.get("/finance/ledger")
@needs("finance.view")
def ledger() -> str:
    """Show the trial balance."""
    lines = books.trial_balance()
    totals = {side: sum(line[side] for line in lines) for side in ("debit", "credit")}
    return render_template("settlement/operator/ledger.html", lines=lines, totals=totals, verify=books.last_verify())


@bp.get("/finance/ledger/merchants")
@needs("finance.view")
def merchant_accounts() -> str:
    """List merchants' accounts of one kind."""
    kind = request.args.get("kind", "payable")
    kind = kind if kind in chart.MERCHANT_KINDS else "payable"
    page = books.merchants_accounts(kind, request.args.get("cursor", ""))
    return render_template("settlement/operator/accounts.html", page=page, kind=kind, kinds=chart.KINDS, keys=chart.MERCHANT_KINDS)


@bp.get("/finance/accounts/<int:account_id>")
@needs("finance.view")
def account(account_id: int) -> str:
    """Show one account's entries."""
    row = books.get_account(account_id)
    return render_template(
        "settlement/operator/account.html", row=row, page=books.entries_of(account_id, request.args.get("cursor", "")),
        kind=chart.KINDS[row.kind], vouchers=chart.VOUCHERS, shop=merchants.find(row.owner_id) if row.owner_id else None,
    )  # fmt: skip


@bp.get("/finance/vouchers")
@needs("finance.view")
def vouchers() -> str:
    """List vouchers; the search takes a voucher, order or channel number."""
    words = {name: request.args.get(name, "").strip()[:40] for name in ("kind", "q")}
    kind = words["kind"] if words["kind"] in chart.VOUCHERS else ""
    page = books.list_vouchers(kind, words["q"], request.args.get("cursor", ""))
    return render_template("settlement/operator/vouchers.html", page=page, words=words, kinds=chart.VOUCHERS)


@bp.get("/finance/vouchers/<int:voucher_id>")
@needs("finance.view")
def voucher(voucher_id: int) -> str:
    """Show one voucher with its entries."""
    row, entries = books.get_voucher(voucher_id)
    return render_template("settlement/operator/voucher.html", row=row, entries=entries, kinds=chart.KINDS, vouchers=chart.VOUCHERS)


def _merchant_page(merchant_id: int, form: Any, status: int = 200) -> Any:
    shop = merchants.get_merchant(merchant_id)
    return render_template(
        "settlement/operator/merchant.html", shop=shop, balances=books.balances_of(merchant_id), kinds=chart.KINDS, form=form,
        page=books.movements_of(merchant_id, cursor=request.args.get("cursor", "")), vouchers=chart.VOUCHERS,
        statements=statements.list_closed(merchant_id).items, missing=deposits.missing(merchant_id), key=random_token()[:32],
        back_form=AmountForm(), required=runtime.current().settings.settlement.deposit_required_fen,
    ), status  # fmt: skip


@bp.get("/finance/merchants/<int:merchant_id>")
@needs("finance.view")
def merchant(merchant_id: int) -> Any:
    """Show a merchant's funds, statements and the forms of its deposit."""
    return _merchant_page(merchant_id, DepositForm())


@bp.post("/finance/merchants/<int:merchant_id>/deposit")
@needs("finance.deposit")
def take_deposit(merchant_id: int) -> Any:
    """Note a deposit that came by bank."""
    form = DepositForm.from_request()
    if form.validate():
        try:
            with transaction():
                done = deposits.take_transfer(access.actor(), merchant_id, form.amount.data, form.bank_ref.data)
        except Invalid as error:
            form.add_error(error)
            return _merchant_page(merchant_id, form, 422)
        flash("保证金已登记" if done else "该回单号已登记过", "ok" if done else "warn")
        return redirect(f"/operator/finance/merchants/{merchant_id}", 303)
    return _merchant_page(merchant_id, form, 422)


@bp.post("/finance/merchants/<int:merchant_id>/deposit-back")
@needs("finance.deposit")
def give_deposit_back(merchant_id: int) -> Any:
    """Move part of a deposit to the merchant's balance."""
    form = AmountForm.from_request()
    if not form.validate():
        raise Invalid("deposit.amount", "请填写有效的金额")
    with transaction():
        deposits.give_back(access.actor(), merchant_id, form.amount.data, request.form.get("request_key", ""))
    flash("已退还到商家可提现余额")
    return redirect(f"/operator/finance/merchants/{merchant_id}", 303)


@bp.post("/finance/merchants/<int:merchant_id>/offset")
@needs("finance.deposit")
def offset(merchant_id: int) -> Any:
    """Set balance and deposit against what the merchant owes."""
    with transaction():
        amount = deposits.offset(access.actor(), merchant_id, request.form.get("request_key", ""))
    if not amount:
        raise Conflict("deposit.nothing", "没有可抵扣的欠款或余额")
    flash("已抵扣欠款")
    return redirect(f"/operator/finance/merchants/{merchant_id}", 303)


@bp.get("/finance/statements/<int:statement_id>")
@needs("finance.view")
def statement(statement_id: int) -> str:
    """Show a merchant's closed month."""
    row = statements.get_for(access.actor(), statement_id)
    return render_template(
        "settlement/merchant/statement.html", row=row, totals=statements.totals_of(row), names=chart.KINDS, vouchers=chart.VOUCHERS,
        base="/operator/finance/statements", shop=merchants.get_merchant(row.merchant_id),
    )  # fmt: skip


@bp.get("/finance/statements/<int:statement_id>/xlsx")
@needs("finance.view")
def statement_xlsx(statement_id: int) -> Any:
    """Send every line of a closed month."""
    return downloads.statement_xlsx(statements.get_for(access.actor(), statement_id))


@bp.get("/finance/statements/<int:statement_id>/pdf")
@needs("finance.view")
def statement_pdf(statement_id: int) -> Any:
    """Send the statement of record."""
    return downloads.statement_pdf(statements.get_for(access.actor(), statement_id))
