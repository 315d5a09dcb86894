"""Public pages of content."""

from __future__ import annotations

from flask import render_template, request

from app.content import queries
from app.web.surfaces import public, surface_blueprint

bp = surface_blueprint("storefront", "content")


@bp.get("/notices")
@public("notices are for everybody")
def notices() -> str:
    """List published notices."""
    page = queries.list_notices(request.args.get("cursor", ""))
    return render_template("content/storefront/notices.html", page=page)


@bp.get("/notices/<int:notice_id>")
@public("notices are for everybody")
def notice(notice_id: int) -> str:
    """Show one notice."""
    return render_template("content/storefront/notice.html", notice=queries.get_notice(notice_id))


@bp.get("/agreements/<code>")
@public("agreements must be readable before consent")
def agreement(code: str) -> str:
    """Show the version of an agreement in force."""
    found = queries.get_agreement(code)
    return render_template("content/storefront/agreement.html", agreement=found, versions=queries.list_versions(code))


@bp.get("/agreements/<code>/<int:version>")
@public("earlier versions stay readable")
def agreement_version(code: str, version: int) -> str:
    """Show one version of an agreement."""
    found = queries.get_agreement(code, version)
    return render_template("content/storefront/agreement.html", agreement=found, versions=queries.list_versions(code))
