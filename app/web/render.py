"""Rendering: one context for every page, fragments by the same URL."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask, request
from jinja2 import StrictUndefined

from app.core import runtime
from app.web import access, filters, menus
from app.web.flash import flashes
from app.web.fragments import fragment

_SKINS = {"government": "board", "openapi": "storefront"}
STATIC = Path(__file__).parent / "static"


@lru_cache(maxsize=512)
def _digest(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


@lru_cache(maxsize=512)
def asset(path: str) -> str:
    """Return the URL of a static file with its content hash, cacheable for ever."""
    try:
        return f"/static/{path}?v={_digest(path)}"
    except FileNotFoundError:
        return f"/static/{path}"


def media(key: str) -> str:
    """Return the URL of a stored picture or file; the placeholder for '-'."""
    return f"/media/{key}" if key and key != "-" else asset("img/placeholder.svg")


def is_fragment() -> bool:
    """Tell whether htmx asked for a fragment (and not for a history restore)."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def page_context() -> dict[str, Any]:
    """Return what every template may use (see the design system's contract)."""
    surface = access.current_surface()
    settings = runtime.current().settings
    who = access.actor()
    return {
        "surface": _SKINS.get(surface.key, surface.key),
        "surface_title": surface.title,
        "actor": None if who.realm == "guest" else who,
        "role_name": access.role_title(who) if surface.prefix else "",
        "site": {"name": settings.site.name, "region": settings.site.region, "phone": settings.site.phone},
        "menu": menus.menu_for(surface.key, who, request.path),
        "csrf_token": access.csrf_token,
        "flashes": flashes,
        "cart_count": _cart_count(),
        "elder": request.cookies.get("rm_elder") == "1" and surface.key == "storefront",
        "is_fragment": is_fragment(),
        "home_href": surface.prefix + "/",
        "logout_action": surface.prefix + "/sign-out",
        "surface_name": surface.title,
        "account_href": surface.prefix + "/password" if surface.prefix else "",
        "links": _links(),
    }


def _links() -> dict[str, str]:
    """Return the storefront's standing links; the elder switch comes back to the same page."""
    turn = "0" if request.cookies.get("rm_elder") == "1" else "1"
    return {
        "home": "/", "category": "/categories", "cart": "/cart", "me": "/me", "orders": "/orders", "search": "/search",
        "elder": f"/elder?on={turn}&next={quote(request.path)}", "help": "/notices", "licence": "/licence",
    }  # fmt: skip


def _cart_count() -> int:
    raw = request.cookies.get("rm_cart_n", "0")
    return int(raw) if raw.isdigit() and len(raw) < 4 else 0


def first_page() -> str:
    """Return this page without its cursor, '' when it is the first page already."""
    words = {name: value for name, value in request.args.items() if name != "cursor"}
    return (f"{request.path}?{urlencode(words)}" if words else request.path) if "cursor" in request.args else ""


def install(app: Flask) -> None:
    """Set up Jinja: StrictUndefined, globals, filters, context."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(asset=asset, media=media, first_page=first_page, fragment=fragment)
    filters.register(app)
    app.context_processor(page_context)
