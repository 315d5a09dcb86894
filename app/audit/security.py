"""The audit administrator's pages; looking is recorded too."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import render_template, request

from app.audit import queries, service
from app.audit.words import THINGS, action_words, object_words
from app.core import clock
from app.core.errors import Invalid
from app.core.tx import transaction
from app.web import access
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("security", "audit")
REALMS = {
    "consumer": "消费者", "merchant": "商家", "operator": "运营", "government": "监管", "security": "三员", "system": "系统",
    "guest": "游客",
}  # fmt: skip
RESULTS = {"ok": "成功", "refused": "拒绝"}


def _day(name: str) -> date | None:
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("audit.date", "日期格式应为 2026-01-31", field=name) from None


@bp.get("/audit")
@needs("audit.view")
def index() -> str:
    """Search the log; the query itself becomes an event."""
    words = {k: request.args.get(k, "").strip() for k in ("realm", "action", "object_type", "object_id", "result")}
    since, until = _day("from"), _day("to")
    page = queries.search(
        realm=words["realm"], action=words["action"], object_type=words["object_type"], object_id=words["object_id"],
        result=words["result"], since=clock.day_bounds(since)[0] if since else None, cursor=request.args.get("cursor", ""),
        until=clock.day_bounds(until)[1] if until else None,
    )  # fmt: skip
    with transaction():
        used = {k: v for k, v in words.items() if v}
        service.record(access.actor(), "audit.searched", "audit", "-", detail={"query": used, "rows": len(page.items)})
    query = {k: v for k, v in request.args.items() if k != "cursor"}
    return render_template(
        "audit/security/index.html", page=page, words=words, since=since, until=until, realms=REALMS, results=RESULTS,
        query=query, things=THINGS, action_words=action_words, object_words=object_words, sealed=queries.sealed_count(),
        newest=next(iter(queries.list_checkpoints(1)), None),
    )  # fmt: skip


@bp.get("/audit/<int:event_id>")
@needs("audit.view")
def detail(event_id: int) -> str:
    """Show one event with its exact payload, leaf and seal."""
    event, seal = queries.get_event(event_id)
    with transaction():
        service.record(access.actor(), "audit.read", "audit", event_id)
    return render_template(
        "audit/security/_drawer.html" if request.headers.get("HX-Request") else "audit/security/detail.html",
        event=event, seal=seal, realms=REALMS, results=RESULTS, action_words=action_words, object_words=object_words,
    )  # fmt: skip


@bp.get("/integrity")
@needs("audit.verify")
def integrity() -> str:
    """Show the newest checkpoints."""
    return render_template("audit/security/integrity.html", checkpoints=queries.list_checkpoints(), report=None)


@bp.post("/integrity")
@needs("audit.verify")
def verify() -> Any:
    """Check the whole log now and say where it is not as written."""
    report = queries.verify()
    with transaction():
        service.record(
            access.actor(), "audit.verified", "audit", "-", result="ok" if report.ok else "refused",
            detail={"sealed": report.sealed, "unsealed": report.unsealed, "findings": len(report.findings)},
        )  # fmt: skip
    return render_template("audit/security/integrity.html", checkpoints=queries.list_checkpoints(), report=report)
