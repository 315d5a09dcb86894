"""The gate in front of every view: who is it, may they, is the form ours."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from flask import Response, current_app, g, redirect, request

from app.core import runtime
from app.core.actor import GUEST, Actor
from app.core.errors import Forbidden, Invalid, Unauthenticated
from app.web.surfaces import SURFACES, Surface
from security import sm

SessionLoader = Callable[[str, str, str], Actor | None]
_loader: SessionLoader | None = None
_role_names: dict[tuple[str, str], str] = {}
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN = re.compile(r"^[A-Za-z0-9_-]{20,100}$")


def use_session_loader(loader: SessionLoader) -> None:
    """Install identity's loader: (surface, token, address) -> Actor or None."""
    global _loader
    _loader = loader


def use_role_names(names: dict[tuple[str, str], str]) -> None:
    """Install identity's names of roles: (realm, role code) -> name on screen."""
    _role_names.update(names)


def role_title(who: Actor) -> str:
    """Return the names of an actor's roles as the top bar shows them."""
    return "、".join(_role_names.get((who.realm, code), code) for code in who.roles) or "未分配角色"


def session_cookie(surface: str) -> str:
    """Return the name of a surface's session cookie."""
    return f"rm_{surface}"


def current_surface() -> Surface:
    """Return the surface of the matched blueprint, storefront for unmatched URLs outside a prefix."""
    name = (request.blueprint or "").split("_", 1)[0]
    if name in SURFACES:
        return SURFACES[name]
    for spec in SURFACES.values():
        if spec.prefix and (request.path == spec.prefix or request.path.startswith(spec.prefix + "/")):
            return spec
    return SURFACES["storefront"]


def client_address() -> str:
    """Return the peer address (the gateway's X-Real-IP is applied by ProxyFix when configured)."""
    return request.remote_addr or "-"


def actor() -> Actor:
    """Return the actor of this request, a guest when nobody is signed in."""
    if "actor" not in g:
        surface = current_surface()
        token = request.cookies.get(session_cookie(surface.key), "")
        found = None
        if _loader is not None and _TOKEN.match(token):
            found = _loader(surface.key, token, client_address())
        g.actor = found or Actor(realm="guest", name=GUEST.name, address=client_address())
    return g.actor  # type: ignore[no-any-return]


def csrf_token() -> str:
    """Return the form token of this browser: a MAC over its random cookie."""
    seed = request.cookies.get("rm_seed", "") or g.get("csrf_seed", "")
    if not _TOKEN.match(seed):
        seed = secrets.token_urlsafe(24)
        g.csrf_seed = seed
    return _csrf_mac(seed)


def _csrf_mac(seed: str) -> str:
    return _mac_of(runtime.current().keyring.primary("token").key, current_surface().key, seed)


@lru_cache(maxsize=4_096)
def _mac_of(key: bytes, surface: str, seed: str) -> str:
    """Return a form token; kept, as a page needs the token of the same seed up to four times and the form that follows once more."""
    return sm.hmac_sm3(key, b"csrf:" + surface.encode() + b":" + seed.encode()).hex()[:40]


def _check_csrf() -> None:
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    seed = request.cookies.get("rm_seed", "")
    if not _TOKEN.match(seed) or not hmac.compare_digest(sent.encode(), _csrf_mac(seed).encode()):
        raise Invalid("csrf.stale", "页面已过期，请刷新后重新提交")


def guard() -> Response | None:
    """before_request: enforce the route's declared access and the CSRF token; unmarked routes are refused."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    view = current_app.view_functions[request.endpoint]
    rule = getattr(view, "access", None)
    if rule is None:
        raise Forbidden("access.undeclared", "此页面没有声明访问规则，已拒绝访问")
    kind, detail = rule
    if kind != "public":
        who = actor()
        if who.realm == "guest":
            return _to_sign_in()
        if kind == "permission":
            who.require(detail)
    if request.method not in SAFE and not getattr(view, "csrf_exempt", None):
        _check_csrf()
    return None


def _to_sign_in() -> Response:
    surface = current_surface()
    if not surface.sign_in or request.headers.get("Accept", "").startswith("application/json"):
        raise Unauthenticated("access.signed_out", "请先登录")
    here = request.full_path.rstrip("?") if request.method in SAFE else surface.prefix + "/"
    target = f"{surface.sign_in}?next={quote(here)}"
    if request.headers.get("HX-Request"):
        response = Response("", 200)
        response.headers["HX-Redirect"] = target
        return response
    return redirect(target, 303)  # type: ignore[return-value]


def safe_next(target: str | None, default: str) -> str:
    """Return a local path to go to after sign-in; anything that could leave the site becomes the default."""
    if target and target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target:
        return target
    return default


def set_session_cookie(response: Response, surface: str, token: str, max_age_s: int) -> None:
    """Set a surface's session cookie (HttpOnly, SameSite=Lax, Secure in production)."""
    secure = runtime.current().settings.security.cookie_secure
    response.set_cookie(
        session_cookie(surface), token, max_age=max_age_s, httponly=True, samesite="Lax", secure=secure,
        path=SURFACES[surface].prefix or "/",
    )  # fmt: skip


def clear_session_cookie(response: Response, surface: str) -> None:
    """Remove a surface's session cookie."""
    response.delete_cookie(session_cookie(surface), path=SURFACES[surface].prefix or "/")


def write_seed_cookie(response: Response) -> Response:
    """after_request: keep the browser's CSRF seed when one was made for this page."""
    seed = g.get("csrf_seed")
    if seed:
        secure = runtime.current().settings.security.cookie_secure
        response.set_cookie("rm_seed", seed, httponly=True, samesite="Lax", secure=secure, path="/")
    return response
