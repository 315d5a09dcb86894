"""Rules of the URL map: every route says who may use it, and no route is public without its reason on the list."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.core import permissions
from app.identity.roles import BUILT_IN_ROLES
from app.web.surfaces import SURFACES

PUBLIC = Path(__file__).with_name("public_routes.txt")
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
STRING_PARAMETERS = {"<trade_no>", "<path:key>", "<carrier>", "<channel>", "<code>", "<token>"}
CSRF_EXEMPT = {"openapi_fulfilment.push", "openapi_payments.notify", "storefront_system.csp_report"}
SEGMENT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.csv)?|<int:[a-z]+_id>|<int:version>")


def routes(app: Any) -> list[tuple[Any, Any]]:
    """Every rule with its view, static files left out."""
    found = [(rule, app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    assert len(found) > 100
    return sorted(found, key=lambda pair: (pair[0].rule, sorted(pair[0].methods)))


def methods(rule: Any) -> list[str]:
    return sorted(rule.methods - {"HEAD", "OPTIONS"})


def test_every_route_has_an_access_rule(app: Any) -> None:
    assert not [rule.rule for rule, view in routes(app) if getattr(view, "access", ("",))[0] not in {"public", "signed_in", "permission"}]


def test_public_routes_are_the_listed_ones(app: Any) -> None:
    """A new public route must be added to public_routes.txt, where a reviewer sees it."""
    lines = [f"{','.join(methods(rule))} {rule.rule}: {view.access[1]}" for rule, view in routes(app) if view.access[0] == "public"]
    assert lines == PUBLIC.read_text(encoding="utf-8").splitlines()


def test_open_routes_give_a_reason(app: Any) -> None:
    short = [rule.rule for rule, view in routes(app) if view.access[0] != "permission" and len(view.access[1]) < 10]
    assert not short


def test_console_surfaces_have_few_public_routes(app: Any) -> None:
    allowed = re.compile(r"/(merchant|operator|gov|security)/sign-in|/merchant/apply(/done)?")
    console = [rule.rule for rule, view in routes(app) if view.access[0] == "public" and rule.rule.startswith(consoles())]
    assert not [rule for rule in console if not allowed.fullmatch(rule)]


def consoles() -> tuple[str, ...]:
    return tuple(f"{s.prefix}/" for s in SURFACES.values() if s.sign_in and s.prefix)


def test_permissions_used_are_declared_and_declared_ones_used(app: Any) -> None:
    used = {view.access[1] for _, view in routes(app) if view.access[0] == "permission"}
    assert used <= set(permissions.known())
    assert set(permissions.known()) == used, "a permission nobody checks protects nothing"


def test_every_permission_is_held_by_a_built_in_role(app: Any) -> None:
    held = {name for role in BUILT_IN_ROLES for name in role.permissions}
    assert held == set(permissions.known())


def test_every_route_can_be_used_by_a_role_of_its_own_surface(app: Any) -> None:
    for rule, view in routes(app):
        if view.access[0] == "permission":
            realm = SURFACES[rule.endpoint.split("_", 1)[0]].realm
            assert any(view.access[1] in role.permissions for role in BUILT_IN_ROLES if role.realm == realm), rule.rule


def test_permissions_stay_in_one_realm() -> None:
    for name in {p for role in BUILT_IN_ROLES for p in role.permissions}:
        assert len({role.realm for role in BUILT_IN_ROLES if name in role.permissions}) == 1, name


def test_three_administrators_share_no_power_to_change() -> None:
    """GB/T 22239: the exclusive roles may look at accounts together, nothing else."""
    roles = [role for role in BUILT_IN_ROLES if role.realm == "security"]
    assert {role.exclusive_group for role in roles} == {"three_administrators"}
    shared = {p for a in roles for b in roles if a is not b for p in set(a.permissions) & set(b.permissions)}
    assert shared <= {"account.view"}


def test_paths_are_kebab_case_with_typed_parameters(app: Any) -> None:
    for rule, _ in routes(app):
        for segment in rule.rule.strip("/").split("/"):
            assert not segment or SEGMENT.fullmatch(segment) or segment in STRING_PARAMETERS, rule.rule


def test_no_path_ends_with_a_slash(app: Any) -> None:
    homes = {"/", *consoles()}
    assert not [rule.rule for rule, _ in routes(app) if rule.rule.endswith("/") and rule.rule not in homes]


def test_routes_live_under_the_prefix_of_their_surface(app: Any) -> None:
    for rule, _ in routes(app):
        surface = SURFACES[rule.endpoint.split("_", 1)[0]]
        assert rule.rule.startswith(surface.prefix), rule.rule
        if not surface.prefix:
            assert not rule.rule.startswith((*consoles(), "/api/")), rule.rule


def test_each_method_of_a_path_has_one_view(app: Any) -> None:
    pairs = [(rule.rule, method) for rule, _ in routes(app) for method in methods(rule)]
    assert len(pairs) == len(set(pairs))
    assert {method for _, method in pairs} <= {"GET", "POST"}, "pages work without script: forms know GET and POST"


def test_only_listed_routes_go_without_a_form_token(app: Any) -> None:
    exempt = {rule.endpoint: view.csrf_exempt for rule, view in routes(app) if getattr(view, "csrf_exempt", None)}
    assert set(exempt) == CSRF_EXEMPT
    assert all(len(reason) >= 10 for reason in exempt.values())


def test_public_unsafe_routes_refuse_a_missing_token(app: Any, db: Any) -> None:
    """Observed, not read: the guard answers before the view runs."""
    http, tried = app.test_client(), 0
    for rule, view in routes(app):
        if view.access[0] == "public" and UNSAFE & rule.methods and rule.endpoint not in CSRF_EXEMPT:
            answer = http.post(re.sub(r"<[^>]+>", "1", rule.rule), data={"csrf_token": "0" * 40}, headers={"Accept": "application/json"})
            tried += 1
            assert (answer.status_code, answer.get_json()["code"]) == (422, "csrf.stale"), rule.rule
    assert tried >= 10


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; report-uri /csp-report"
    ),
}


@pytest.mark.parametrize("url", ["/sign-in", "/merchant/sign-in", "/gov/sign-in", "/nothing-here", "/merchant/orders"])
def test_security_headers_are_on_every_answer(app: Any, db: Any, url: str) -> None:
    answer = app.test_client().get(url)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", answer.headers["X-Request-Id"])


def test_cookies_of_a_first_visit_are_closed_to_script(app: Any, db: Any) -> None:
    cookies = app.test_client().get("/merchant/sign-in").headers.getlist("Set-Cookie")
    assert cookies
    assert not [cookie for cookie in cookies if "HttpOnly" not in cookie or "SameSite=Lax" not in cookie]
