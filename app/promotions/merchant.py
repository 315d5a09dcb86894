"""The shop's own promotions and coupons (M13)."""

from __future__ import annotations

from typing import Any

import segno
from flask import render_template, request
from markupsafe import Markup

from app.promotions import pages, queries, scanning, service, states
from app.promotions.forms import RuleForm
from app.promotions.spec import KINDS, MERCHANT_KINDS
from app.web import access
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("merchant", "promotions")
PREFIX = "/merchant/promotions"


def _owner(form: RuleForm) -> tuple[str, int]:
    return "merchant", access.actor().merchant_id


@bp.get("/promotions")
@needs("merchant_promotion.view")
def index() -> str:
    """List the shop's rules with their effect."""
    status, kind = request.args.get("status", ""), request.args.get("kind", "")
    page = queries.list_for(access.actor(), status=status, kind=kind, cursor=request.args.get("cursor", ""))
    return render_template(
        "promotions/index.html", page=page, effects=queries.effects([row.id for row in page.items]), status=status, kind=kind,
        kinds={k: KINDS[k] for k in MERCHANT_KINDS}, names=states.RULE_NAMES, tones=states.RULE_TONES, prefix=PREFIX, shops={},
        is_operator=False, waiting=None, can_edit=access.actor().can("merchant_promotion.edit"),
    )  # fmt: skip


@bp.get("/promotions/new")
@needs("merchant_promotion.edit")
def new() -> Any:
    """Show an empty form of a kind."""
    kind = pages.known_kind(request.args.get("kind", "full_cut"), MERCHANT_KINDS)
    return pages.form_page(PREFIX, kind, RuleForm.fresh(kind))


@bp.post("/promotions")
@needs("merchant_promotion.edit")
def create() -> Any:
    """Preview, save or start a new rule, by the button pressed."""
    kind = pages.known_kind(request.form.get("kind", ""), MERCHANT_KINDS)
    return pages.posted(PREFIX, kind, _owner, lambda spec: service.draft(access.actor(), spec).id)


@bp.get("/promotions/<int:rule_id>")
@needs("merchant_promotion.view")
def detail(rule_id: int) -> Any:
    """Show one rule of the shop."""
    address = f"{request.host_url.rstrip('/')}/scan/{scanning.poster_token(access.actor().merchant_id)}"
    return pages.detail_page(PREFIX, rule_id, can_edit=access.actor().can("merchant_promotion.edit"), poster=_code(address))


def _code(address: str) -> Markup:
    """Return an address as a QR code, an SVG of the page."""
    return Markup(segno.make(address, error="m").svg_inline(scale=4))  # noqa: S704 - made here, the address is our own


@bp.get("/promotions/<int:rule_id>/edit")
@needs("merchant_promotion.edit")
def edit(rule_id: int) -> Any:
    """Show the form of a rule of the shop."""
    rule = queries.get_for(access.actor(), rule_id)
    return pages.form_page(PREFIX, rule.kind, RuleForm.of(queries.spec_of(rule)), rule)


@bp.post("/promotions/<int:rule_id>")
@needs("merchant_promotion.edit")
def save(rule_id: int) -> Any:
    """Preview, save or start the next version of a rule, by the button pressed."""
    rule = queries.get_for(access.actor(), rule_id)

    def revise(spec: Any) -> int:
        service.revise(access.actor(), rule_id, spec)
        return rule_id

    return pages.posted(PREFIX, rule.kind, _owner, revise, rule)


@bp.post("/promotions/<int:rule_id>/submit")
@needs("merchant_promotion.edit")
def submit(rule_id: int) -> Any:
    """Start a draft."""
    return pages.move(PREFIX, rule_id, service.submit, "活动已启用")


@bp.post("/promotions/<int:rule_id>/pause")
@needs("merchant_promotion.edit")
def pause(rule_id: int) -> Any:
    """Stop a rule for now."""
    return pages.move(PREFIX, rule_id, service.pause, "活动已暂停，已领的优惠券仍可使用")


@bp.post("/promotions/<int:rule_id>/resume")
@needs("merchant_promotion.edit")
def resume(rule_id: int) -> Any:
    """Let a paused rule go on."""
    return pages.move(PREFIX, rule_id, service.resume, "活动已恢复")


@bp.post("/promotions/<int:rule_id>/end")
@needs("merchant_promotion.edit")
def end(rule_id: int) -> Any:
    """End a rule for good."""
    return pages.move(PREFIX, rule_id, service.end, "活动已结束，已领的优惠券仍可使用")
