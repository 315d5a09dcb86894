"""The key-encryption key as a 0400 file, plain or sealed by a passphrase.

Sealed form: PBKDF2-HMAC-SM3, SM4-CBC, then HMAC-SM3 over everything before it. Not GCM: GCM does not
commit to its key, so a passphrase guess could be tested against many at once.
"""

import contextlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from security.errors import KeyringError
from security.symmetric import hmac_sm3, pbkdf2_sm3, sm4_cbc

KEK_BYTES = 32
DEFAULT_ITERATIONS = 600_000
FLOOR_ITERATIONS = 10_000
CEILING_ITERATIONS = 10_000_000
_PLAIN = b"GMKEK1P\n"
_SEALED = b"GMKEK1S\n"
_SEALED_BYTES = len(_SEALED) + 4 + 16 + 16 + KEK_BYTES + 32


def write_atomically(path: Path, data: bytes, mode: int) -> None:
    """Replace path in one step, on disk before return, never readable with looser rights than mode."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _passphrase_keys(passphrase: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    material = pbkdf2_sm3(passphrase.encode("utf-8"), salt, iterations, 48)
    return material[:16], material[16:]


def create(path: Path, passphrase: str | None, iterations: int = DEFAULT_ITERATIONS) -> bytes:
    """Make a fresh KEK (32 bytes), store it 0400 and return it; KeyringError for a weak seal."""
    kek = secrets.token_bytes(KEK_BYTES)
    if passphrase is None:
        write_atomically(path, _PLAIN + kek, 0o400)
        return kek
    if not passphrase or not FLOOR_ITERATIONS <= iterations <= CEILING_ITERATIONS:
        raise KeyringError(f"empty passphrase or fewer than {FLOOR_ITERATIONS} iterations")
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    cipher_key, mac_key = _passphrase_keys(passphrase, salt, iterations)
    body = _SEALED + iterations.to_bytes(4, "big") + salt + iv + sm4_cbc(cipher_key, iv, kek)
    write_atomically(path, body + hmac_sm3(mac_key, body), 0o400)
    return kek


def load(path: Path, passphrase: str | None) -> bytes:
    """The KEK; KeyringError for loose file rights, a wrong passphrase or a changed file."""
    try:
        mode, data = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except OSError as error:
        raise KeyringError(f"KEK file cannot be read: {type(error).__name__}") from error
    if mode & 0o077:
        raise KeyringError(f"KEK file rights are {mode:04o}, expected 0400")
    if data.startswith(_PLAIN) and len(data) == len(_PLAIN) + KEK_BYTES:
        if passphrase is not None:
            # Silently ignoring it would hide that somebody replaced the sealed file.
            raise KeyringError("a passphrase was given but the KEK file is not sealed")
        return data[len(_PLAIN):]
    if not data.startswith(_SEALED) or len(data) != _SEALED_BYTES:
        raise KeyringError("KEK file has an unknown format")
    if passphrase is None:
        raise KeyringError("the KEK file is sealed; a passphrase is needed")
    body, mac, offset = data[:-32], data[-32:], len(_SEALED)
    iterations = int.from_bytes(body[offset:offset + 4], "big")
    if not FLOOR_ITERATIONS <= iterations <= CEILING_ITERATIONS:
        raise KeyringError("KEK file has an impossible iteration count")
    salt, iv = body[offset + 4:offset + 20], body[offset + 20:offset + 36]
    cipher_key, mac_key = _passphrase_keys(passphrase, salt, iterations)
    if not hmac.compare_digest(hmac_sm3(mac_key, body), mac):
        raise KeyringError("wrong passphrase or changed KEK file")
    return sm4_cbc(cipher_key, iv, body[offset + 36:], decrypt=True)
