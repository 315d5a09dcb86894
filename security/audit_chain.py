"""Tamper-evident audit log: canonical payloads, hash chain, and a verifier that names the place.

gmcrypto section 5. Pure functions over rows; who stores them is somebody else's business. Seals are
numbered from 1 without gaps.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from security import checkpoint as notes
from security.checkpoint import Checkpoint
from security.merkle import Frontier, inclusion_proof, root, verify_inclusion
from security.symmetric import sm3

__all__ = [
    "GENESIS", "Checkpoint", "Event", "Finding", "Frontier", "Seal", "canonical_json", "chain",
    "inclusion_proof", "leaf", "root", "verify_inclusion", "verify_sequence",
]

GENESIS = bytes(32)
_SAFE_INTEGER = 2**53 - 1


def _check_value(value: Any, depth: int = 0) -> None:
    if depth > 32:
        raise ValueError("audit payload is nested too deeply")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        value.encode("utf-8")  # UnicodeEncodeError (a ValueError) for lone surrogates
    elif isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:  # other readers would round it (RFC 8785, I-JSON)
            raise ValueError("audit payload integers are limited to 53 bits; store a string")
    elif isinstance(value, list | tuple):
        for item in value:
            _check_value(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("audit payload keys must be strings")
            _check_value(key, depth + 1)
            _check_value(item, depth + 1)
    else:
        raise TypeError(f"audit payload cannot hold {type(value).__name__}")


def _ordered(value: Any) -> Any:
    """RFC 8785 orders keys by UTF-16 code units, Python by code points; they differ above U+FFFF."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value


