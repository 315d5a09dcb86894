"""The finance desk: income, split orders, rates, payouts, merchants' funds. More views: operator_books, operator_recon."""

from __future__ import annotations

import re
from typing import Any

from flask import redirect, render_template, request

from app.catalog import queries as catalog
from app.core import clock, runtime
from app.core.actor import SYSTEM
from app.core.errors import Conflict, Invalid, NotFound
from app.core.money import format_yuan
from app.core.tx import transaction
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.orders import queries as orders
from app.settlement import chart, downloads, exports
from app.settlement.chart import NONE
from app.settlement.forms import RateForm, rate_defaults
from app.settlement.queries import books
from app.settlement.service import payouts, rates, release
from app.settlement.service.splitting import Units
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint
from security.tokens import random_token

bp = surface_blueprint("operator", "settlement")
SPLIT_NAMES = {"frozen": "待结算", "released": "已结算", "reversed": "已冲回"}
SPLIT_TONES = {"frozen": "warn", "released": "ok", "reversed": "mute"}
_KEY = re.compile(r"^[A-Za-z0-9_-]{8,32}$")


@bp.get("/finance/orders")
@needs("finance.view")
def split_orders() -> str:
    """List paid orders with their split."""
    words = {name: request.args.get(name, "").strip()[:40] for name in ("status", "q")}
    page = books.list_splits(0, words["status"], words["q"], request.args.get("cursor", ""))
    return render_template("settlement/operator/orders.html", page=page, words=words, names=SPLIT_NAMES, tones=SPLIT_TONES)


@bp.get("/finance/orders/<int:order_id>")
@needs("finance.view")
def split_order(order_id: int) -> str:
    """Show one order's split, its vouchers, and the forms of refund and hold."""
    row, lines = books.get_split(order_id)
    return render_template(
        "settlement/operator/order.html", row=row, lines=lines, vouchers=books.vouchers_of_order(order_id), kinds=chart.VOUCHERS,
        shop=merchants.find(row.merchant_id), names=SPLIT_NAMES, tones=SPLIT_TONES, key=random_token()[:32],
        refundable=row.status != "reversed" and orders.get_for(SYSTEM, order_id).status in release.REFUNDABLE,
    )  # fmt: skip


@bp.post("/finance/orders/<int:order_id>/refund")
@needs("finance.refund")
def refund_units(order_id: int) -> Any:
    """Refund units of an order."""
    key = request.form.get("request_key", "")
    if not _KEY.match(key):
        raise Invalid("refund.key", "请求标识无效，请刷新页面后重试")
    units = []
    for name, value in request.form.items():
        if name.startswith("units-") and name[6:].isdigit() and value.strip():
            if not value.strip().isdigit():
                raise Invalid("refund.units", "退款数量须为整数")
            if int(value):
                units.append(Units(int(name[6:]), int(value)))
    with transaction():
        cash = release.refund(access.actor(), order_id, units, request.form.get("reason", ""), key)
    flash(f"已退款 ¥{format_yuan(cash)}，原路退回买家" if cash else "该退款已办理")
    return redirect(f"/operator/finance/orders/{order_id}", 303)


@bp.post("/finance/orders/<int:order_id>/hold")
@needs("finance.refund")
def hold_order(order_id: int) -> Any:
    """Stop an order's release, or let it go on with an empty reason."""
    reason = request.form.get("reason", "")
    with transaction():
        release.set_hold(access.actor(), order_id, reason)
    flash("已暂停结算" if reason.strip() else "已恢复结算")
    return redirect(f"/operator/finance/orders/{order_id}", 303)


@bp.get("/finance/rates")
@needs("finance.view")
def rate_list() -> str:
    """List the rules in the order of matching, or the ended versions."""
    ended = request.args.get("view") == "ended"
    page = books.list_rates(request.args.get("cursor", ""), ended=ended)
    return render_template(
        "settlement/operator/rates.html", page=page, ended=ended, category_name=_category_name, areas=_areas(), forever=chart.FOREVER,
        default_bps=runtime.current().settings.settlement.default_fee_bps, freight=rates.FREIGHT_TO, today=clock.business_date(),
    )  # fmt: skip


def _areas() -> dict[str, str]:
    return {area.code: area.name for area in identity.list_areas()}


def _category_name(category_id: int) -> str:
    found = catalog.find_category(category_id) if category_id else None
    return found.name if found is not None else "全部"


def _rate_form(source: Any, **kwargs: Any) -> Any:
    form = source(**kwargs)
    form.category_id.choices = [(0, "全部类目")] + [(c.id, c.name) for c in catalog.list_categories()]
    form.area_code.choices = [(NONE, "全部县区"), *_areas().items()]
    return form


def _rate_page(form: Any, rule_id: int = 0, version: int = 0, status: int = 200) -> Any:
    versions = books.rate_versions(rule_id) if rule_id else []
    return render_template(
        "settlement/operator/rate.html", form=form, rule_id=rule_id, version=version, versions=versions, forever=chart.FOREVER,
        category_name=_category_name, areas=_areas(), freight=rates.FREIGHT_TO,
    ), status  # fmt: skip


@bp.get("/finance/rates/new")
@needs("finance.rate")
def new_rate() -> Any:
    """Show the form of a new rule."""
    shown = {"place": 500, "fee": 500, "promoter": 0, "logistics": 0, "freight_to": "merchant", "first_on": clock.business_date()}
    return _rate_page(_rate_form(RateForm, data={**shown, "category_id": 0, "area_code": NONE}))


