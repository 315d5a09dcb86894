"""Promotions of the platform and of government programmes, their approval; merchants' ones can be paused and ended (P02, K26)."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.promotions import pages, queries, service, states
from app.promotions.forms import IssueForm, RuleForm
from app.promotions.spec import KINDS, RuleSpec
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "promotions")
PREFIX = "/operator/promotions"
KINDS_MADE = tuple(KINDS)


def _owner(form: RuleForm) -> tuple[str, int]:
    return form.owner.data, 0


@bp.get("/promotions")
@needs("promotion.view")
def index() -> str:
    """List all rules with their effect."""
    status, kind, owner = (request.args.get(name, "") for name in ("status", "kind", "owner"))
    page = queries.list_for(access.actor(), status=status, kind=kind, owner=owner, cursor=request.args.get("cursor", ""))
    return render_template(
        "promotions/index.html", page=page, effects=queries.effects([row.id for row in page.items]), status=status,
        kind=kind, kinds=KINDS, names=states.RULE_NAMES, tones=states.RULE_TONES, prefix=PREFIX, is_operator=True,
        waiting=queries.count_submitted(),
        shops=merchants.shops([row.merchant_id for row in page.items if row.merchant_id]),
        can_edit=access.actor().can("promotion.edit"),
    )  # fmt: skip


@bp.get("/promotions/new")
@needs("promotion.edit")
def new() -> Any:
    """Show an empty form of a kind."""
    kind = pages.known_kind(request.args.get("kind", "full_cut"), KINDS_MADE)
    return pages.form_page(PREFIX, kind, RuleForm.fresh(kind))


@bp.post("/promotions")
@needs("promotion.edit")
def create() -> Any:
    """Preview, save or hand in a new rule, by the button pressed."""
    kind = pages.known_kind(request.form.get("kind", ""), KINDS_MADE)
    return pages.posted(PREFIX, kind, _owner, lambda spec: service.draft(access.actor(), spec).id)


def _detail(rule_id: int, form: IssueForm, status: int = 200) -> Any:
    actor = access.actor()
    return pages.detail_page(
        PREFIX, rule_id, status, can_edit=actor.can("promotion.edit"), can_approve=actor.can("promotion.approve"),
        can_issue=actor.can("coupon.issue"), issue_form=form,
    )  # fmt: skip


@bp.get("/promotions/<int:rule_id>")
@needs("promotion.view")
def detail(rule_id: int) -> Any:
    """Show one rule."""
    return _detail(rule_id, IssueForm())


@bp.get("/promotions/<int:rule_id>/edit")
@needs("promotion.edit")
def edit(rule_id: int) -> Any:
    """Show the form of a rule of the platform."""
    rule = _ours(rule_id)
    return pages.form_page(PREFIX, rule.kind, RuleForm.of(queries.spec_of(rule)), rule)


def _ours(rule_id: int) -> Any:
    """Return a rule operators write: they stop merchants' rules, but do not rewrite them."""
    rule = queries.get_for(access.actor(), rule_id)
    if rule.owner == "merchant":
        raise Invalid("promotion.owner", "商家的活动由商家修改，平台可暂停或结束")
    return rule


@bp.post("/promotions/<int:rule_id>")
@needs("promotion.edit")
def save(rule_id: int) -> Any:
    """Preview, save or hand in the next version of a rule, by the button pressed."""
    rule = _ours(rule_id)

    def revise(spec: RuleSpec) -> int:
        service.revise(access.actor(), rule_id, spec)
        return rule_id

    return pages.posted(PREFIX, rule.kind, _owner, revise, rule)


@bp.post("/promotions/<int:rule_id>/submit")
@needs("promotion.edit")
def submit(rule_id: int) -> Any:
    """Hand a draft in for approval."""
    _ours(rule_id)
    return pages.move(PREFIX, rule_id, service.submit, "已提交审核")


@bp.post("/promotions/<int:rule_id>/approve")
@needs("promotion.approve")
def approve(rule_id: int) -> Any:
    """Approve a submitted rule."""
    return pages.move(PREFIX, rule_id, service.approve, "已通过，活动按设定时间生效")


@bp.post("/promotions/<int:rule_id>/reject")
@needs("promotion.approve")
def reject(rule_id: int) -> Any:
    """Refuse a submitted rule with a reason."""
    return pages.move(PREFIX, rule_id, service.reject, "已驳回", request.form.get("reason", ""))


@bp.post("/promotions/<int:rule_id>/pause")
@needs("promotion.edit")
def pause(rule_id: int) -> Any:
    """Stop a rule for now."""
    return pages.move(PREFIX, rule_id, service.pause, "活动已暂停，已领的优惠券仍可使用")


@bp.post("/promotions/<int:rule_id>/resume")
@needs("promotion.edit")
def resume(rule_id: int) -> Any:
    """Let a paused rule go on."""
    return pages.move(PREFIX, rule_id, service.resume, "活动已恢复")


@bp.post("/promotions/<int:rule_id>/end")
@needs("promotion.edit")
def end(rule_id: int) -> Any:
    """End a rule for good."""
    return pages.move(PREFIX, rule_id, service.end, "活动已结束，已领的优惠券仍可使用")


@bp.post("/promotions/<int:rule_id>/issue")
@needs("coupon.issue")
def issue(rule_id: int) -> Any:
    """Give the coupon to the accounts of the typed telephone numbers; unknown numbers are counted, not named."""
    form = IssueForm.from_request()
    if not form.validate():
        return _detail(rule_id, form, 422)
    try:
        found = identity.consumers_by_phone(form.numbers())
        with transaction():
            given = service.issue(access.actor(), rule_id, found)
    except AppError as error:
        if error.status == 404:
            raise
        form.add_error(error)
        return _detail(rule_id, form, error.status)
    flash(f"已发放 {given} 张；{len(form.numbers()) - given} 个号码未注册或已达上限")
    return redirect(f"{PREFIX}/{rule_id}", 303)


@bp.post("/promotions/<int:rule_id>/void")
@needs("coupon.issue")
def void(rule_id: int) -> Any:
    """Void the unused coupons of a rule with a reason."""
    return pages.move(PREFIX, rule_id, service.void_unused, "未使用的优惠券已作废", request.form.get("reason", ""))
