"""Security headers and the request id on every response (ui.md §4)."""

from __future__ import annotations

import re
import secrets

from flask import Response, g, request

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
_ID = re.compile(r"^[A-Za-z0-9-]{8,64}$")


def assign_request_id() -> None:
    """before_request: take the gateway's id or make one."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _ID.match(given) else secrets.token_hex(8)


def set_headers(response: Response) -> Response:
    """after_request: CSP, framing, sniffing, referrer, caching of private pages."""
    headers = response.headers
    headers["Content-Security-Policy"] = CSP + "; report-uri /csp-report"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    headers["X-Request-Id"] = g.get("request_id", "-")
    if request.endpoint != "static" and "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    headers.add("Vary", "HX-Request")
    return response
