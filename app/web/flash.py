"""One-time messages across a redirect, in a signed cookie (no server state, no SHA-1 signer)."""

from __future__ import annotations

from flask import Response, g, request

from app.core import clock, runtime
from security.tokens import TokenInvalid

_COOKIE = "rm_flash"


def flash(text: str, category: str = "ok") -> None:
    """Show `text` on the next page. category: ok | warn | bad | info."""
    g.setdefault("flash_out", []).append([category, text])


def flashes() -> list[tuple[str, str]]:
    """Return the messages to show now; they are not shown again."""
    if "flash_in" not in g:
        g.flash_in = _read()
    shown = [(c, t) for c, t in g.flash_in] + [(c, t) for c, t in g.pop("flash_out", [])]
    g.flash_in = []
    return shown


def _read() -> list[tuple[str, str]]:
    cookie = request.cookies.get(_COOKIE)
    if not cookie:
        return []
    g.flash_seen = True
    try:
        payload = runtime.current().tokens.verify(cookie, "flash", int(clock.now().timestamp()))
    except TokenInvalid:
        return []
    return [(str(c), str(t)) for c, t in payload.get("m", [])]


def write_flash_cookie(response: Response) -> Response:
    """after_request: carry pending messages, drop the shown ones."""
    pending = g.get("flash_out")
    if pending:
        at = int(clock.now().timestamp())
        token = runtime.current().tokens.sign({"m": pending[-5:]}, "flash", 120, at)
        response.set_cookie(_COOKIE, token, max_age=120, httponly=True, samesite="Lax", path="/")
    elif g.get("flash_seen"):
        response.delete_cookie(_COOKIE, path="/")
    return response
