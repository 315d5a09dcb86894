"""The platform's after-sale: disputes to decide, all cases, figures."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request

from app.aftersales import pages, queries, service, states
from app.aftersales.service import arbitration
from app.core.errors import Invalid
from app.core.money import parse_yuan
from app.merchants import queries as merchants
from app.orders import queries as orders
from app.web import access
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "aftersales")
VIEWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("待裁决", (states.DISPUTED,)), "open": ("处理中", tuple(s for s in states.OPEN if s != states.DISPUTED)),
    "ended": ("已结束", states.ENDED),
}  # fmt: skip
FIGURE_DAYS = 30


@bp.get("/after-sales")
@needs("aftersale.view")
def index() -> str:
    """List disputes by deadline, with the figures of the last thirty days."""
    view, word, cursor = request.args.get("view", ""), request.args.get("q", "").strip()[:40], request.args.get("cursor", "")
    view = view if view in VIEWS else ""
    page = queries.list_ended(0, cursor, word=word) if view == "ended" else queries.list_for_desk(VIEWS[view][1], 0, cursor, word=word)
    counts = {key: queries.count(held) for key, (_, held) in VIEWS.items() if key != "ended"}
    return render_template(
        "aftersales/operator/index.html", page=page, view=view, word=word, counts=counts, views={k: v[0] for k, v in VIEWS.items()},
        shops=merchants.shops({case.merchant_id for case in page.items}), figures=queries.figures(FIGURE_DAYS), days=FIGURE_DAYS,
        late=queries.count((states.DISPUTED,), overdue=True), **pages.words(),
    )  # fmt: skip


def _case_page(case_id: int, errors: dict[str, str], status: int) -> Any:
    case = queries.get_for(access.actor(), case_id)
    line = next(x for x in orders.lines_of([case.order_id])[case.order_id] if x.id == case.line_id)
    expected = queries.expected_fen(line, orders.backs_of([case.order_id]).get(line.id), case.quantity)
    return render_template(
        "aftersales/operator/case.html", errors=errors, form=request.form, line=line, expected=expected,
        shop=merchants.shops([case.merchant_id]).get(case.merchant_id), outcomes=arbitration.outcomes_for(case), **pages.facts(case),
    ), status  # fmt: skip


@bp.get("/after-sales/<int:case_id>")
@needs("aftersale.view")
def case(case_id: int) -> Any:
    """Show a case with both sides' evidence and, while it is disputed, the decision."""
    return _case_page(case_id, {}, 200)


@bp.get("/after-sales/<int:case_id>/pictures")
@needs("aftersale.view")
def picture(case_id: int) -> Response:
    """Send one picture of the case."""
    return pages.picture(case_id)


@bp.post("/after-sales/<int:case_id>/decide")
@needs("aftersale.arbitrate")
def decide(case_id: int) -> Any:
    """Decide a dispute; the decision carries itself out."""
    form = request.form

    def verb() -> None:
        amount = form.get("amount", "").strip()
        try:
            fen = parse_yuan(amount) if amount else 0
        except Invalid as error:
            raise Invalid(error.code, error.message, field="amount") from None
        service.decide(access.actor(), case_id, form.get("outcome", ""), form.get("note", ""), fault=form.get("fault", ""), amount_fen=fen)

    return pages.act(case_id, "decide", verb, _case_page, "裁决已生效")