@bp.get("/finance/rates/<int:rule_id>")
@needs("finance.view")
def rate(rule_id: int) -> Any:
    """Show a rule, its versions, and the form of the next one."""
    current = books.rate_versions(rule_id)[0]
    merchant = merchants.find(current.merchant_id) if current.merchant_id else None
    form = _rate_form(RateForm, data=rate_defaults(current, merchant.code if merchant is not None else ""))
    return _rate_page(form, rule_id, current.version if current.ended_at is None else 0)


def _merchant_id(code: str) -> int:
    try:
        return merchants.get_by_code(code).id if code else 0
    except NotFound as error:
        raise Invalid("rate.merchant", error.message, field="merchant_code") from None


def _save_rate(rule_id: int, version: int) -> Any:
    form = _rate_form(RateForm.from_request)
    if form.validate():
        try:
            merchant_id = _merchant_id(form.merchant_code.data)
            with transaction():
                saved = rates.save(access.actor(), form.wanted(merchant_id), rule_id=rule_id, version=version)
        except (Invalid, Conflict) as error:
            form.add_error(error)
            return _rate_page(form, rule_id, version, 409 if isinstance(error, Conflict) else 422)
        flash("规则已保存，对之后付款的订单生效")
        return redirect(f"/operator/finance/rates/{saved}", 303)
    return _rate_page(form, rule_id, version, 422)


@bp.post("/finance/rates")
@needs("finance.rate")
def add_rate() -> Any:
    """Add a rule."""
    return _save_rate(0, 0)


@bp.post("/finance/rates/<int:rule_id>")
@needs("finance.rate")
def change_rate(rule_id: int) -> Any:
    """Replace a rule by its next version."""
    version = request.form.get("version", "")
    return _save_rate(rule_id, int(version) if version.isdigit() else 0)


@bp.post("/finance/rates/<int:rule_id>/end")
@needs("finance.rate")
def end_rate(rule_id: int) -> Any:
    """Stop a rule."""
    version = request.form.get("version", "")
    with transaction():
        rates.end(access.actor(), rule_id, int(version) if version.isdigit() else 0)
    flash("规则已停用")
    return redirect("/operator/finance/rates", 303)


@bp.get("/finance/payouts")
@needs("finance.view")
def payout_list() -> str:
    """List payouts; those that wait for approval by default."""
    status = request.args.get("status", "requested")
    page = books.list_payouts(0, status if status in payouts.NAMES else "", request.args.get("cursor", ""))
    return render_template(
        "settlement/operator/payouts.html", page=page, status=status, names=payouts.NAMES, tones=payouts.TONES, counts=books.payout_counts()
    )


@bp.get("/finance/payouts/<int:payout_id>")
@needs("finance.view")
def payout(payout_id: int) -> str:
    """Show a payout with the merchant's funds beside the decision."""
    row = payouts.get(payout_id)
    return render_template(
        "settlement/operator/payout.html", row=row, names=payouts.NAMES, tones=payouts.TONES, shop=merchants.find(row.merchant_id),
        balances=books.balances_of(row.merchant_id), kinds=chart.KINDS,
    )  # fmt: skip


def _decide(payout_id: int, text: str, verb: Any, *details: str) -> Any:
    with transaction():
        verb(access.actor(), payout_id, *details)
    flash(text)
    return redirect(f"/operator/finance/payouts/{payout_id}", 303)


@bp.post("/finance/payouts/<int:payout_id>/approve")
@needs("finance.payout")
def approve_payout(payout_id: int) -> Any:
    """Approve a request."""
    return _decide(payout_id, "已批准，等待导出付款文件", payouts.approve)


@bp.post("/finance/payouts/<int:payout_id>/reject")
@needs("finance.payout")
def reject_payout(payout_id: int) -> Any:
    """Refuse a request with a reason."""
    return _decide(payout_id, "已驳回，金额已退回商家余额", payouts.reject, request.form.get("note", ""))


@bp.post("/finance/payouts/<int:payout_id>/paid")
@needs("finance.payout")
def payout_paid(payout_id: int) -> Any:
    """Note the bank's confirmation."""
    return _decide(payout_id, "已确认到账", payouts.confirm_paid, request.form.get("bank_ref", ""))


@bp.post("/finance/payouts/<int:payout_id>/failed")
@needs("finance.payout")
def payout_failed(payout_id: int) -> Any:
    """Note that the bank sent the money back."""
    return _decide(payout_id, "已登记付款失败，金额已退回商家余额", payouts.confirm_failed, request.form.get("note", ""))


@bp.post("/finance/batches")
@needs("finance.payout")
def make_batch() -> Any:
    """Put the approved payouts into one bank file."""
    with transaction():
        batch_id = payouts.make_batch(access.actor()).id
    return redirect(f"/operator/finance/batches/{batch_id}", 303)


@bp.get("/finance/batches/<int:batch_id>")
@needs("finance.payout")
def batch(batch_id: int) -> str:
    """Show a bank file's payouts."""
    head, rows = payouts.batch_rows(batch_id)
    return render_template("settlement/operator/batch.html", head=head, rows=rows, names=payouts.NAMES, tones=payouts.TONES)


@bp.post("/finance/batches/<int:batch_id>/file")
@needs("finance.payout")
def batch_file(batch_id: int) -> Any:
    """Send the bank's file: account numbers are in clear, so it is a POST and audited."""
    with transaction():
        head, rows = payouts.batch_rows(batch_id)
        text = exports.bank_csv((row, payouts.account_number(row)) for row in rows)
        name = head.batch_no
        payouts.note_download(access.actor(), name)
    return downloads.text_file(text, f"{name}.csv")
