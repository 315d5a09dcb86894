"""Pages that belong to no domain: health, readiness, metrics, stored media, CSP reports, style guide, elder mode."""

from __future__ import annotations

import hmac

import structlog
from flask import Blueprint, Response, jsonify, redirect, render_template, request, send_file
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.core import db, runtime
from app.core.errors import Forbidden
from app.web.access import safe_next
from app.web.surfaces import csrf_exempt, public

log = structlog.get_logger("regionmart.web")
bp = Blueprint("storefront_system", __name__)


@bp.get("/healthz")
@public("liveness probe, no data")
def healthz() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public("readiness probe, no data")
def readyz() -> tuple[Response, int]:
    """Say whether the database answers; 503 when it does not."""
    health = db.adapter().health(db.engine())
    return jsonify(status="ok" if health.ok else "unready", database=health.ok), 200 if health.ok else 503


@bp.get("/metrics")
@public("token or loopback only, checked inside")
def metrics() -> Response:
    """Prometheus text; with a configured token only for its bearer, otherwise only from loopback."""
    token = runtime.current().settings.metrics.token
    if token is not None:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token.get_secret_value()}".encode()):
            raise Forbidden("metrics.token", "需要监控令牌")
    elif request.remote_addr not in {"127.0.0.1", "::1"}:
        raise Forbidden("metrics.address", "仅限本机访问")
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@bp.get("/media/<path:key>")
@public("pictures and documents shown on public pages; keys are content hashes")
def media(key: str) -> Response:
    """Send a stored file; immutable, since the key is its hash."""
    response = send_file(runtime.current().storage.path(key), max_age=31_536_000)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@bp.post("/csp-report")
@public("browsers send violation reports without a session")
@csrf_exempt("stores nothing but a log line")
def csp_report() -> Response:
    """Log a content-security violation."""
    log.warning("csp.violation", report=request.get_data(as_text=True)[:2_000])
    return Response(status=204)


@bp.get("/elder")
@public("display preference only")
def elder() -> Response:
    """Switch the elder mode on or off (`?on=1`), remembered for a year, and go back."""
    response = redirect(safe_next(request.args.get("next"), "/"), 303)
    response.set_cookie("rm_elder", "1" if request.args.get("on") == "1" else "0", max_age=31_536_000, samesite="Lax")
    return response  # type: ignore[return-value]


@bp.get("/styleguide")
@public("shows components without data")
def styleguide() -> str:
    """Show every component in every state."""
    return render_template("styleguide.html")
