"""The five browser surfaces and the open API; each has its prefix, cookie, sign-in page and default-deny gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Surface:
    """One audience. realm is the account realm that may sign in; layout is its page frame."""

    key: str
    realm: str
    prefix: str
    title: str
    layout: str
    sign_in: str


SURFACES = {
    s.key: s
    for s in (
        Surface("storefront", "consumer", "", "商城", "layouts/storefront.html", "/sign-in"),
        Surface("merchant", "merchant", "/merchant", "商家中心", "layouts/console.html", "/merchant/sign-in"),
        Surface("operator", "operator", "/operator", "运营管理台", "layouts/console.html", "/operator/sign-in"),
        Surface("government", "government", "/gov", "监管驾驶舱", "layouts/board.html", "/gov/sign-in"),
        Surface("security", "security", "/security", "安全与审计", "layouts/console.html", "/security/sign-in"),
        Surface("openapi", "system", "/api", "开放接口", "", ""),
    )
}


def surface_blueprint(surface: str, domain: str) -> Blueprint:
    """Return the blueprint `<surface>_<domain>` at the surface's prefix, templates in app/<domain>/templates."""
    spec = SURFACES[surface]
    return Blueprint(
        f"{surface}_{domain}", f"app.{domain}.{surface}", url_prefix=spec.prefix or None, template_folder="templates"
    )


def needs(permission: str) -> Callable[[View], View]:
    """Mark a route as open to signed-in accounts of its surface that hold the permission."""

    def mark(view: View) -> View:
        view.access = ("permission", permission)  # type: ignore[attr-defined]
        return view

    return mark


def signed_in(reason: str) -> Callable[[View], View]:
    """Mark a route as open to every signed-in account of its surface; say why no permission is needed."""

    def mark(view: View) -> View:
        view.access = ("signed_in", reason)  # type: ignore[attr-defined]
        return view

    return mark


def public(reason: str) -> Callable[[View], View]:
    """Mark a route as open to everybody; the reason is listed in the access table."""

    def mark(view: View) -> View:
        view.access = ("public", reason)  # type: ignore[attr-defined]
        return view

    return mark


def csrf_exempt(reason: str) -> Callable[[View], View]:
    """Mark an unsafe route as protected by something else than the CSRF token (a channel signature); say by what."""

    def mark(view: View) -> View:
        view.csrf_exempt = reason  # type: ignore[attr-defined]
        return view

    return mark
