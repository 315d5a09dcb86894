"""How WeChat Pay API v3 signs and seals: one suite with RSA and AES, one with SM2 and SM4 (WECHATPAY2-…).

Signed text of a request: method, path with query, timestamp, nonce, body; of an answer or notice: timestamp, nonce, body; each
followed by a line feed. Sources: pay.weixin.qq.com/doc/v3 (4012365342, 4012365350); vectors of the vendor's own Java library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.core import clock
from app.core.errors import Forbidden
from app.payments.channels.platform_keys import Downloaded
from security import der, rsa, sm
from security.errors import InvalidEncoding, InvalidKey
from security.symmetric import sm3, sm4_gcm_decrypt, sm4_gcm_encrypt

SKEW_S = 300
_SM2_SPKI = der.encode_spki(b"")


class Suite(Protocol):
    """The algorithms of one account: PEM keys, base64 signatures."""

    schema: str
    aead: str
    bill_hash: str
    certificates_query: str

    def sign(self, private_pem: str, message: bytes) -> str: ...

    def verify(self, public_pem: str, message: bytes, signature: str) -> bool: ...

    def open(self, api_key: bytes, nonce: str, aad: str, ciphertext: str) -> bytes: ...

    def seal(self, api_key: bytes, nonce: str, aad: str, plaintext: bytes) -> str: ...

    def key_of(self, certificate_pem: str) -> Downloaded: ...

    def digest(self, data: bytes) -> str: ...


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


class RsaSuite:
    """WECHATPAY2-SHA256-RSA2048 with AEAD_AES_256_GCM; bills carry SHA-1, as the documents say."""

    schema = "WECHATPAY2-SHA256-RSA2048"
    aead = "AEAD_AES_256_GCM"
    bill_hash = "SHA1"
    certificates_query = ""

    def sign(self, private_pem: str, message: bytes) -> str:
        return base64.b64encode(rsa.sign_sha256(private_pem, message)).decode()

    def verify(self, public_pem: str, message: bytes, signature: str) -> bool:
        return rsa.verify_sha256(public_pem, message, _decoded(signature))

    def open(self, api_key: bytes, nonce: str, aad: str, ciphertext: str) -> bytes:
        return rsa.aes_gcm_open(api_key, nonce.encode(), _decoded(ciphertext), aad.encode())

    def seal(self, api_key: bytes, nonce: str, aad: str, plaintext: bytes) -> str:
        return base64.b64encode(rsa.aes_gcm_seal(api_key, nonce.encode(), plaintext, aad.encode())).decode()

    def key_of(self, certificate_pem: str) -> Downloaded:
        found = rsa.load_certificate(certificate_pem)
        serial = f"{found.serial_number:X}"
        return Downloaded(serial, rsa.public_pem(certificate_pem), found.not_valid_before_utc, found.not_valid_after_utc)

    def digest(self, data: bytes) -> str:
        return hashlib.sha1(data, usedforsecurity=False).hexdigest()


class SmSuite:
    """WECHATPAY2-SM2-WITH-SM3 with AEAD_SM4_GCM, whose key is the first half of the SM3 digest of the API key."""

    schema = "WECHATPAY2-SM2-WITH-SM3"
    aead = "AEAD_SM4_GCM"
    bill_hash = "SM3"
    certificates_query = "?algorithm_type=SM2"

    def sign(self, private_pem: str, message: bytes) -> str:
        return base64.b64encode(sm.signature_to_der(sm.sign(sm.load_private_pem(private_pem), message))).decode()

    def verify(self, public_pem: str, message: bytes, signature: str) -> bool:
        try:
            raw = sm.signature_from_der(_decoded(signature))
        except InvalidEncoding:
            return False
        return sm.verify(sm.load_public_pem(public_pem), message, raw)

    def open(self, api_key: bytes, nonce: str, aad: str, ciphertext: str) -> bytes:
        return sm4_gcm_decrypt(sm3(api_key)[:16], nonce.encode() + _decoded(ciphertext), aad.encode())

    def seal(self, api_key: bytes, nonce: str, aad: str, plaintext: bytes) -> str:
        sealed = sm4_gcm_encrypt(sm3(api_key)[:16], plaintext, aad.encode(), nonce.encode())
        return base64.b64encode(sealed[12:]).decode()

    def key_of(self, certificate_pem: str) -> Downloaded:
        """Read an SM2 certificate; the key is found by its fixed SubjectPublicKeyInfo form, which `cryptography` does not know."""
        found = rsa.load_certificate(certificate_pem)
        tbs = found.tbs_certificate_bytes
        start = tbs.find(_SM2_SPKI)
        point = tbs[start + len(_SM2_SPKI) :][:65]
        if start < 0 or tbs.find(_SM2_SPKI, start + 1) >= 0:
            raise InvalidKey("the certificate has no SM2 key")
        pem = sm.save_public_pem(point)
        return Downloaded(f"{found.serial_number:X}", pem, found.not_valid_before_utc, found.not_valid_after_utc)

    def digest(self, data: bytes) -> str:
        return sm3(data).hex()


SUITES: dict[str, Suite] = {"rsa": RsaSuite(), "sm": SmSuite()}


@dataclass(frozen=True)
class Account:
    """Who we are at WeChat Pay. api_key: the 32 bytes of the APIv3 key."""

    base_url: str
    app_id: str
    mch_id: str
    serial_no: str
    private_pem: str = field(repr=False)
    api_key: bytes = field(repr=False)
    suite: Suite = SUITES["rsa"]
    platform_key_id: str = ""
    platform_pem: str = ""


def authorization(account: Account, method: str, path: str, body: bytes, nonce: str, at: datetime) -> str:
    """Return the Authorization header of a request; path with query, body exactly as sent."""
    stamp = clock.microseconds(at) // 1_000_000
    message = f"{method}\n{path}\n{stamp}\n{nonce}\n".encode() + body + b"\n"
    signature = account.suite.sign(account.private_pem, message)
    return (
        f'{account.suite.schema} mchid="{account.mch_id}",nonce_str="{nonce}",timestamp="{stamp}",'
        f'serial_no="{account.serial_no}",signature="{signature}"'
    )


def answer_message(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the signed text of an answer or notice. Raises Forbidden(`payment.signature`) for a missing or old timestamp."""
    stamp, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
    if not stamp.isdigit() or len(stamp) > 12 or abs(int(stamp) - clock.microseconds(clock.now()) // 1_000_000) > SKEW_S:
        raise Forbidden("payment.signature", "支付渠道应答的时间戳缺失或已过期")
    return f"{stamp}\n{nonce}\n".encode() + body + b"\n"
