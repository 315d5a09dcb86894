"""Facade of SM2, SM3 and SM4: the only module the rest of the platform calls for them.

One internal form: signature raw r||s (64 bytes), public key 04||x||y (65), private key 32 bytes
big-endian, ciphertext 04||C1||C3||C2. The facade computes ZA and e itself, because the default user
id differs between libraries and even inside one (traps T1, T2); back ends see only e.
"""

import hmac
import secrets
from functools import lru_cache

from security import der
from security.errors import DecryptionFailed, InvalidEncoding, InvalidKey, SigningFailed
from security.sm2_backends import Probe, probe, pure
from security.sm2_backends.base import Sm2Backend
from security.symmetric import hkdf_sm3, hmac_sm3, pbkdf2_sm3, sm3, sm4_gcm_decrypt, sm4_gcm_encrypt

__all__ = [
    "DEFAULT_ID", "MIN_PLAINTEXT_BYTES", "backend_name", "check_private", "check_public",
    "compute_e", "compute_za", "decrypt", "encrypt", "generate_keypair", "hkdf_sm3", "hmac_sm3",
    "load_private_pem", "load_public_pem", "pbkdf2_sm3", "public_from_private", "save_private_pem",
    "save_public_pem", "self_test", "sign", "signature_from_der", "signature_to_der", "sm3",
    "sm4_gcm_decrypt", "sm4_gcm_encrypt", "verify",
]

DEFAULT_ID = b"1234567812345678"
# With one byte the key stream is zero for 1 message in 256 and the standard demands failure (T12).
MIN_PLAINTEXT_BYTES = 16
_CURVE = b"".join(v.to_bytes(32, "big") for v in (pure.A, pure.B, pure.GX, pure.GY))


@lru_cache(maxsize=1)
def probed() -> Probe:
    """Back ends found at first use, kept for the life of the process."""
    return probe()


def _backend() -> Sm2Backend:
    return next(iter(probed().usable.values()))


def backend_name() -> str:
    """Name of the back end that signs and verifies here: tongsuopy, libcrypto or pure."""
    return _backend().name


def check_private(d: bytes) -> None:
    """InvalidKey unless 32 bytes and 1 <= d <= n-2; tongsuopy never returns for n-1 (T11)."""
    if len(d) != 32 or not 1 <= int.from_bytes(d, "big") <= pure.N - 2:
        raise InvalidKey("SM2 private key is not in [1, n-2]")


