"""The operators' review of merchants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request, url_for

from app.core.tx import transaction
from app.identity import queries as identity
from app.merchants import queries, service
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "merchants")


@bp.get("/merchants")
@needs("merchant.view")
def index() -> str:
    """List merchants; applications first by default."""
    words = {name: request.args.get(name, "").strip()[:size] for name, size in (("q", 32), ("area_code", 16))}
    status = request.args.get("status", "applied")
    page = queries.list_for_review(access.actor(), status=status, cursor=request.args.get("cursor", ""), **words)
    query = {name: value for name, value in request.args.items() if name != "cursor"}
    return render_template(
        "merchants/operator/index.html",
        page=page,
        words=words,
        status=status,
        statuses=queries.STATUSES,
        query=query,
        counts=queries.count_by_status(),
        areas={a.code: a.name for a in identity.list_areas()},
    )


@bp.get("/merchants/<int:merchant_id>")
@needs("merchant.view")
def detail(merchant_id: int) -> str:
    """Show an applicant's evidence beside the decision."""
    actor = access.actor()
    merchant = queries.get_for(actor, merchant_id)
    return render_template(
        "merchants/operator/detail.html",
        merchant=merchant,
        licences=queries.list_licences(merchant_id),
        kinds=queries.LICENCE_KINDS,
        statuses=queries.STATUSES,
        area_name=identity.area_name(merchant.area_code),
        phone=queries.contact_phone(actor, merchant),
    )


def _decide(merchant_id: int, verb: Callable[..., None], text: str, *reason: str) -> Any:
    with transaction():
        verb(access.actor(), merchant_id, *reason)
    flash(text)
    return redirect(url_for(".detail", merchant_id=merchant_id), 303)


@bp.post("/merchants/<int:merchant_id>/approve")
@needs("merchant.review")
def approve(merchant_id: int) -> Any:
    """Approve an application."""
    return _decide(merchant_id, service.approve, "已通过入驻")


@bp.post("/merchants/<int:merchant_id>/reject")
@needs("merchant.review")
def reject(merchant_id: int) -> Any:
    """Refuse an application with a reason."""
    return _decide(merchant_id, service.reject, "已驳回申请", request.form.get("reason", ""))


@bp.post("/merchants/<int:merchant_id>/suspend")
@needs("merchant.review")
def suspend(merchant_id: int) -> Any:
    """Suspend a merchant with a reason."""
    return _decide(merchant_id, service.suspend, "已暂停该商家，其商品将下架", request.form.get("reason", ""))


@bp.post("/merchants/<int:merchant_id>/resume")
@needs("merchant.review")
def resume(merchant_id: int) -> Any:
    """Take a suspended merchant back."""
    return _decide(merchant_id, service.resume, "已恢复营业")
