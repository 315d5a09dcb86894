"""What the merchants' and the operators' pages of rules have in common: form, preview, detail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request

from app.catalog import queries as catalog
from app.core import clock
from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.identity import queries as identity
from app.promotions import preview, queries, service, states
from app.promotions.forms import RuleForm
from app.promotions.models import PromotionRule
from app.promotions.spec import KINDS, OWNERS, RuleSpec, benefit_text, check
from app.web import access
from app.web.flash import flash

MAX_CHOICES = 200


def form_page(
    prefix: str, kind: str, form: RuleForm, rule: PromotionRule | None = None, samples: list[preview.Sample] | None = None,
    status: int = 200,
) -> tuple[str, int]:
    """Return the form of a kind, with sample carts when the rule on it makes sense."""
    form.categories.choices = [(c.id, c.name) for c in catalog.list_categories()]
    form.areas.choices = [(a.code, a.name) for a in identity.list_areas()]
    form.products.choices = []
    if access.actor().realm == "merchant":
        own = catalog.list_for(access.actor(), view="on", size=MAX_CHOICES).items
        form.products.choices = [(row.product.id, row.product.title) for row in own]
    else:
        form.scope.choices = [choice for choice in form.scope.choices if choice[0] != "products"]
    html = render_template(
        "promotions/form.html", form=form, kind=kind, kinds=KINDS, rule=rule, samples=samples, prefix=prefix,
        is_operator=access.actor().realm == "operator",
    )  # fmt: skip
    return html, status


def known_kind(kind: str, allowed: tuple[str, ...]) -> str:
    """Return a kind the surface may make. Raises Invalid(`promotion.kind`)."""
    if kind not in allowed:
        raise Invalid("promotion.kind", "活动类型不正确")
    return kind


def posted(
    prefix: str, kind: str, owner_of: Callable[[RuleForm], tuple[str, int]], save: Callable[[RuleSpec], int],
    rule: PromotionRule | None = None,
) -> Any:
    """Answer a posted form by its button: preview shows sample carts and keeps nothing, save writes, submit also hands in."""
    form = RuleForm.from_request()
    intent = request.form.get("intent", "save")
    try:
        if not form.validate() or not form.needs_scope():
            return form_page(prefix, kind, form, rule, status=200 if intent == "preview" else 422)
        owner, merchant_id = owner_of(form)
        spec = form.spec(kind, owner, merchant_id)
        check(spec)
        if intent == "preview":
            return form_page(prefix, kind, form, rule, preview.samples(spec))
        with transaction():
            rule_id = save(spec)
            state = service.submit(access.actor(), rule_id) if intent == "submit" else "draft"
    except AppError as error:
        if error.status in {403, 404}:
            raise
        form.add_error(error)
        return form_page(prefix, kind, form, rule, status=200 if intent == "preview" else error.status)
    flash({"draft": "已存为草稿", "submitted": "已提交审核", "active": "活动已启用"}[state])
    return redirect(f"{prefix}/{rule_id}", 303)


def detail_page(prefix: str, rule_id: int, status: int = 200, **more: Any) -> tuple[str, int]:
    """Return one rule with its effect, sample carts, versions and the moves its state allows."""
    rule = queries.get_for(access.actor(), rule_id)
    spec = queries.spec_of(rule)
    facts = {"channel": "、".join(spec.channels), "scope": scope_text(spec), "benefit": benefit_text(spec)}
    state = states.shown(rule.status, rule.starts_at, rule.ends_at, clock.now())
    html = render_template(
        "promotions/detail.html", rule=rule, spec=spec, facts=facts, state=state,
        names=states.RULE_NAMES, tones=states.RULE_TONES, kinds=KINDS, owners=OWNERS, versions=queries.list_versions(rule),
        effect=queries.effects([rule_id])[rule_id], samples=preview.samples(spec), prefix=prefix,
        is_operator=access.actor().realm == "operator", **more,
    )  # fmt: skip
    return html, status


def move(prefix: str, rule_id: int, verb: Callable[..., Any], text: str, *values: Any) -> Any:
    """Run a verb on a rule and go back to it; the refusal is shown there."""
    try:
        with transaction():
            verb(access.actor(), rule_id, *values)
    except AppError as error:
        if error.status in {403, 404}:
            raise
        flash(error.message, "bad")
    else:
        flash(text)
    return redirect(f"{prefix}/{rule_id}", 303)


def scope_text(spec: RuleSpec) -> str:
    """Return the scope in words."""
    if spec.categories:
        names = {c.id: c.name for c in catalog.list_categories()}
        return "类目：" + "、".join(names.get(i, "已删除的类目") for i in spec.categories)
    if spec.products:
        return f"指定商品 {len(spec.products)} 个"
    if spec.tags:
        return "标签：" + "、".join(spec.tags)
    if spec.areas:
        return "产地：" + "、".join(identity.area_name(code) for code in spec.areas)
    return "全部商品"
