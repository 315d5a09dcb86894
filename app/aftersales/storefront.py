"""The buyer's after-sale: apply, follow, send back, answer, withdraw, turn to the platform."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template, request

from app.aftersales import pages, queries, rules, service, states
from app.aftersales.service import applying, base
from app.core.actor import Actor
from app.core.errors import Conflict, Invalid, NotFound
from app.core.money import parse_yuan
from app.core.tx import transaction
from app.orders import queries as orders
from app.web import access
from app.web.figures import Figure
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint
from security.tokens import random_token

bp = surface_blueprint("storefront", "aftersales")
VIEWS = {"": "全部", "open": "处理中", "ended": "已结束"}


def figures_of(actor: Actor) -> list[Figure]:
    """Return the buyer's open cases, for the buyer's centre."""
    return [Figure("售后", queries.count(states.OPEN, account_id=actor.account_id), "/after-sales?view=open", "单", icon="rotate-ccw")]


@bp.get("/orders/<int:order_id>/after-sale")
@needs("aftersale.own")
def apply_form(order_id: int) -> Any:
    """Show what of an order a case may be opened for; with `line` and `kind`, the form."""
    return _apply_page(order_id, {}, 200)


def _apply_page(order_id: int, errors: dict[str, str], status: int) -> Any:
    order = orders.get_for(access.actor(), order_id)
    lines, backs = orders.lines_of([order_id])[order_id], orders.backs_of([order_id])
    chosen, kind = request.values.get("line", ""), request.values.get("kind", "")
    line = next((x for x in lines if str(x.id) == chosen), None)
    limits = base.limits()
    rights = {x.id: rules.kinds_for(applying.facts_of(order, x), limits) for x in lines}
    free = {x.id: queries.free_units(x, backs.get(x.id)) for x in lines}
    common = {"order": order, "lines": lines, "backs": backs, "rights": rights, "free": free, "errors": errors, **pages.words()}
    if line is None or kind not in rights[line.id] or not free[line.id]:
        return render_template("aftersales/storefront/choose.html", cases=queries.of_order(order_id), **common), status
    worth = {n: queries.expected_fen(line, backs.get(line.id), n) for n in range(1, free[line.id] + 1)}
    reasons = rules.reasons_for(kind, applying.facts_of(order, line), limits)
    return render_template(
        "aftersales/storefront/apply.html", line=line, kind=kind, reasons_of=reasons, worth=worth,
        form=request.form, key=request.form.get("request_key") or random_token(18), slots=applying.slots(), limits=limits,
        replacements=applying.replacements(line) if kind == states.EXCHANGE else {}, **common,
    ), status  # fmt: skip


@bp.post("/orders/<int:order_id>/after-sale")
@needs("aftersale.own")
def apply(order_id: int) -> Any:
    """Open a case; refusals stand beside their fields, what was entered is kept (pictures must be chosen again)."""
    orders.get_for(access.actor(), order_id)
    try:
        wanted = _wanted()
        with transaction():
            case_id = service.apply(access.actor(), order_id, wanted)
    except NotFound:
        raise
    except (Invalid, Conflict) as error:
        return _apply_page(order_id, {error.field or "": error.message}, error.status)
    flash("售后申请已提交")
    return redirect(f"/after-sales/{case_id}", 303)


def _wanted() -> service.Application:
    form = request.form
    amount = form.get("amount", "").strip()
    try:
        fen = parse_yuan(amount) if amount else 0
    except Invalid as error:
        raise Invalid(error.code, error.message, field="amount") from None
    return service.Application(
        line_id=pages.number("line"), kind=form.get("kind", ""), reason=form.get("reason", ""), quantity=pages.number("quantity"),
        description=form.get("description", ""), request_key=form.get("request_key", ""), method=form.get("method", states.SELF),
        slot=form.get("slot", "-") or "-", new_sku_id=max(0, pages.number("new_sku_id")), amount_fen=fen,
        sampled=max(0, pages.number("sampled")), bad=max(0, pages.number("bad")), files=pages.files(),
    )  # fmt: skip


@bp.get("/after-sales")
@needs("aftersale.own")
def index() -> str:
    """List the buyer's cases."""
    view = request.args.get("view", "")
    view = view if view in VIEWS else ""
    page = queries.list_for_account(access.actor().account_id, view, request.args.get("cursor", ""))
    return render_template("aftersales/storefront/index.html", page=page, view=view, views=VIEWS, tab="orders", **pages.words())


def _case_page(case_id: int, errors: dict[str, str], status: int) -> Any:
    case = queries.get_for(access.actor(), case_id)
    return render_template(
        "aftersales/storefront/case.html", errors=errors, form=request.form, tab="orders",
        withdrawable=(case.status, states.WITHDRAWN) in states.MOVES and case.tracking_no == "-", **pages.facts(case),
    ), status  # fmt: skip


@bp.get("/after-sales/<int:case_id>")
@needs("aftersale.own")
def case(case_id: int) -> Any:
    """Show a case with its progress and what the buyer can do now."""
    return _case_page(case_id, {}, 200)


@bp.get("/after-sales/<int:case_id>/pictures")
@needs("aftersale.own")
def picture(case_id: int) -> Response:
    """Send one picture of the case."""
    return pages.picture(case_id)


@bp.post("/after-sales/<int:case_id>/withdraw")
@needs("aftersale.own")
def withdraw(case_id: int) -> Any:
    """Take the application back."""
    return pages.act(case_id, "withdraw", lambda: service.withdraw(access.actor(), case_id), _case_page, "售后申请已撤销")


@bp.post("/after-sales/<int:case_id>/send")
@needs("aftersale.own")
def send(case_id: int) -> Any:
    """Note the parcel the buyer sends back."""
    carrier, tracking = request.form.get("carrier", ""), request.form.get("tracking_no", "")
    return pages.act(case_id, "send", lambda: service.send_back(access.actor(), case_id, carrier, tracking), _case_page, "已记录寄回快递")


@bp.post("/after-sales/<int:case_id>/answer")
@needs("aftersale.own")
def answer(case_id: int) -> Any:
    """Give the proof the merchant asked for."""
    note, sent = request.form.get("note", ""), pages.files()
    return pages.act(case_id, "answer", lambda: service.answer(access.actor(), case_id, note, sent), _case_page, "已补充，等待商家处理")


@bp.post("/after-sales/<int:case_id>/escalate")
@needs("aftersale.own")
def escalate(case_id: int) -> Any:
    """Ask the platform to decide."""
    note, sent = request.form.get("note", ""), pages.files()
    return pages.act(case_id, "escalate", lambda: service.escalate(access.actor(), case_id, note, sent), _case_page, "已申请平台介入")


@bp.post("/after-sales/<int:case_id>/evidence")
@needs("aftersale.own")
def evidence(case_id: int) -> Any:
    """Add evidence to a disputed case."""
    note, sent = request.form.get("note", ""), pages.files()
    return pages.act(case_id, "evidence", lambda: service.give_evidence(access.actor(), case_id, note, sent), _case_page, "举证已提交")


@bp.post("/after-sales/<int:case_id>/received")
@needs("aftersale.own")
def received(case_id: int) -> Any:
    """Confirm the replacement or the repaired goods."""
    return pages.act(case_id, "received", lambda: service.confirm_received(access.actor(), case_id), _case_page, "已确认收到")
