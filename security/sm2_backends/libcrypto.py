"""SM2 through the system libcrypto 3.x by ctypes, prehash only.

RHEL builds of OpenSSL have no SM2 while openEuler, Kylin and UOS keep it, so the module probes with a
real signature instead of trusting the version.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from security import der
from security.errors import BackendUnavailable, InvalidEncoding, SigningFailed

_PROBE_D = (0x1234567).to_bytes(32, "big")
_PROBE_E = b"\x5a" * 32


def _find_library() -> str:
    """The libcrypto that Python itself has loaded; a second copy would double the provider state."""
    try:
        import _ssl  # noqa: F401  (loads libcrypto)

        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except (ImportError, OSError):
        return "libcrypto.so.3"
    match = re.search(r"(/\S*libcrypto[^/\s]*\.so\S*)", maps)
    return match.group(1) if match else "libcrypto.so.3"


def _declare(lib: ctypes.CDLL) -> None:
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    out = ctypes.POINTER(ctypes.c_char_p)
    for name, result, arguments in (
        ("d2i_AutoPrivateKey", pointer, [pointer, out, ctypes.c_long]),
        ("d2i_PUBKEY", pointer, [pointer, out, ctypes.c_long]),
        ("i2d_PUBKEY", ctypes.c_int, [pointer, ctypes.POINTER(pointer)]),
        ("EVP_PKEY_free", None, [pointer]),
        ("EVP_PKEY_CTX_new", pointer, [pointer, pointer]),
        ("EVP_PKEY_CTX_free", None, [pointer]),
        ("EVP_PKEY_sign_init", ctypes.c_int, [pointer]),
        ("EVP_PKEY_sign", ctypes.c_int,
         [pointer, ctypes.c_char_p, ctypes.POINTER(size), ctypes.c_char_p, size]),
        ("EVP_PKEY_verify_init", ctypes.c_int, [pointer]),
        ("EVP_PKEY_verify", ctypes.c_int, [pointer, ctypes.c_char_p, size, ctypes.c_char_p, size]),
        ("ERR_clear_error", None, []),
        ("OpenSSL_version_num", ctypes.c_ulong, []),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments


class LibcryptoBackend:
    """One loaded libcrypto. Keys are rebuilt per call so that no foreign handle outlives it."""

    name = "libcrypto"

    def __init__(self, lib: ctypes.CDLL) -> None:
        self._lib = lib

    @contextmanager
    def _key(self, loader: Callable[..., int | None], encoded: bytes) -> Iterator[int]:
        key = loader(None, ctypes.byref(ctypes.c_char_p(encoded)), len(encoded))
        if not key:
            self._lib.ERR_clear_error()
            raise SigningFailed("libcrypto refused the SM2 key")
        try:
            yield key
        finally:
            self._lib.EVP_PKEY_free(key)

    @contextmanager
    def _context(self, loader: Callable[..., int | None], encoded: bytes) -> Iterator[int]:
        with self._key(loader, encoded) as key:
            context = self._lib.EVP_PKEY_CTX_new(key, None)
            if not context:
                self._lib.ERR_clear_error()
                raise SigningFailed("libcrypto gave no context")
            try:
                yield int(context)
            finally:
                self._lib.EVP_PKEY_CTX_free(context)

    def public_point(self, d: bytes) -> bytes:
        """See Sm2Backend; libcrypto derives the point while loading a key without one."""
        with self._key(self._lib.d2i_AutoPrivateKey, der.encode_pkcs8_bare(d)) as key:
            buffer = ctypes.create_string_buffer(128)
            cursor = ctypes.c_void_p(ctypes.addressof(buffer))
            size = int(self._lib.i2d_PUBKEY(key, None))
            if not 65 <= size <= 128 or self._lib.i2d_PUBKEY(key, ctypes.byref(cursor)) != size:
                self._lib.ERR_clear_error()
                raise SigningFailed("libcrypto gave no public key")
            return buffer.raw[size - 65:size]

    def sign_e(self, d: bytes, e: bytes) -> bytes:
        """See Sm2Backend."""
        with self._context(self._lib.d2i_AutoPrivateKey, der.encode_pkcs8_bare(d)) as context:
            buffer, size = ctypes.create_string_buffer(80), ctypes.c_size_t(80)
            if (self._lib.EVP_PKEY_sign_init(context) != 1
                    or self._lib.EVP_PKEY_sign(context, buffer, ctypes.byref(size), e, len(e)) != 1):
                self._lib.ERR_clear_error()
                raise SigningFailed("libcrypto refused to sign")
            try:
                return der.decode_signature(buffer.raw[:size.value])
            except InvalidEncoding as error:
                raise SigningFailed("libcrypto returned a malformed signature") from error

    def verify_e(self, point: bytes, e: bytes, signature: bytes) -> bool:
        """See Sm2Backend."""
        encoded = der.encode_signature(signature)
        with self._context(self._lib.d2i_PUBKEY, der.encode_spki(point)) as context:
            good = (self._lib.EVP_PKEY_verify_init(context) == 1
                    and self._lib.EVP_PKEY_verify(context, encoded, len(encoded), e, len(e)) == 1)
            if not good:
                self._lib.ERR_clear_error()
            return bool(good)


def open_backend() -> LibcryptoBackend:
    """BackendUnavailable when there is no libcrypto 3 or it was built without SM2."""
    try:
        lib = ctypes.CDLL(_find_library())  # RTLD_LOCAL: must not enter the global scope (T2)
        _declare(lib)
    except (OSError, AttributeError) as error:
        raise BackendUnavailable(f"no usable libcrypto: {type(error).__name__}") from error
    # 1.1.1 needs EVP_PKEY_set_alias_type first; not worth carrying for an engine out of support.
    if lib.OpenSSL_version_num() >> 28 < 3:
        raise BackendUnavailable("libcrypto is older than 3.0")
    backend = LibcryptoBackend(lib)
    try:
        signature = backend.sign_e(_PROBE_D, _PROBE_E)
        if not backend.verify_e(backend.public_point(_PROBE_D), _PROBE_E, signature):
            raise BackendUnavailable("libcrypto does not verify its own SM2 signature")
    except SigningFailed as error:
        raise BackendUnavailable("libcrypto was built without SM2") from error
    return backend
