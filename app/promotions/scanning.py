"""The shop's own code (平台专属码, T29): a signed token on the poster, a signed pass of two hours for who scanned it."""

from __future__ import annotations

from app.core import clock, runtime
from security.tokens import TokenInvalid

COOKIE = "rm_scan"
POSTER_TTL_S, VISIT_TTL_S = 366 * 86_400, 7_200


def _now() -> int:
    return int(clock.now().timestamp())


def poster_token(merchant_id: int) -> str:
    """Return the token a shop prints; good for a year."""
    return runtime.current().tokens.sign({"m": str(merchant_id)}, "shop-poster", POSTER_TTL_S, _now())


def read(token: str) -> int:
    """Return the shop of a printed token. Raises TokenInvalid, for an expired one too."""
    return _merchant(token, "shop-poster")


def visitor_pass(merchant_id: int) -> str:
    """Return what the visitor's cookie holds after scanning; good for two hours."""
    return runtime.current().tokens.sign({"m": str(merchant_id)}, "shop-visit", VISIT_TTL_S, _now())


def scanned(cookie: str) -> int:
    """Return the shop whose code the visitor scanned, 0 without a valid pass."""
    try:
        return _merchant(cookie, "shop-visit") if cookie else 0
    except TokenInvalid:
        return 0


def _merchant(token: str, purpose: str) -> int:
    return int(runtime.current().tokens.verify(token, purpose, _now())["m"])
