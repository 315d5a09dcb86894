"""SM2 through tongsuopy (BabaSSL 1.1.1h), by its low-level prehash calls.

The public API always hashes with its own idea of the user id, and that idea changes when another
libcrypto takes its symbols (trap T2); the prehash calls have no id at all.
"""

import importlib
from functools import lru_cache
from typing import Any

from security import der
from security.errors import BackendSabotaged, BackendUnavailable, InvalidEncoding, SigningFailed

EXPECTED_ENGINE = "OpenSSL 1.1.1h"


class TongsuoBackend:
    """Holds the library handles; safe to share between threads (every call owns its context)."""

    name = "tongsuopy"

    def __init__(self, backend: Any, ec: Any) -> None:
        self._backend, self._ec = backend, ec
        self._lib, self._ffi = backend._lib, backend._ffi
        # Key objects cost a point multiplication each; the caller holds d anyway.
        self._private = lru_cache(maxsize=4)(self._load_private)
        self._public = lru_cache(maxsize=64)(self._load_public)

    def _load_private(self, d: bytes) -> Any:
        return self._ec.derive_private_key(int.from_bytes(d, "big"), self._ec.SM2())

    def _load_public(self, point: bytes) -> Any:
        return self._ec.EllipticCurvePublicKey.from_encoded_point(self._ec.SM2(), point)

    def public_point(self, d: bytes) -> bytes:
        """See Sm2Backend."""
        numbers = self._private(d).public_key().public_numbers()
        x: int = numbers.x
        y: int = numbers.y
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def _context(self, key: Any) -> Any:
        context = self._lib.EVP_PKEY_CTX_new(key._evp_pkey, self._ffi.NULL)
        if context == self._ffi.NULL:
            self._backend._consume_errors()
            raise SigningFailed("tongsuopy gave no context")
        return self._ffi.gc(context, self._lib.EVP_PKEY_CTX_free)

    def sign_e(self, d: bytes, e: bytes) -> bytes:
        """See Sm2Backend."""
        context = self._context(self._private(d))
        buffer, size = self._ffi.new("unsigned char[]", 80), self._ffi.new("size_t *", 80)
        if (self._lib.EVP_PKEY_sign_init(context) != 1
                or self._lib.EVP_PKEY_sign(context, buffer, size, e, len(e)) != 1):
            self._backend._consume_errors()
            raise SigningFailed("tongsuopy refused to sign")
        try:
            return der.decode_signature(bytes(self._ffi.buffer(buffer, size[0])))
        except InvalidEncoding as error:
            raise SigningFailed("tongsuopy returned a malformed signature") from error

    def verify_e(self, point: bytes, e: bytes, signature: bytes) -> bool:
        """See Sm2Backend. Its error queue is emptied: a bad signature leaves entries there (T11)."""
        encoded = der.encode_signature(signature)
        context = self._context(self._public(point))
        good = (self._lib.EVP_PKEY_verify_init(context) == 1
                and self._lib.EVP_PKEY_verify(context, encoded, len(encoded), e, len(e)) == 1)
        if not good:
            self._backend._consume_errors()
        return bool(good)


def open_backend() -> TongsuoBackend:
    """BackendUnavailable when not installed (aarch64), BackendSabotaged when interposed (T2)."""
    try:
        backend = importlib.import_module("tongsuopy.backends.tongsuo").backend
        ec = importlib.import_module("tongsuopy.crypto.asymciphers.ec")
    except Exception as error:
        raise BackendUnavailable(f"tongsuopy cannot be imported: {type(error).__name__}") from error
    text = str(backend.openssl_version_text())
    if not text.startswith(EXPECTED_ENGINE):
        raise BackendSabotaged(f"tongsuopy calls reach {text!r}, expected {EXPECTED_ENGINE!r}")
    return TongsuoBackend(backend, ec)