@lru_cache(maxsize=256)
def check_public(point: bytes) -> None:
    """InvalidKey unless 04||x||y with reduced coordinates on the curve (cofactor 1: order is n)."""
    if len(point) != 65 or point[0] != 4 or not pure.on_curve(
            int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")):
        raise InvalidKey("SM2 public key is not an uncompressed point on the curve")


@lru_cache(maxsize=256)
def compute_za(point: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """ZA = SM3(ENTL || id || a || b || G || P), GB/T 32918.2 clause 5.5; id at most 8,191 bytes."""
    if len(user_id) > 8191:
        raise InvalidKey("SM2 user id is longer than 8191 bytes")
    return sm3((len(user_id) * 8).to_bytes(2, "big") + user_id + _CURVE + point[1:])


def compute_e(point: bytes, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """e = SM3(ZA || M), 32 bytes."""
    return sm3(compute_za(point, user_id) + message)


def public_from_private(d: bytes) -> bytes:
    """The 65-byte public point of d; InvalidKey when d is out of range."""
    check_private(d)
    return _backend().public_point(d)


def generate_keypair() -> tuple[bytes, bytes]:
    """(private d, public point) from the operating system's generator."""
    d = (secrets.randbelow(pure.N - 2) + 1).to_bytes(32, "big")
    return d, public_from_private(d)


# Deriving the point costs as much as signing; keys are few and the caller holds d anyway.
_public_of = lru_cache(maxsize=8)(public_from_private)


def sign(private_d: bytes, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """Raw r||s over message; verified before it is handed out, so a fault cannot leak the key.

    Raises InvalidKey for a bad scalar and SigningFailed when the result does not verify.
    """
    check_private(private_d)
    point = _public_of(private_d)
    e, backend = compute_e(point, message, user_id), _backend()
    signature = backend.sign_e(private_d, e)
    if not _in_range(signature) or not backend.verify_e(point, e, signature):
        raise SigningFailed(f"signature of back end {backend.name} does not verify")
    return signature


def _in_range(signature: bytes) -> bool:
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return 1 <= r < pure.N and 1 <= s < pure.N and (r + s) % pure.N != 0


def verify(public_point: bytes, message: bytes, signature: bytes, user_id: bytes = DEFAULT_ID) -> bool:
    """True for a valid raw signature, False for any other bytes; InvalidKey for a bad public key."""
    check_public(public_point)
    if not _in_range(signature):
        return False
    return _backend().verify_e(public_point, compute_e(public_point, message, user_id), signature)


def signature_to_der(raw: bytes) -> bytes:
    """Raw r||s to canonical DER, for partners and files outside the platform."""
    return der.encode_signature(raw)


def signature_from_der(encoded: bytes) -> bytes:
    """Canonical DER to raw r||s; InvalidEncoding for BER forms, trailing bytes, negatives."""
    return der.decode_signature(encoded)


def _key_stream(x2: bytes, y2: bytes, size: int) -> bytes:
    blocks = (sm3(x2 + y2 + i.to_bytes(4, "big")) for i in range(1, (size + 31) // 32 + 1))
    return b"".join(blocks)[:size]


def _xor(one: bytes, two: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(two, "big")).to_bytes(len(one), "big")


def _shared(scalar: int, point: bytes) -> tuple[bytes, bytes]:
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    shared = pure.to_affine(pure.multiply(scalar, x, y))
    if shared is None:
        raise DecryptionFailed("SM2 shared point is infinity")
    return shared[0].to_bytes(32, "big"), shared[1].to_bytes(32, "big")


def encrypt(public_point: bytes, plaintext: bytes, *, min_plaintext_bytes: int = MIN_PLAINTEXT_BYTES) -> bytes:
    """SM2 encryption, 04||C1||C3||C2 (GB/T 32918.4). InvalidKey for a bad key or short plaintext."""
    check_public(public_point)
    if len(plaintext) < max(1, min_plaintext_bytes):
        raise InvalidKey(f"SM2 plaintext is shorter than {max(1, min_plaintext_bytes)} bytes")
    while True:
        sealed = encrypt_with_nonce(public_point, plaintext, secrets.randbelow(pure.N - 1) + 1)
        if sealed is not None:
            return sealed


def encrypt_with_nonce(public_point: bytes, plaintext: bytes, k: int) -> bytes | None:
    """One attempt with a given k (tests use fixed ones); None when the key stream is all zero."""
    c1 = pure.to_affine(pure.multiply_g(k))
    x2, y2 = _shared(k, public_point)
    stream = _key_stream(x2, y2, len(plaintext))
    if c1 is None or not any(stream):
        return None
    return pure.encode_point(*c1) + sm3(x2 + plaintext + y2) + _xor(plaintext, stream)


def decrypt(private_d: bytes, ciphertext: bytes, *, min_plaintext_bytes: int = MIN_PLAINTEXT_BYTES) -> bytes:
    """Inverse of encrypt; DecryptionFailed for every malformed or changed input.

    Checks C1 on the curve (invalid-curve attack, T5), a non-zero key stream (T12) and C3. Runs in
    plain Python, so not constant time: for key delivery between own hosts, not for an online oracle.
    """
    check_private(private_d)
    if len(ciphertext) < 97 + max(1, min_plaintext_bytes):
        raise DecryptionFailed("SM2 ciphertext is too short")
    c1, c3, c2 = ciphertext[:65], ciphertext[65:97], ciphertext[97:]
    try:
        check_public(c1)
    except InvalidKey as error:
        raise DecryptionFailed("SM2 ciphertext point is not on the curve") from error
    x2, y2 = _shared(int.from_bytes(private_d, "big"), c1)
    stream = _key_stream(x2, y2, len(c2))
    plaintext = _xor(c2, stream)
    if not any(stream) or not hmac.compare_digest(sm3(x2 + plaintext + y2), c3):
        raise DecryptionFailed("SM2 ciphertext does not authenticate")
    return plaintext


def save_private_pem(private_d: bytes) -> str:
    """Plain PKCS#8 PEM; the caller keeps it in a 0400 file."""
    return der.encode_pem("PRIVATE KEY", der.encode_pkcs8(private_d, public_from_private(private_d)))


def load_private_pem(text: str) -> bytes:
    """d from a plain PKCS#8 PEM; InvalidEncoding also when the public part does not belong to d."""
    d, point = der.decode_pkcs8(der.decode_pem("PRIVATE KEY", text))
    if point is not None and public_from_private(d) != point:
        raise InvalidEncoding("public part of the PKCS#8 key does not match")
    check_private(d)
    return d


def save_public_pem(public_point: bytes) -> str:
    """SubjectPublicKeyInfo PEM."""
    check_public(public_point)
    return der.encode_pem("PUBLIC KEY", der.encode_spki(public_point))


def load_public_pem(text: str) -> bytes:
    """Public point from a SubjectPublicKeyInfo PEM; checked to be on the curve."""
    point = der.decode_spki(der.decode_pem("PUBLIC KEY", text))
    check_public(point)
    return point


def self_test(*, cross_check: bool = False) -> "SelfTestReport":
    """Run at start-up; see security.self_test.run. Raises SelfTestFailed."""
    from security import self_test as module

    return module.run(cross_check=cross_check)


from security.self_test import SelfTestReport  # noqa: E402  (self_test needs the facade defined)
