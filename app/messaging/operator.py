"""The operators' view of what the development sender kept; other channels have no such page."""

from __future__ import annotations

from flask import render_template, request

from app.core import runtime
from app.core.errors import NotFound
from app.messaging import queries
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "messaging")


@bp.get("/messages")
@needs("job.view")
def index() -> str:
    """List kept messages; the codes in them are readable, so this exists in development only."""
    if runtime.current().settings.sms.channel != "development":
        raise NotFound("messages.channel", "当前短信通道没有可查看的短信")
    page = queries.list_sent(request.args.get("cursor", ""))
    return render_template("messaging/operator/index.html", page=page)
