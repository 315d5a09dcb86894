"""Signed checkpoints of the audit log: a text note that a person can print and a program can check."""

import base64
import binascii
import re
from dataclasses import dataclass

from security import sm
from security.errors import InvalidEncoding, InvalidKey
from security.symmetric import sm3

_TITLE = "regionmart-audit-checkpoint/1"
_SIGNATURE_MARK = "— sm2 "
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ORIGIN = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True)
class Checkpoint:
    """State after `size` seals. `at` is UTC `YYYY-MM-DDTHH:MM:SSZ`; hashes are 32 bytes.

    `previous` is the hash of the checkpoint before, None for the first; it makes a replayed or a
    dropped one visible.
    """

    origin: str
    size: int
    root: bytes
    chain_head: bytes
    at: str
    previous: bytes | None = None

    def body(self) -> bytes:
        """The exact bytes that are signed and hashed; InvalidEncoding for impossible values."""
        hashes = (self.root, self.chain_head) + ((self.previous,) if self.previous is not None else ())
        if (self.size < 0 or any(len(h) != 32 for h in hashes) or not _TIME.fullmatch(self.at)
                or not _ORIGIN.fullmatch(self.origin)):
            raise InvalidEncoding("checkpoint has an impossible value")
        previous = "-" if self.previous is None else self.previous.hex()
        return (f"{_TITLE}\norigin: {self.origin}\nsize: {self.size}\nroot: {self.root.hex()}\n"
                f"chain: {self.chain_head.hex()}\ntime: {self.at}\nprevious: {previous}\n").encode("ascii")

    def digest(self) -> bytes:
        """SM3 of the body, the `previous` of the next checkpoint."""
        return sm3(self.body())

    def sign(self, private_d: bytes) -> str:
        """The note: body, empty line, signature line with the key id."""
        body = self.body()
        signature = sm.sign(private_d, body)
        key = key_id(sm.public_from_private(private_d))
        return f"{body.decode('ascii')}\n{_SIGNATURE_MARK}{key} {base64.b64encode(signature).decode('ascii')}\n"


def key_id(public_point: bytes) -> str:
    """First 8 bytes of SM3 of the public point, in hex."""
    return sm3(public_point)[:8].hex()


def _parse_body(body: str) -> Checkpoint:
    lines = body.split("\n")
    names = ("origin", "size", "root", "chain", "time", "previous")
    if len(lines) != 8 or lines[0] != _TITLE or lines[7] != "":
        raise InvalidEncoding("not a checkpoint")
    values = {}
    for name, line in zip(names, lines[1:7], strict=True):
        if not line.startswith(f"{name}: "):
            raise InvalidEncoding(f"checkpoint lacks {name}")
        values[name] = line[len(name) + 2:]
    try:
        previous = None if values["previous"] == "-" else bytes.fromhex(values["previous"])
        found = Checkpoint(values["origin"], int(values["size"]), bytes.fromhex(values["root"]),
                           bytes.fromhex(values["chain"]), values["time"], previous)
    except ValueError as error:
        raise InvalidEncoding("checkpoint has a malformed value") from error
    if found.body() != body.encode("utf-8"):  # one spelling only: no +1, no capitals
        raise InvalidEncoding("checkpoint is not canonical")
    return found


def parse(note: str) -> tuple[Checkpoint, str, bytes]:
    """(checkpoint, key id, raw signature) without checking the signature; InvalidEncoding."""
    body, separator, tail = note.partition("\n\n")
    match = re.fullmatch(_SIGNATURE_MARK + r"([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n", tail)
    if not separator or match is None:
        raise InvalidEncoding("checkpoint note has no signature line")
    try:
        signature = base64.b64decode(match.group(2), validate=True)
    except binascii.Error as error:
        raise InvalidEncoding("checkpoint signature is not base64") from error
    if base64.b64encode(signature).decode("ascii") != match.group(2):
        raise InvalidEncoding("checkpoint signature is not canonical base64")
    return _parse_body(body + "\n"), match.group(1), signature


def verify(note: str, public_points: list[bytes]) -> Checkpoint | None:
    """The checkpoint when one of the trusted keys signed it, else None (also for malformed notes)."""
    try:
        found, key, signature = parse(note)
        for point in public_points:
            if key_id(point) == key and sm.verify(point, found.body(), signature):
                return found
    except (InvalidEncoding, InvalidKey):
        return None
    return None
