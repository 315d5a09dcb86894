"""The operators' risk pages: rules with versions and hit counts, decisions with their inputs."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.errors import AppError, Conflict, Invalid
from app.core.tx import transaction
from app.risk import queries, rules, service
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "risk")
REVIEWS = {"open": "待复核", "passed": "已放行", "refused": "已拦截", "none": "无需复核"}


def _words() -> dict[str, Any]:
    return {"features": rules.FEATURES, "actions": rules.ACTIONS, "modes": rules.MODES, "reviews": REVIEWS}


def _rules_page(error: AppError | None = None) -> Any:
    html = render_template("risk/operator/rules.html", rows=queries.list_rules(), error=error, form=request.form, **_words())
    return html, error.status if error else 200


@bp.get("/risk/rules")
@needs("risk.view")
def rule_list() -> Any:
    """List the rules with their hits and the form of a new version."""
    return _rules_page()


def _number(name: str) -> int:
    text = request.form.get(name, "").strip()
    return int(text) if text.isdigit() and len(text) < 13 else -1 if text else 0


@bp.post("/risk/rules")
@needs("risk.edit")
def save_rule() -> Any:
    """Write the next version of a rule; wrong input comes back with what was entered."""
    thresholds = {feature: _number(f"least-{feature}") for feature in rules.FEATURES if request.form.get(f"least-{feature}", "").strip()}
    values = [request.form.get(name, "") for name in ("code", "name", "action")]
    try:
        with transaction():
            service.save(access.actor(), *values, _number("hours"), thresholds)
    except (Invalid, Conflict) as error:
        return _rules_page(error)
    flash("规则已保存为新版本")
    return redirect("/operator/risk/rules", 303)


@bp.post("/risk/rules/<int:rule_id>/mode")
@needs("risk.edit")
def set_mode(rule_id: int) -> Any:
    """Switch a rule off, to shadow or live."""
    try:
        with transaction():
            service.set_mode(access.actor(), rule_id, request.form.get("mode", ""))
    except Invalid as error:
        return _rules_page(error)
    flash("规则状态已修改")
    return redirect("/operator/risk/rules", 303)


@bp.get("/risk/decisions")
@needs("risk.view")
def decisions() -> str:
    """List decisions with what they were made from."""
    review = request.args.get("review", "")
    review = review if review in REVIEWS else ""
    page = queries.list_decisions(review, request.args.get("cursor", ""))
    return render_template("risk/operator/decisions.html", page=page, review=review, **_words())
