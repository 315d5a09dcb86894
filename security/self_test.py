"""Start-up self-test in the manner of GM/T 0028: known answers, and each back end against pure Python.

It is also the only defence against a foreign libcrypto taking over a back end's symbols (trap T2).
"""

import importlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from security import symmetric
from security.errors import DecryptionFailed, SecurityError, SelfTestFailed
from security.sm2_backends import probe, pure
from security.sm2_backends.base import Sm2Backend

_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
_SM3_ABC = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
_GCM_IV = bytes.fromhex("00001234567800000000abcd")
_GCM_AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_GCM_PT = b"".join(bytes([c]) * 8 for c in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
_GCM_TAG = bytes.fromhex("83de3541e4c2b58177e065a9bf7b62ec")  # RFC 8998 appendix A.1
_HMAC_KEY = bytes(range(1, 33))
_HMAC_MSG = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq" * 2
_HMAC_MAC = bytes.fromhex("ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a")
# GB/T 32918.5 appendix A.2: private key, message digest e, signature.
_D = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
_E = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
_K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
_SIGNATURE = bytes.fromhex("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
                           "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa")


@dataclass(frozen=True)
class SelfTestReport:
    """What was proven: checks by name, back ends used, back ends absent with the reason, time taken."""

    backend: str
    checks: tuple[str, ...]
    backends: tuple[str, ...]
    absent: dict[str, str]
    elapsed_ms: float


def _require(good: bool, what: str) -> None:
    if not good:
        raise SelfTestFailed(f"self-test failed: {what}")


def _check_hashes() -> list[str]:
    _require(symmetric.sm3(b"abc") == _SM3_ABC, "sm3")
    _require(symmetric.sm3_cryptography(b"abc") == _SM3_ABC, "sm3 by cryptography")
    _require(symmetric.hmac_sm3(_HMAC_KEY, _HMAC_MSG) == _HMAC_MAC, "hmac-sm3")
    _require(symmetric.KeyedHmac(_HMAC_KEY).digest(_HMAC_MSG) == _HMAC_MAC, "keyed hmac-sm3")
    return ["sm3", "hmac-sm3"]


def _check_sm4() -> list[str]:
    sealed = symmetric.sm4_gcm_encrypt(_KEY, _GCM_PT, _GCM_AAD, _GCM_IV)
    _require(sealed[-16:] == _GCM_TAG, "sm4-gcm tag")
    _require(symmetric.sm4_gcm_decrypt(_KEY, sealed, _GCM_AAD) == _GCM_PT, "sm4-gcm decrypt")
    try:
        symmetric.sm4_gcm_decrypt(_KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), _GCM_AAD)
    except DecryptionFailed:
        return ["sm4-gcm"]
    raise SelfTestFailed("self-test failed: sm4-gcm accepted a changed tag")


def _check_backend(backend: Sm2Backend, reference: pure.PureBackend) -> str:
    """Known answer, rejection, and both directions against pure Python with fresh data."""
    name = backend.name
    point = reference.public_point(_D)
    _require(backend.public_point(_D) == point, f"{name}: public key")
    _require(backend.verify_e(point, _E, _SIGNATURE), f"{name}: known signature refused")
    wrong = bytes([_E[0] ^ 1]) + _E[1:]
    _require(not backend.verify_e(point, wrong, _SIGNATURE), f"{name}: wrong digest accepted")
    d = (secrets.randbelow(pure.N - 2) + 1).to_bytes(32, "big")
    e, point = secrets.token_bytes(32), reference.public_point(d)
    _require(reference.verify_e(point, e, backend.sign_e(d, e)), f"{name}: own signature is wrong")
    _require(backend.verify_e(point, e, reference.sign_e(d, e)), f"{name}: reference refused")
    return f"sm2:{name}"


def _check_gmssl() -> str:
    """Independent implementation as a witness; it never signs for us (traps T5 to T9).

    Only its SM3 and prehash verify are used; the public key is set after construction because the
    constructor strips leading zeros and fours (T7).
    """
    try:
        module: Any = importlib.import_module("gmssl.sm2")
        digest: Any = importlib.import_module("gmssl.sm3")
    except ImportError as error:
        raise SelfTestFailed("cross-check asked for, but gmssl is not installed") from error
    _require(digest.sm3_hash(list(b"abc")) == _SM3_ABC.hex(), "gmssl sm3")
    witness = module.CryptSM2(private_key=_D.hex(), public_key="")
    witness.public_key = pure.PureBackend().public_point(_D)[1:].hex()
    _require(bool(witness.verify(_SIGNATURE.hex(), _E)), "gmssl refuses the known signature")
    return "gmssl"


def run(*, cross_check: bool = False) -> SelfTestReport:
    """Prove every usable back end; SelfTestFailed on a mismatch or when one is interposed (T2)."""
    started = time.perf_counter()
    found, reference = probe(), pure.PureBackend()
    for name, reason in found.sabotaged.items():
        raise SelfTestFailed(f"self-test failed: back end {name}: {reason}")
    try:
        checks = _check_hashes() + _check_sm4()
        _require(pure.sign_with_nonce(int.from_bytes(_D, "big"), int.from_bytes(_E, "big"), _K)
                 == _SIGNATURE, "sm2 known answer")
        checks += [_check_backend(backend, reference) for backend in found.usable.values()]
        if cross_check:
            checks.append(_check_gmssl())
    except SelfTestFailed:
        raise
    except (SecurityError, ValueError) as error:
        raise SelfTestFailed(f"self-test failed: {type(error).__name__}: {error}") from error
    elapsed_ms = (time.perf_counter() - started) * 1000
    return SelfTestReport(next(iter(found.usable)), tuple(checks), tuple(found.usable),
                          dict(found.absent), elapsed_ms)
