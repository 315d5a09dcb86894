"""Compact signed tokens (HMAC-SM3) and random session tokens.

Form `base64url(payload).base64url(mac)`. There is no algorithm field, so there is nothing to confuse;
the purpose is part of the MAC, so a password-reset token cannot open a session.
"""

import base64
import binascii
import hmac
import json
import secrets
from typing import Any

from security.errors import InvalidKey, TokenExpired, TokenInvalid
from security.symmetric import KeyedHmac, sm3

__all__ = ["MAX_TOKEN_CHARS", "TokenExpired", "TokenInvalid", "TokenSigner", "digest", "random_token"]

MAX_TOKEN_CHARS = 4096
_CLOCK_SKEW_S = 60


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """Canonical unpadded base64url only: otherwise one token has several spellings."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenInvalid("token is not base64url") from error
    if _encode(data) != text:
        raise TokenInvalid("token is not canonical base64url")
    return data


class TokenSigner:
    """Signs and checks tokens with one key (at least 16 bytes)."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise InvalidKey("token key is shorter than 16 bytes")
        self._mac = KeyedHmac(key)

    def __repr__(self) -> str:
        return "TokenSigner()"

    def _digest(self, purpose: str, body: bytes) -> bytes:
        name = purpose.encode("utf-8")
        return self._mac.digest(b"regionmart/token/1" + len(name).to_bytes(2, "big") + name + body)

    def sign(self, payload: dict[str, Any], purpose: str, ttl_s: int, now: int) -> str:
        """Token valid from now (Unix seconds) for ttl_s. TokenInvalid when it would be too long."""
        body = json.dumps({"p": payload, "iat": now, "exp": now + ttl_s}, sort_keys=True,
                          separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")
        token = f"{_encode(body)}.{_encode(self._digest(purpose, body))}"
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenInvalid("token payload is too large")
        return token

    def verify(self, token: str, purpose: str, now: int) -> dict[str, Any]:
        """The payload; TokenInvalid or TokenExpired. Nothing is parsed before the MAC is checked."""
        if len(token) > MAX_TOKEN_CHARS or not token.isascii() or token.count(".") != 1:
            raise TokenInvalid("token is malformed")
        body, mac = (_decode(part) for part in token.split("."))
        if not hmac.compare_digest(self._digest(purpose, body), mac):
            raise TokenInvalid("token does not authenticate")
        claims = json.loads(body)
        if now >= claims["exp"]:
            raise TokenExpired("token has expired")
        if claims["iat"] > now + _CLOCK_SKEW_S:
            raise TokenInvalid("token is from the future")
        payload: dict[str, Any] = claims["p"]
        return payload


def random_token(size_bytes: int = 32) -> str:
    """Unguessable base64url text from size_bytes random bytes (at least 16)."""
    if size_bytes < 16:
        raise InvalidKey("a random token needs at least 16 bytes")
    return secrets.token_urlsafe(size_bytes)


def digest(token: str) -> str:
    """SM3 in hex, for storing a random token: a copied table then opens no session."""
    return sm3(token.encode("utf-8")).hex()
