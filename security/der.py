"""Strict DER for SM2 at the borders: signatures, ciphertexts (GM/T 0009), SPKI, PKCS#8.

Readers accept exactly what the writers here produce: parse, re-encode, compare. OpenSSL and Tongsuo
accept trailing bytes, long lengths and negative integers in ciphertexts (trap T12), so their parsers
never see outside input.
"""

import base64
import binascii

from security.errors import InvalidEncoding

_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_PKCS8_PREFIX = bytes.fromhex(
    "308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
_PKCS8_PUBLIC = bytes.fromhex("a144034200")
_PKCS8_BARE_PREFIX = bytes.fromhex(
    "3041020100301306072a8648ce3d020106082a811ccf5501822d042730250201010420")
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30


def _tlv(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _read_tlv(data: bytes, offset: int, tag: int) -> tuple[bytes, int]:
    """Return (body, next offset); raise InvalidEncoding on any length that does not fit."""
    if offset + 2 > len(data) or data[offset] != tag:
        raise InvalidEncoding("unexpected DER tag")
    size, start = data[offset + 1], offset + 2
    if size & 0x80:
        width = size & 0x7F
        if not 1 <= width <= 4 or start + width > len(data):
            raise InvalidEncoding("bad DER length")
        size, start = int.from_bytes(data[start:start + width], "big"), start + width
    if start + size > len(data):
        raise InvalidEncoding("DER value is cut short")
    return data[start:start + size], start + size


def _integer(value: bytes) -> bytes:
    number = int.from_bytes(value, "big")
    return _tlv(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _read_integer(data: bytes, offset: int) -> tuple[bytes, int]:
    """A non-negative INTEGER of at most 256 bits, left-padded to 32 bytes (trap T13)."""
    body, after = _read_tlv(data, offset, _INTEGER)
    if not body or body[0] & 0x80:
        raise InvalidEncoding("DER integer is empty or negative")
    number = int.from_bytes(body, "big")
    if number.bit_length() > 256:
        raise InvalidEncoding("DER integer is over 256 bits")
    return number.to_bytes(32, "big"), after


def encode_signature(raw: bytes) -> bytes:
    """Raw r||s (64 bytes) to DER SEQUENCE{r, s}; InvalidEncoding on another length."""
    if len(raw) != 64:
        raise InvalidEncoding("raw SM2 signature must be 64 bytes")
    return _tlv(_SEQUENCE, _integer(raw[:32]) + _integer(raw[32:]))


def decode_signature(der: bytes) -> bytes:
    """Canonical DER to raw r||s; InvalidEncoding for anything encode_signature would not write."""
    body, _ = _read_tlv(der, 0, _SEQUENCE)
    r, offset = _read_integer(body, 0)
    s, _ = _read_integer(body, offset)
    if encode_signature(r + s) != der:
        raise InvalidEncoding("signature is not canonical DER")
    return r + s


def encode_ciphertext(raw: bytes) -> bytes:
    """Raw 04||C1||C3||C2 to GM/T 0009 SEQUENCE{x, y, C3, C2}."""
    if len(raw) < 98 or raw[0] != 4:
        raise InvalidEncoding("raw SM2 ciphertext is too short")
    return _tlv(_SEQUENCE, _integer(raw[1:33]) + _integer(raw[33:65])
                + _tlv(_OCTETS, raw[65:97]) + _tlv(_OCTETS, raw[97:]))


def decode_ciphertext(der: bytes) -> bytes:
    """Canonical GM/T 0009 DER to raw 04||C1||C3||C2; InvalidEncoding otherwise."""
    body, _ = _read_tlv(der, 0, _SEQUENCE)
    x, offset = _read_integer(body, 0)
    y, offset = _read_integer(body, offset)
    c3, offset = _read_tlv(body, offset, _OCTETS)
    c2, _ = _read_tlv(body, offset, _OCTETS)
    raw = b"\x04" + x + y + c3 + c2
    if len(c3) != 32 or encode_ciphertext(raw) != der:
        raise InvalidEncoding("ciphertext is not canonical DER")
    return raw


def encode_spki(point: bytes) -> bytes:
    """SubjectPublicKeyInfo (id-ecPublicKey, curve 1.2.156.10197.1.301) of 04||x||y."""
    return _SPKI_PREFIX + point


def decode_spki(der: bytes) -> bytes:
    """The 65-byte point; the caller checks the curve equation."""
    if len(der) != len(_SPKI_PREFIX) + 65 or not der.startswith(_SPKI_PREFIX):
        raise InvalidEncoding("not an SM2 SubjectPublicKeyInfo")
    return der[len(_SPKI_PREFIX):]


def encode_pkcs8(d: bytes, point: bytes) -> bytes:
    """Plain PKCS#8 with the public key inside, byte-identical with OpenSSL and GmSSL."""
    return _PKCS8_PREFIX + d + _PKCS8_PUBLIC + point


def encode_pkcs8_bare(d: bytes) -> bytes:
    """Plain PKCS#8 without the public key, for libraries that derive it themselves."""
    return _PKCS8_BARE_PREFIX + d


def decode_pkcs8(der: bytes) -> tuple[bytes, bytes | None]:
    """(d, public point or None). Only the two fixed layouts in use are read, nothing else."""
    end = len(_PKCS8_PREFIX) + 32
    if (len(der) == end + len(_PKCS8_PUBLIC) + 65 and der.startswith(_PKCS8_PREFIX)
            and der[end:end + len(_PKCS8_PUBLIC)] == _PKCS8_PUBLIC):
        return der[end - 32:end], der[end + len(_PKCS8_PUBLIC):]
    if len(der) == len(_PKCS8_BARE_PREFIX) + 32 and der.startswith(_PKCS8_BARE_PREFIX):
        return der[-32:], None
    raise InvalidEncoding("not a plain SM2 PKCS#8 key")


def encode_pem(label: str, der: bytes) -> str:
    """PEM text with 64-character lines and a final newline."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def decode_pem(label: str, text: str) -> bytes:
    """The DER of exactly one PEM block with this label; InvalidEncoding otherwise."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 3 or lines[0] != f"-----BEGIN {label}-----" or lines[-1] != f"-----END {label}-----":
        raise InvalidEncoding(f"not one PEM block {label}")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidEncoding("bad base64 in PEM") from error
