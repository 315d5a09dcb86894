"""SM3, HMAC, HKDF, PBKDF2 and SM4 modes: thin calls with the length rules the libraries lack.

hashlib is asked first for SM3 because it is about twice as fast; an OpenSSL without SM3 (some RHEL
builds) falls back to `cryptography`, which carries its own OpenSSL.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from security.errors import DecryptionFailed, InvalidKey

IV_BYTES = 12
TAG_BYTES = 16
SM4_KEY_BYTES = 16
_HASHLIB_HAS_SM3 = "sm3" in hashlib.algorithms_available


def sm3_hashlib(data: bytes) -> bytes:
    """SM3 by the system library (32 bytes)."""
    return hashlib.new("sm3", data).digest()


def sm3_cryptography(data: bytes) -> bytes:
    """SM3 by `cryptography` (32 bytes)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def _working_sm3() -> Callable[[bytes], bytes]:
    if _HASHLIB_HAS_SM3:
        try:
            sm3_hashlib(b"")
        except ValueError:  # listed but switched off by policy
            return sm3_cryptography
        return sm3_hashlib
    return sm3_cryptography


_sm3 = _working_sm3()


def sm3(data: bytes) -> bytes:
    """SM3 digest, 32 bytes (GB/T 32905)."""
    return _sm3(data)


class KeyedHmac:
    """HMAC-SM3 with the key block absorbed once; `digest` copies that state."""

    __slots__ = ("_state",)

    def __init__(self, key: bytes) -> None:
        self._state: hmac.HMAC | HMAC = (
            hmac.new(key, digestmod="sm3") if _sm3 is sm3_hashlib else HMAC(key, hashes.SM3()))

    def digest(self, data: bytes) -> bytes:
        """32-byte MAC of data."""
        state = self._state.copy()
        state.update(data)
        return state.digest() if isinstance(state, hmac.HMAC) else state.finalize()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3, 32 bytes (GB/T 15852.2, GM/T 0042 appendix D)."""
    if _sm3 is sm3_hashlib:
        return hmac.digest(key, data, "sm3")
    return KeyedHmac(key).digest(data)


def hkdf_sm3(key: bytes, info: bytes, size_bytes: int = 32, salt: bytes | None = None) -> bytes:
    """HKDF (RFC 5869) with SM3; `info` separates purposes."""
    return HKDF(hashes.SM3(), size_bytes, salt, info).derive(key)


def pbkdf2_sm3(password: bytes, salt: bytes, iterations: int, size_bytes: int = 32) -> bytes:
    """PBKDF2-HMAC-SM3; the limits of GM/T 0091 (1,024 iterations, 64-bit salt) are enforced here."""
    if iterations < 1024 or len(salt) < 8:
        raise InvalidKey("PBKDF2 needs at least 1024 iterations and 8 bytes of salt (GM/T 0091)")
    return PBKDF2HMAC(hashes.SM3(), size_bytes, salt, iterations).derive(password)


def _check_sm4_key(key: bytes) -> None:
    if len(key) != SM4_KEY_BYTES:  # gmssl truncates longer keys silently (T9)
        raise InvalidKey("SM4 key must be 16 bytes")


def sm4_gcm_encrypt(key: bytes, plaintext: bytes, aad: bytes, iv: bytes | None = None) -> bytes:
    """iv(12) | ciphertext | tag(16). Pass `iv` only in tests: a repeated one reveals the MAC key."""
    _check_sm4_key(key)
    if iv is None:
        iv = secrets.token_bytes(IV_BYTES)
    elif len(iv) != IV_BYTES:  # the library would take 8 to 128 (T16)
        raise InvalidKey("SM4-GCM iv must be 12 bytes")
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(iv)).encryptor()
    encryptor.authenticate_additional_data(aad)
    return iv + encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def sm4_gcm_decrypt(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Inverse of sm4_gcm_encrypt; DecryptionFailed when anything differs."""
    _check_sm4_key(key)
    if len(sealed) < IV_BYTES + TAG_BYTES:
        raise DecryptionFailed("SM4-GCM input is too short")
    mode = modes.GCM(sealed[:IV_BYTES], sealed[-TAG_BYTES:])
    decryptor = Cipher(algorithms.SM4(key), mode).decryptor()
    decryptor.authenticate_additional_data(aad)
    try:
        return decryptor.update(sealed[IV_BYTES:-TAG_BYTES]) + decryptor.finalize()
    except InvalidTag as error:
        raise DecryptionFailed("SM4-GCM authentication failed") from error


def sm4_cbc(key: bytes, iv: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    """Unpadded SM4-CBC; only for encrypt-then-MAC of whole blocks (key files)."""
    _check_sm4_key(key)
    if len(iv) != 16 or len(data) % 16:
        raise InvalidKey("SM4-CBC needs a 16-byte iv and whole blocks")
    cipher = Cipher(algorithms.SM4(key), modes.CBC(iv))
    worker = cipher.decryptor() if decrypt else cipher.encryptor()
    return worker.update(data) + worker.finalize()
