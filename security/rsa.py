"""RSA with SHA-256 and AES-256-GCM: what payment channels outside the national algorithms ask for. Thin calls on `cryptography`.

Keys are PEM text: private PKCS#8 or PKCS#1, public SubjectPublicKeyInfo or an X.509 certificate. Signatures are PKCS#1 v1.5.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from security.errors import DecryptionFailed, InvalidEncoding, InvalidKey

MIN_BITS = 2_048
GCM_NONCE_BYTES = 12


def private_key(pem: str) -> RSAPrivateKey:
    """Return the key of an unencrypted PEM. Raises InvalidKey for anything else and for fewer than 2,048 bits."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise InvalidKey("not an unencrypted private key in PEM form") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < MIN_BITS:
        raise InvalidKey(f"not an RSA key of at least {MIN_BITS} bits")
    return key


def public_key(pem: str) -> RSAPublicKey:
    """Return the public key of a SubjectPublicKeyInfo or certificate in PEM form. Raises InvalidKey."""
    try:
        if "BEGIN CERTIFICATE" in pem:
            key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        else:
            key = load_pem_public_key(pem.encode())  # type: ignore[assignment]
    except ValueError as error:
        raise InvalidKey("not a public key or certificate in PEM form") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_BITS:
        raise InvalidKey(f"not an RSA key of at least {MIN_BITS} bits")
    return key


def public_pem(of: str) -> str:
    """Return the SubjectPublicKeyInfo PEM of a private key, public key or certificate in PEM form. Raises InvalidKey."""
    key = private_key(of).public_key() if "PRIVATE KEY" in of else public_key(of)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign_sha256(pem: str, message: bytes) -> bytes:
    """Return the PKCS#1 v1.5 signature over SHA-256 of a message. Raises InvalidKey."""
    return private_key(pem).sign(message, padding.PKCS1v15(), hashes.SHA256())


def verify_sha256(pem: str, message: bytes, signature: bytes) -> bool:
    """True for a right signature, False for any other bytes. Raises InvalidKey for a bad key."""
    try:
        public_key(pem).verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def aes_gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Open ciphertext | tag under a 32-byte key. Raises InvalidKey, DecryptionFailed."""
    if len(key) != 32 or len(nonce) != GCM_NONCE_BYTES:
        raise InvalidKey("AES-256-GCM needs a 32-byte key and a 12-byte nonce")
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError) as error:
        raise DecryptionFailed("AES-256-GCM authentication failed") from error


def aes_gcm_seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Return ciphertext | tag. The caller never repeats a nonce under one key. Raises InvalidKey."""
    if len(key) != 32 or len(nonce) != GCM_NONCE_BYTES:
        raise InvalidKey("AES-256-GCM needs a 32-byte key and a 12-byte nonce")
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def load_certificate(pem: str) -> x509.Certificate:
    """Return an X.509 certificate, whatever the algorithm of its key. Raises InvalidEncoding."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise InvalidEncoding("not a certificate in PEM form") from error
