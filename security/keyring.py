"""File keyring: data keys by purpose and version, wrapped by a KEK with SM4-GCM.

Files in the directory: `kek` (0400), `keyring.json` (0600), `lock`. The whole JSON carries an HMAC
under a key derived from the KEK, so versions and states cannot be changed outside. It does not stop
somebody from putting back an older complete file; backups of the directory are kept apart for that.
"""

import base64
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from security import kek_file, sm
from security.errors import DecryptionFailed, KeyringError, KeyUnavailable
from security.symmetric import hkdf_sm3, hmac_sm3, sm4_gcm_decrypt, sm4_gcm_encrypt

__all__ = [
    "AUDIT_MAC", "AUDIT_SIGN", "BLIND_INDEX", "DECRYPT_ONLY", "DESTROYED", "DISABLED", "PII", "PRE_ACTIVE",
    "PRIMARY", "PURPOSES", "ROW_MAC", "TOKEN", "DataKey", "Keyring", "KeyringError", "KeyUnavailable",
    "SigningKey",
]

PII, BLIND_INDEX, TOKEN = "pii", "blind-index", "token"
AUDIT_MAC, AUDIT_SIGN, ROW_MAC = "audit-mac", "audit-sign", "row-mac"
PURPOSES = (PII, BLIND_INDEX, TOKEN, AUDIT_MAC, AUDIT_SIGN, ROW_MAC)

PRE_ACTIVE, PRIMARY, DECRYPT_ONLY = "pre-active", "primary", "decrypt-only"
DISABLED, DESTROYED = "disabled", "destroyed"
_USABLE = (PRIMARY, DECRYPT_ONLY)
# Life cycle of GB/T 39786 appendix B; anything else is a mistake or an attack.
_TRANSITIONS = {
    PRE_ACTIVE: (PRIMARY, DESTROYED),
    PRIMARY: (),  # leaves only by another being promoted
    DECRYPT_ONLY: (DISABLED, PRIMARY),
    DISABLED: (DECRYPT_ONLY, DESTROYED),
    DESTROYED: (),
}


@dataclass(frozen=True)
class DataKey:
    """One usable key: 32 bytes (for audit-sign the SM2 private scalar)."""

    purpose: str
    version: int
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class SigningKey:
    """SM2 pair of the audit sequencer."""

    version: int
    private_d: bytes = field(repr=False)
    public_point: bytes


@dataclass
class _Entry:
    purpose: str
    version: int
    state: str
    wrapped: str = field(repr=False)
    kcv: str
    created_at: str

    def as_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


def _find(entries: list[_Entry], purpose: str, version: int) -> _Entry | None:
    return next((e for e in entries if (e.purpose, e.version) == (purpose, version)), None)


