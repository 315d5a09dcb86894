"""The visitor's district, from which freight and promises are told before an address is chosen."""

from __future__ import annotations

from typing import Any

from flask import redirect, request

from app.delivery import destination
from app.web import access
from app.web.surfaces import public, surface_blueprint

bp = surface_blueprint("storefront", "delivery")


@bp.post("/delivery-area")
@public("guests choose where goods go; only a cookie of their own is written")
def choose() -> Any:
    """Keep the chosen district and go back."""
    target = access.safe_next(request.form.get("next"), "/cart")
    return destination.remember(redirect(target, 303), request.form.get("area", ""))
