"""Field encryption and blind indexes bound to table, column and row (gmcrypto section 4).

Text form `gm1:` + base64url of `G1 | alg(1) | keyset(4) | version(2) | iv(12) | ct | tag(16)`.
"""

import base64
import binascii
import unicodedata
from functools import lru_cache

from security.errors import DecryptionFailed, FieldTampered, KeyUnavailable
from security.keyring import BLIND_INDEX, PII, Keyring
from security.symmetric import KeyedHmac, hkdf_sm3, sm4_gcm_decrypt, sm4_gcm_encrypt

__all__ = ["INDEX_BYTES", "PREFIX", "FieldCipher", "FieldTampered", "KeyUnavailable", "normalise"]

PREFIX = "gm1:"
_MAGIC = b"G1\x01"  # format and algorithm 1 = SM4-GCM
_HEADER_BYTES = 9
_OVERHEAD_BYTES = _HEADER_BYTES + 12 + 16
INDEX_BYTES = 16
_NUMBER_SIGNS = frozenset("0123456789Xx+-()")


def _packed(*parts: bytes) -> bytes:
    """Length-prefixed, so that ("ab", "c") and ("a", "bc") differ."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@lru_cache(maxsize=1024)
def _place(table: str, column: str) -> bytes:
    return _packed(table.encode("utf-8"), column.encode("utf-8"))


def normalise(value: str) -> str:
    """NFKC, no white space, case folded; hyphens and brackets only leave number-like values, so that
    138-0013-8000 finds 13800138000 while a-b@example.com stays itself."""
    folded = "".join(unicodedata.normalize("NFKC", value).split()).casefold()
    if folded and set(folded) <= _NUMBER_SIGNS:
        folded = "".join(c for c in folded if c not in "-()")
    return folded


class FieldCipher:
    """Encrypts single column values. Thread-safe; derived keys are cached per table and column."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._field_key = lru_cache(maxsize=1024)(self._derive_field_key)
        self._index_state = lru_cache(maxsize=1024)(self._derive_index_state)

    def __repr__(self) -> str:
        return f"FieldCipher({self._keyring!r})"

    # The data key is part of the cache key: a disabled version is refused by the keyring first.
    def _derive_field_key(self, key: bytes, table: str, column: str) -> bytes:
        return hkdf_sm3(key, b"regionmart/field/1" + _place(table, column), 16)

    def _derive_index_state(self, key: bytes, table: str, column: str) -> KeyedHmac:
        return KeyedHmac(hkdf_sm3(key, b"regionmart/blind-index/1" + _place(table, column), 32))

    @staticmethod
    def _aad(header: bytes, table: str, column: str, row_id: int) -> bytes:
        return header + _place(table, column) + _packed(str(row_id).encode("ascii"))

    def encrypt(self, value: str, *, table: str, column: str, row_id: int) -> str:
        """Seal for exactly this row: the id must be known before the insert."""
        primary = self._keyring.primary(PII)
        header = _MAGIC + self._keyring.keyset_id + primary.version.to_bytes(2, "big")
        sealed = sm4_gcm_encrypt(self._field_key(primary.key, table, column), value.encode("utf-8"),
                                 self._aad(header, table, column, row_id))
        return PREFIX + base64.urlsafe_b64encode(header + sealed).decode("ascii")

    def _open_text(self, stored: str) -> tuple[int, bytes]:
        """(version, raw bytes); FieldTampered for anything but the one canonical text."""
        if not stored.startswith(PREFIX):
            raise FieldTampered("stored field has no gm1 prefix")
        try:
            raw = base64.b64decode(stored[len(PREFIX):], altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise FieldTampered("stored field is not base64url") from error
        if PREFIX + base64.urlsafe_b64encode(raw).decode("ascii") != stored:
            raise FieldTampered("stored field is not canonical base64url")
        if len(raw) < _OVERHEAD_BYTES or not raw.startswith(_MAGIC):
            raise FieldTampered("stored field has an unknown header")
        if raw[3:7] != self._keyring.keyset_id:
            raise FieldTampered("stored field belongs to another keyset")
        return int.from_bytes(raw[7:9], "big"), raw

    def decrypt(self, stored: str, *, table: str, column: str, row_id: int) -> str:
        """Open a value of this row. FieldTampered when it was changed or moved; KeyUnavailable when
        its key version exists but is disabled or destroyed."""
        version, raw = self._open_text(stored)
        try:
            key = self._keyring.key(PII, version).key
        except KeyUnavailable as error:
            if version in self._keyring.states(PII):
                raise
            raise FieldTampered("stored field names an unknown key version") from error
        try:
            plain = sm4_gcm_decrypt(self._field_key(key, table, column), raw[_HEADER_BYTES:],
                                    self._aad(raw[:_HEADER_BYTES], table, column, row_id))
            return plain.decode("utf-8")
        except (DecryptionFailed, UnicodeDecodeError) as error:
            raise FieldTampered(f"field {table}.{column} does not authenticate") from error

    def needs_rewrap(self, stored: str) -> bool:
        """True when the value was written with an older key than the primary."""
        return self._open_text(stored)[0] != self._keyring.primary(PII).version

    def blind_index(self, value: str, *, table: str, column: str, version: int | None = None) -> str:
        """32 hex digits for equality search, of the primary index key unless a version is named.

        Truncated to 16 bytes; never put a unique constraint on it, compare the opened value too.
        """
        found = (self._keyring.primary(BLIND_INDEX) if version is None
                 else self._keyring.key(BLIND_INDEX, version))
        state = self._index_state(found.key, table, column)
        return state.digest(normalise(value).encode("utf-8"))[:INDEX_BYTES].hex()
