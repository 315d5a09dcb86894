"""Keys of the simulated channels and of our accounts there: made once, kept in a directory of their own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from app.core import clock
from security import der, sm

DAYS = 365


def rsa_private() -> str:
    """Return a new RSA key of 2,048 bits, PKCS#8 PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def rsa_public(private_pem: str) -> str:
    """Return the public half, SubjectPublicKeyInfo PEM."""
    key = load_pem_private_key(private_pem.encode(), None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rsa_certificate(private_pem: str, name: str, *, issuer: tuple[str, str] | None = None) -> str:
    """Return a certificate, PEM; self-signed, or by an issuer's (private key, certificate)."""
    key = load_pem_private_key(private_pem.encode(), None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    at = clock.now()
    signer, by = key, subject
    if issuer is not None:
        signer, by = load_pem_private_key(issuer[0].encode(), None), x509.load_pem_x509_certificate(issuer[1].encode()).subject
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key())  # type: ignore[arg-type]
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(at - timedelta(days=1))
    made = builder.not_valid_after(at + timedelta(days=DAYS)).sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    return made.public_bytes(Encoding.PEM).decode()


def sm2_private() -> str:
    """Return a new SM2 key, PKCS#8 PEM."""
    return sm.save_private_pem(sm.generate_keypair()[0])


def sm2_public(private_pem: str) -> str:
    """Return the public half, SubjectPublicKeyInfo PEM."""
    return sm.save_public_pem(sm.public_from_private(sm.load_private_pem(private_pem)))


def _tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    width = (size.bit_length() + 7) // 8
    length = bytes((size,)) if size < 0x80 else bytes((0x80 | width,)) + size.to_bytes(width, "big")
    return bytes((tag,)) + length + body


def sm2_certificate(private_pem: str, name: str) -> str:
    """Return a self-signed SM2 certificate (SM2 with SM3, 1.2.156.10197.1.501), which `cryptography` cannot make, PEM."""
    d = sm.load_private_pem(private_pem)
    algorithm = _tlv(0x30, bytes.fromhex("06082a811ccf55018375") + b"\x05\x00")
    common = _tlv(0x30, _tlv(0x31, _tlv(0x30, bytes.fromhex("0603550403") + _tlv(0x0C, name.encode()))))
    at = clock.now()
    times = [_tlv(0x17, f"{t:%y%m%d%H%M%SZ}".encode()) for t in (at - timedelta(days=1), at + timedelta(days=DAYS))]
    serial = _tlv(0x02, b"\x01" + secrets.token_bytes(15))
    tbs = _tlv(0x30, _tlv(0xA0, b"\x02\x01\x02") + serial + algorithm + common + _tlv(0x30, b"".join(times)) + common
               + der.encode_spki(sm.public_from_private(d)))  # fmt: skip
    signature = sm.signature_to_der(sm.sign(d, tbs))
    return der.encode_pem("CERTIFICATE", _tlv(0x30, tbs + algorithm + _tlv(0x03, b"\x00" + signature)))


def kept(folder: Path, name: str, make: Callable[[], str]) -> str:
    """Return a file's text, made on first use, readable by the owner alone."""
    file = folder / name
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_text(make())
    return file.read_text()
