"""Where a visitor's goods go before an address is chosen: a district kept in a cookie (T23)."""

from __future__ import annotations

from typing import Any

from flask import request

from app.delivery.spec import UNKNOWN_AREA
from app.identity import queries as identity
from app.web import access

COOKIE, TTL_S = "rm_area", 180 * 86_400


def chosen() -> str:
    """Return the visitor's district: the one chosen, else that of the account's default address, '-' when nothing is known."""
    code = request.cookies.get(COOKIE, "")
    if any(area.code == code for area in identity.list_areas()):
        return code
    account_id = access.actor().account_id
    return identity.default_area(account_id) or UNKNOWN_AREA if account_id else UNKNOWN_AREA


def remember(response: Any, area_code: str) -> Any:
    """Keep a district in the visitor's cookie; an unknown one is not kept."""
    if area_code != request.cookies.get(COOKIE, "") and any(area.code == area_code for area in identity.list_areas()):
        response.set_cookie(COOKIE, area_code, max_age=TTL_S, samesite="Lax", path="/")
    return response
