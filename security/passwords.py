"""Password hashes: PBKDF2-HMAC-SM3 (GM/T 0091) as `$pbkdf2-sm3$i=600000$salt$hash`."""

import base64
import binascii
import hmac
import secrets
import unicodedata

from security.errors import InvalidKey
from security.symmetric import pbkdf2_sm3

DEFAULT_ITERATIONS = 600_000
FLOOR_ITERATIONS = 10_000
# A stored hash is data: without a ceiling one changed row could occupy a worker for minutes.
CEILING_ITERATIONS = 10_000_000
MAX_PASSWORD_BYTES = 128
_SALT_BYTES = 16
_HASH_BYTES = 32


def _normalise(password: str) -> bytes:
    """NFKC so that full-width and half-width typing agree; more than 128 bytes is InvalidKey.

    Refused rather than cut: a silent cut would let two different passwords match.
    """
    encoded = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    if len(encoded) > MAX_PASSWORD_BYTES:
        raise InvalidKey(f"password is longer than {MAX_PASSWORD_BYTES} bytes")
    return encoded


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def hash_password(password: str, *, iterations: int = DEFAULT_ITERATIONS) -> str:
    """Hash with a fresh 16-byte salt (about 0.25 s). InvalidKey for empty, overlong, or weak cost."""
    if not FLOOR_ITERATIONS <= iterations <= CEILING_ITERATIONS:
        raise InvalidKey(f"iterations must be {FLOOR_ITERATIONS} to {CEILING_ITERATIONS}")
    secret = _normalise(password)
    if not secret:
        raise InvalidKey("password is empty")
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = pbkdf2_sm3(secret, salt, iterations, _HASH_BYTES)
    return f"$pbkdf2-sm3$i={iterations}${_encode(salt)}${_encode(digest)}"


def _parse(stored: str) -> tuple[int, bytes, bytes] | None:
    """(iterations, salt, hash), or None for anything hash_password would not have written."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[:2] != ["", "pbkdf2-sm3"] or not parts[2].startswith("i="):
        return None
    digits = parts[2][2:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 8):
        return None
    try:
        salt, digest = (base64.b64decode(p + "=" * (-len(p) % 4), altchars=b"-_", validate=True)
                        for p in parts[3:])
    except (binascii.Error, ValueError):
        return None
    iterations = int(digits)
    if (len(salt), len(digest)) != (_SALT_BYTES, _HASH_BYTES):
        return None
    return (iterations, salt, digest) if FLOOR_ITERATIONS <= iterations <= CEILING_ITERATIONS else None


def verify_password(password: str, stored: str) -> bool:
    """True when it matches; False for a wrong password, an overlong one or an unreadable hash."""
    parsed = _parse(stored)
    if parsed is None:
        return False
    iterations, salt, digest = parsed
    try:
        secret = _normalise(password)
    except InvalidKey:
        return False
    return hmac.compare_digest(pbkdf2_sm3(secret, salt, iterations, _HASH_BYTES), digest)


def needs_rehash(stored: str, iterations: int = DEFAULT_ITERATIONS) -> bool:
    """True when the hash is unreadable or cheaper than `iterations`; ask after a good login."""
    parsed = _parse(stored)
    return parsed is None or parsed[0] < iterations