def canonical_json(payload: dict[str, Any]) -> bytes:
    """RFC 8785 bytes for strings, integers, booleans, null, lists and dicts.

    TypeError for floats and anything else (money is integer fen), ValueError for integers over 53 bits.
    Store these bytes; never serialise a stored payload again.
    """
    _check_value(payload)
    return json.dumps(_ordered(payload), separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def leaf(payload: bytes) -> bytes:
    """SM3(0x00 || payload), the RFC 6962 leaf hash."""
    return sm3(b"\x00" + payload)


def chain(previous: bytes, leaf_hash: bytes) -> bytes:
    """SM3(0x02 || previous || leaf); the first seal uses GENESIS."""
    return sm3(b"\x02" + previous + leaf_hash)


@dataclass(frozen=True)
class Event:
    """A stored event: its id and the exact payload bytes."""

    event_id: str
    payload: bytes


@dataclass(frozen=True)
class Seal:
    """The sequencer's row for one event."""

    seq: int
    event_id: str
    leaf: bytes
    chain: bytes


@dataclass(frozen=True)
class Finding:
    """One discrepancy. `seq` is the seal number it points at, None when it has no place.

    Codes: event_edited, event_missing, event_duplicate, event_unsealed, seal_gap, seal_duplicate,
    chain_broken, tail_cut, checkpoint_signature, checkpoint_origin, checkpoint_order, checkpoint_root,
    checkpoint_head, anchor_missing.
    """

    code: str
    seq: int | None
    event_id: str | None
    detail: str


class _Verifier:
    """One pass over the seals in order; resynchronises after a finding so that one fault is one line."""

    def __init__(self, events: Iterable[Event], heads: dict[int, list[Checkpoint]]) -> None:
        self.findings: list[Finding] = []
        self.heads = heads
        self.events: dict[str, bytes] = {}
        self.sealed: set[str] = set()
        self.frontier, self.previous, self.last_seq = Frontier(), GENESIS, 0
        self.gapless = True
        for event in events:
            if event.event_id in self.events:
                self.report("event_duplicate", None, event.event_id, "two events carry this id")
            self.events[event.event_id] = event.payload

    def report(self, code: str, seq: int | None, event_id: str | None, detail: str) -> None:
        self.findings.append(Finding(code, seq, event_id, detail))

    def _check_event(self, seal: Seal) -> None:
        if seal.event_id in self.sealed:
            self.report("event_duplicate", seal.seq, seal.event_id, "event is sealed twice")
        self.sealed.add(seal.event_id)
        payload = self.events.get(seal.event_id)
        if payload is None:
            self.report("event_missing", seal.seq, seal.event_id, "sealed event is not stored")
        elif not hmac.compare_digest(leaf(payload), seal.leaf):
            self.report("event_edited", seal.seq, seal.event_id, "payload differs from its seal")

    def take(self, seal: Seal) -> None:
        """Check the next seal; the caller sorts by seq."""
        if seal.seq == self.last_seq:
            self.report("seal_duplicate", seal.seq, seal.event_id, "two seals carry this number")
            return
        if seal.seq != self.last_seq + 1:
            self.report("seal_gap", self.last_seq + 1, None,
                        f"seals {self.last_seq + 1} to {seal.seq - 1} are missing")
            self.gapless = False  # roots over the rest cannot be computed, and the gap explains them
        elif not hmac.compare_digest(chain(self.previous, seal.leaf), seal.chain):
            self.report("chain_broken", seal.seq, seal.event_id, "seal does not follow from the one before")
        self._check_event(seal)
        self.frontier.append(seal.leaf)
        self.previous, self.last_seq = seal.chain, seal.seq
        self.check_heads(seal.seq)

    def check_heads(self, size: int) -> None:
        """Compare the checkpoints of this size with what was computed from the seals."""
        for head in self.heads.get(size, ()):
            if not hmac.compare_digest(head.chain_head, self.previous):
                self.report("checkpoint_head", size, None, "chain head differs from the checkpoint")
            if self.gapless and not hmac.compare_digest(head.root, self.frontier.root()):
                self.report("checkpoint_root", size, None, "tree root differs from the checkpoint")


def _check_checkpoints(texts: Sequence[str], keys: list[bytes], origin: str | None,
                       findings: list[Finding]) -> list[Checkpoint]:
    """Signatures, origin and linkage of the stored checkpoints, in the order given."""
    good: list[Checkpoint] = []
    for number, text in enumerate(texts, 1):
        found = notes.verify(text, keys)
        if found is None:
            findings.append(Finding("checkpoint_signature", None, None,
                                    f"checkpoint {number} is malformed or not signed by a trusted key"))
            continue
        if origin is not None and found.origin != origin:
            findings.append(Finding("checkpoint_origin", found.size, None,
                                    f"checkpoint {number} is from another log"))
            continue
        before = good[-1] if good else None
        if found.previous != (before.digest() if before else None) or (
                before and (found.size < before.size or found.at < before.at)):
            findings.append(Finding("checkpoint_order", found.size, None,
                                    f"checkpoint {number} does not follow the one before"))
        good.append(found)
    return good


def verify_sequence(events: Iterable[Event], seals: Iterable[Seal], checkpoints: Sequence[str], *,
                    public_points: list[bytes], origin: str | None = None, anchors: Sequence[str] = (),
                    expect_all_sealed: bool = False) -> list[Finding]:
    """Check the whole log; an empty list means it is intact.

    `checkpoints` are the stored notes, oldest first; `anchors` are notes kept elsewhere (witness, print,
    WORM): each must be among the stored ones, which is what shows a cut of log and checkpoints together.
    """
    early: list[Finding] = []
    good = _check_checkpoints(checkpoints, public_points, origin, early)
    trusted = list(good)
    known = {head.digest() for head in good}
    for text in anchors:
        anchor = notes.verify(text, public_points)
        if anchor is None:
            early.append(Finding("checkpoint_signature", None, None, "an anchor is not validly signed"))
        elif anchor.digest() not in known:
            early.append(Finding("anchor_missing", anchor.size, None, "anchored checkpoint is not stored"))
            trusted.append(anchor)
    heads: dict[int, list[Checkpoint]] = {}
    for head in trusted:
        heads.setdefault(head.size, []).append(head)
    verifier = _Verifier(events, heads)
    verifier.check_heads(0)
    for seal in sorted(seals, key=lambda item: item.seq):
        verifier.take(seal)
    expected = max(heads, default=0)
    if expected > verifier.last_seq:
        verifier.report("tail_cut", verifier.last_seq + 1, None,
                        f"a checkpoint covers {expected} seals, {verifier.last_seq} are stored")
    if expect_all_sealed:
        for event_id in verifier.events.keys() - verifier.sealed:
            verifier.report("event_unsealed", None, event_id, "event has no seal")
    return early + verifier.findings