def _demote(entries: list[_Entry], purpose: str) -> None:
    for entry in entries:
        if entry.purpose == purpose and entry.state == PRIMARY:
            entry.state = DECRYPT_ONLY


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode("utf-8")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Exclusive between processes; the lock file stays, removing it would split the waiters."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Keyring:
    """Opened keyring. Build it with create, load or load_or_create."""

    def __init__(self, directory: Path, kek: bytes, keyset_id: bytes, entries: list[_Entry]) -> None:
        self._directory, self._kek = directory, kek
        self._wrap_key = hkdf_sm3(kek, b"regionmart/keyring/wrap/1", 16)
        self._mac_key = hkdf_sm3(kek, b"regionmart/keyring/mac/1", 32)
        self.keyset_id = keyset_id
        self._entries = entries
        self._keys: dict[tuple[str, int], DataKey] = {}

    def __repr__(self) -> str:
        return f"Keyring(keyset_id={self.keyset_id.hex()}, keys={len(self._entries)})"

    def __reduce__(self) -> Any:
        raise TypeError("a keyring must not be pickled")

    @classmethod
    def create(cls, directory: str | Path, passphrase: str | None = None, *,
               kdf_iterations: int = kek_file.DEFAULT_ITERATIONS) -> "Keyring":
        """A new keyring with one primary per purpose; KeyringError when one is already there."""
        path = Path(directory)
        with _locked(path):
            if (path / "keyring.json").exists():
                raise KeyringError("a keyring already exists in this directory")
            return cls._create(path, passphrase, kdf_iterations)

    @classmethod
    def _create(cls, path: Path, passphrase: str | None, kdf_iterations: int) -> "Keyring":
        # A KEK without a keyring is left by a crash between the two writes; nothing uses it yet.
        if (path / "kek").exists():
            kek = kek_file.load(path / "kek", passphrase)
        else:
            kek = kek_file.create(path / "kek", passphrase, kdf_iterations)
        ring = cls(path, kek, secrets.token_bytes(4), [])
        for purpose in PURPOSES:
            ring._add(ring._entries, purpose, PRIMARY)
        ring._save(ring._entries)
        return ring

    @classmethod
    def load(cls, directory: str | Path, passphrase: str | None = None) -> "Keyring":
        """Open and check every key; KeyringError when files are missing, changed or not ours."""
        path = Path(directory)
        if not (path / "keyring.json").exists():
            raise KeyringError("no keyring in this directory")
        ring = cls(path, kek_file.load(path / "kek", passphrase), b"", [])
        ring.reload()
        for entry in ring._entries:
            if entry.state != DESTROYED:
                ring._unwrap(entry)
        return ring

    @classmethod
    def load_or_create(cls, directory: str | Path, passphrase: str | None = None, *,
                       kdf_iterations: int = kek_file.DEFAULT_ITERATIONS) -> "Keyring":
        """Safe when several processes start at once: the lock holder creates, the others load."""
        path = Path(directory)
        with _locked(path):
            if not (path / "keyring.json").exists():
                return cls._create(path, passphrase, kdf_iterations)
        return cls.load(path, passphrase)

    def primary(self, purpose: str) -> DataKey:
        """The key new data is written with."""
        for entry in self._entries:
            if entry.purpose == purpose and entry.state == PRIMARY:
                return self._unwrap(entry)
        raise KeyUnavailable(f"no primary key for {purpose}")

    def key(self, purpose: str, version: int) -> DataKey:
        """A primary or decrypt-only key; an unknown version rereads the file once, since another
        process may have rotated. KeyUnavailable otherwise."""
        entry = _find(self._entries, purpose, version)
        if entry is None:
            self.reload()
            entry = _find(self._entries, purpose, version)
        if entry is None or entry.state not in _USABLE:
            raise KeyUnavailable(f"no usable key {purpose} version {version}")
        return self._unwrap(entry)

    def signing_key(self, version: int | None = None) -> SigningKey:
        """SM2 pair for audit checkpoints; the primary unless a version is named."""
        found = self.primary(AUDIT_SIGN) if version is None else self.key(AUDIT_SIGN, version)
        return SigningKey(found.version, found.key, sm.public_from_private(found.key))

    def verifying_points(self) -> list[bytes]:
        """Public points of every usable audit-sign key, newest first: checkpoints signed before a
        rotation are still verified with the older ones."""
        versions = [e.version for e in self._entries if e.purpose == AUDIT_SIGN and e.state in _USABLE]
        return [self.signing_key(version).public_point for version in sorted(versions, reverse=True)]

    def states(self, purpose: str) -> dict[int, str]:
        """State by version, for the key console; no secrets."""
        return {e.version: e.state for e in self._entries if e.purpose == purpose}

    def rotate(self, purpose: str) -> DataKey:
        """Add a new primary; the old one becomes decrypt-only. Takes the directory lock."""
        if purpose not in PURPOSES:
            raise KeyringError("unknown key purpose")
        with self._changing() as entries:
            _demote(entries, purpose)
            self._add(entries, purpose, PRIMARY)
        return self.primary(purpose)

    def add_pre_active(self, purpose: str) -> int:
        """First phase of a two-phase roll-out: returns the version, to be promoted later."""
        if purpose not in PURPOSES:
            raise KeyringError("unknown key purpose")
        with self._changing() as entries:
            return self._add(entries, purpose, PRE_ACTIVE).version

    def set_state(self, purpose: str, version: int, state: str) -> None:
        """Move one key along its life cycle; promoting demotes the old primary, destroying erases.

        A primary cannot be moved directly: promote another, so that there always is one.
        """
        with self._changing() as entries:
            entry = _find(entries, purpose, version)
            if entry is None:
                raise KeyUnavailable(f"no key {purpose} version {version}")
            if state not in _TRANSITIONS[entry.state]:
                raise KeyringError(f"{purpose} version {version}: {entry.state} cannot become {state}")
            if state == PRIMARY:
                _demote(entries, purpose)
            entry.state = state
            if state == DESTROYED:
                entry.wrapped = ""

    @contextmanager
    def _changing(self) -> Iterator[list[_Entry]]:
        """Lock, reread, let the caller change a copy, write it, and only then use it.

        Readers in other threads never see a moment without a primary, nor a key that is not on disk.
        """
        with _locked(self._directory):
            self.reload()
            entries = [replace(entry) for entry in self._entries]
            yield entries
            self._save(entries)
            self._entries, self._keys = entries, {}

    def _aad(self, purpose: str, version: int) -> bytes:
        return b"regionmart/dek/1|" + self.keyset_id + f"|{purpose}|{version}".encode("ascii")

    def _add(self, entries: list[_Entry], purpose: str, state: str) -> _Entry:
        version = 1 + max((e.version for e in entries if e.purpose == purpose), default=0)
        if version > 0xFFFF:  # two bytes in the field header
            raise KeyringError("key versions are used up")
        key = sm.generate_keypair()[0] if purpose == AUDIT_SIGN else secrets.token_bytes(32)
        wrapped = sm4_gcm_encrypt(self._wrap_key, key, self._aad(purpose, version))
        entry = _Entry(purpose, version, state, base64.b64encode(wrapped).decode("ascii"),
                       hmac_sm3(key, b"kcv")[:4].hex(), datetime.now(UTC).isoformat(timespec="seconds"))
        entries.append(entry)
        return entry

    def _unwrap(self, entry: _Entry) -> DataKey:
        cached = self._keys.get((entry.purpose, entry.version))
        if cached is not None:
            return cached
        try:
            key = sm4_gcm_decrypt(self._wrap_key, base64.b64decode(entry.wrapped, validate=True),
                                  self._aad(entry.purpose, entry.version))
        except (DecryptionFailed, ValueError) as error:
            raise KeyringError(f"key {entry.purpose} version {entry.version} does not unwrap") from error
        if not hmac.compare_digest(hmac_sm3(key, b"kcv")[:4].hex(), entry.kcv):
            raise KeyringError(f"key {entry.purpose} version {entry.version}: check value differs")
        found = DataKey(entry.purpose, entry.version, key)
        self._keys[entry.purpose, entry.version] = found
        return found

    def _save(self, entries: list[_Entry]) -> None:
        body: dict[str, Any] = {"format": 1, "keyset_id": self.keyset_id.hex(),
                                "keys": [entry.as_dict() for entry in entries]}
        body["mac"] = hmac_sm3(self._mac_key, _canonical(body)).hex()
        text = json.dumps(body, indent=1, sort_keys=True) + "\n"
        kek_file.write_atomically(self._directory / "keyring.json", text.encode("utf-8"), 0o600)

    def reload(self) -> None:
        """Read the file again (after another process rotated); KeyringError when it was changed."""
        try:
            body = json.loads((self._directory / "keyring.json").read_bytes())
            mac = body.pop("mac")
            if not hmac.compare_digest(hmac_sm3(self._mac_key, _canonical(body)).hex(), mac):
                raise KeyringError("keyring file was changed or belongs to another KEK")
            if body["format"] != 1:
                raise KeyringError("keyring file has an unknown format")
            entries = [_Entry(**entry) for entry in body["keys"]]
            self.keyset_id = bytes.fromhex(body["keyset_id"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyringError(f"keyring file cannot be read: {type(error).__name__}") from error
        self._entries, self._keys = entries, {}
