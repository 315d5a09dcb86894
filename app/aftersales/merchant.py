"""The merchant's after-sale: the queue by deadline, decisions, inspection, replacements."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request

from app.aftersales import pages, queries, service, states
from app.aftersales.service import deciding
from app.core.actor import Actor
from app.orders import queries as orders
from app.web import access
from app.web.figures import Figure
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "aftersales")
VIEWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("待我处理", states.MERCHANTS_TURN), "buyer": ("等待买家", (*states.BUYERS_TURN, states.COLLECTING)),
    "disputed": ("平台介入", (states.DISPUTED,)), "refunding": ("退款中", (states.REFUNDING,)), "ended": ("已结束", states.ENDED),
}  # fmt: skip


def figures_of(actor: Actor) -> list[Figure]:
    """Return the shop's open cases for the merchants' workbench; nothing for who may not see them."""
    if not actor.can("merchant_aftersale.view"):
        return []
    waiting = queries.count(states.MERCHANTS_TURN, merchant_id=actor.merchant_id)
    disputed = queries.count((states.DISPUTED,), merchant_id=actor.merchant_id)
    return [
        Figure("售后待处理", waiting, "/merchant/after-sales", "单", "到期自动同意", "warn" if waiting else ""),
        Figure("平台介入", disputed, "/merchant/after-sales?view=disputed", "单", "请及时举证", "bad" if disputed else ""),
    ]


@bp.get("/after-sales")
@needs("merchant_aftersale.view")
def index() -> str:
    """List the shop's cases by deadline."""
    view, word, cursor = request.args.get("view", ""), request.args.get("q", "").strip()[:40], request.args.get("cursor", "")
    view = view if view in VIEWS else ""
    merchant_id = access.actor().merchant_id
    if view == "ended":
        page = queries.list_ended(merchant_id, cursor, word=word)
    else:
        page = queries.list_for_desk(VIEWS[view][1], merchant_id, cursor, word=word)
    counts = {key: queries.count(held, merchant_id=merchant_id) for key, (_, held) in VIEWS.items() if key != "ended"}
    return render_template(
        "aftersales/merchant/index.html", page=page, view=view, word=word, counts=counts, views={k: v[0] for k, v in VIEWS.items()},
        **pages.words(),
    )  # fmt: skip


def _case_page(case_id: int, errors: dict[str, str], status: int) -> Any:
    case = queries.get_for(access.actor(), case_id)
    line = next(x for x in orders.lines_of([case.order_id])[case.order_id] if x.id == case.line_id)
    expected = queries.expected_fen(line, orders.backs_of([case.order_id]).get(line.id), case.quantity)
    return render_template(
        "aftersales/merchant/case.html", errors=errors, form=request.form, line=line, expected=expected,
        address=deciding.address_of(case.merchant_id), **pages.facts(case),
    ), status  # fmt: skip


@bp.get("/after-sales/<int:case_id>")
@needs("merchant_aftersale.view")
def case(case_id: int) -> Any:
    """Show a case with what the merchant can do now."""
    return _case_page(case_id, {}, 200)


@bp.get("/after-sales/<int:case_id>/pictures")
@needs("merchant_aftersale.view")
def picture(case_id: int) -> Response:
    """Send one picture of the case."""
    return pages.picture(case_id)


@bp.post("/after-sales/<int:case_id>/approve")
@needs("merchant_aftersale.handle")
def approve(case_id: int) -> Any:
    """Agree."""
    address, note = request.form.get("return_to", ""), request.form.get("note", "")
    return pages.act(case_id, "approve", lambda: service.approve(access.actor(), case_id, address, note), _case_page, "已同意")


@bp.post("/after-sales/<int:case_id>/reject")
@needs("merchant_aftersale.handle")
def reject(case_id: int) -> Any:
    """Refuse with a reason."""
    reason, sent = request.form.get("reason", ""), pages.files()
    said = "已拒绝，买家可申请平台介入"
    return pages.act(case_id, "reject", lambda: service.reject(access.actor(), case_id, reason, sent), _case_page, said)


@bp.post("/after-sales/<int:case_id>/ask")
@needs("merchant_aftersale.handle")
def ask(case_id: int) -> Any:
    """Ask the buyer for more proof."""
    note = request.form.get("note", "")
    return pages.act(case_id, "ask", lambda: service.ask(access.actor(), case_id, note), _case_page, "已请买家补充，处理时限暂停")


@bp.post("/after-sales/<int:case_id>/collected")
@needs("merchant_aftersale.handle")
def collected(case_id: int) -> Any:
    """Note that the courier took the goods."""
    carrier, tracking = request.form.get("carrier", ""), request.form.get("tracking_no", "")
    return pages.act(case_id, "collected", lambda: service.collected(access.actor(), case_id, carrier, tracking), _case_page, "已记录取件")


@bp.post("/after-sales/<int:case_id>/check")
@needs("merchant_aftersale.handle")
def check(case_id: int) -> Any:
    """Inspect what came back."""
    good, scrapped, note, sent = pages.number("good"), pages.number("scrapped"), request.form.get("note", ""), pages.files()
    who = access.actor()
    return pages.act(case_id, "check", lambda: service.check(who, case_id, good, scrapped, note, sent), _case_page, "质检结果已保存")


@bp.post("/after-sales/<int:case_id>/refuse")
@needs("merchant_aftersale.handle")
def refuse(case_id: int) -> Any:
    """Refuse the goods at the inspection."""
    reason, sent = request.form.get("reason", ""), pages.files()
    return pages.act(
        case_id, "refuse", lambda: service.refuse_goods(access.actor(), case_id, reason, sent), _case_page, "质检未通过，买家可申请平台介入"
    )


@bp.post("/after-sales/<int:case_id>/ship")
@needs("merchant_aftersale.handle")
def ship(case_id: int) -> Any:
    """Send the replacement or the repaired goods."""
    carrier, tracking = request.form.get("carrier", ""), request.form.get("tracking_no", "")
    return pages.act(case_id, "ship", lambda: service.ship(access.actor(), case_id, carrier, tracking), _case_page, "已记录寄出快递")


@bp.post("/after-sales/<int:case_id>/evidence")
@needs("merchant_aftersale.handle")
def evidence(case_id: int) -> Any:
    """Add evidence to a disputed case."""
    note, sent = request.form.get("note", ""), pages.files()
    return pages.act(case_id, "evidence", lambda: service.give_evidence(access.actor(), case_id, note, sent), _case_page, "举证已提交")
