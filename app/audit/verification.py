"""Checking the whole audit log in memory that does not grow with it: seals and checkpoints are read side by side.

Both are walked by keyset, so a log of any length costs one chunk of each; the tree is kept as its frontier, 64 hashes at most.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import clock, runtime
from app.core.db import session
from security import checkpoint as signed
from security.audit_chain import GENESIS, Checkpoint, Frontier, chain, leaf
from security.errors import InvalidEncoding

CHUNK = 2_000
NOTES_CHUNK = 200
ANCHORS = 50
_REPEATED = {
    "realm": "realm", "account_id": "account_id", "actor_name": "actor", "merchant_id": "merchant_id", "action": "action",
    "object_type": "object_type", "object_id": "object_id", "result": "result", "address": "address",
}  # fmt: skip
_CUT = {"actor_name": 60, "object_id": 64}


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written: the place (序号, 检查点) and what is wrong, in Chinese."""

    place: str
    problem: str


@dataclass(frozen=True)
class Verification:
    """Result of a full check."""

    sealed: int
    unsealed: int
    checkpoints: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings


def verify() -> Verification:
    """Recompute the whole log from what is stored and compare it with chain, tree, signatures and anchor file.

    Resynchronises after a finding, so that one fault is one line. Reads head and newest checkpoint before rows: a sequencer
    may run meanwhile.
    """
    head = session.execute(select(AuditHead.seq, AuditHead.chain).where(AuditHead.id == 1)).one_or_none()
    notes, findings = _Notes(), []
    frontier, value, expected, gapless = Frontier(), GENESIS, 1, True
    at_head = value.hex() if head is not None and head.seq == 0 else ""
    notes.reach(0, value.hex(), lambda: Frontier().root().hex())
    for row in _sealed_rows():
        if row.seq != expected:
            findings.append(Finding(_span(expected, row.seq - 1), "封存记录被删除"))
            gapless = False  # roots over the rest cannot be computed, and the gap explains them
        elif chain(value, bytes.fromhex(row.leaf)).hex() != row.chain:
            findings.append(Finding(f"序号 {row.seq}", "哈希链断开：此条或之前的封存记录被改动"))
        _check_row(row, findings)
        expected, value = row.seq + 1, bytes.fromhex(row.chain)
        frontier.append(bytes.fromhex(row.leaf))
        if head is not None and row.seq == head.seq:
            at_head = row.chain
        if row.seq >= notes.due:
            notes.reach(row.seq, row.chain, (lambda: frontier.root().hex()) if gapless else None)
    stored = expected - 1
    findings += notes.finish(stored)
    _check_anchor(notes, stored, findings)
    if not any("尾部" in f.problem for f in findings):
        _check_head(head, at_head, stored, findings)
    sealed = select(AuditSeal.event_id).where(AuditSeal.event_id == AuditEvent.id).exists()
    unsealed = session.scalar(select(func.count()).select_from(AuditEvent).where(~sealed)) or 0
    return Verification(stored, unsealed, notes.count, tuple(findings))


def _sealed_rows() -> Iterator[Any]:
    """Yield every seal in order with its event (payload None when it is gone), in bounded memory."""
    after = 0
    repeated = [getattr(AuditEvent, name) for name in _REPEATED]
    while True:
        rows = session.execute(
            select(
                AuditSeal.seq, AuditSeal.event_id, AuditSeal.leaf, AuditSeal.chain, AuditEvent.payload, AuditEvent.at, *repeated,
            )
            .outerjoin(AuditEvent, AuditEvent.id == AuditSeal.event_id)
            .where(AuditSeal.seq > after)
            .order_by(AuditSeal.seq)
            .limit(CHUNK)
        ).all()  # fmt: skip
        yield from rows
        if len(rows) < CHUNK:
            return
        after = rows[-1].seq


def _stored_notes(newest: int) -> Iterator[Any]:
    """Yield (number, size, note) of the checkpoints up to a number, in order, in bounded memory."""
    after = 0
    while True:
        rows = session.execute(
            select(AuditCheckpoint.number, AuditCheckpoint.size, AuditCheckpoint.note)
            .where(AuditCheckpoint.number > after, AuditCheckpoint.number <= newest)
            .order_by(AuditCheckpoint.number)
            .limit(NOTES_CHUNK)
        ).all()
        yield from rows
        if len(rows) < NOTES_CHUNK:
            return
        after = rows[-1].number


@dataclass
class _Notes:
    """Checkpoints in order beside the seals: each is judged when the walk reaches the size it signs."""

    count: int = 0
    newest: int = 0
    due: int = 0  # size the next checkpoint signs
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.newest = session.scalar(select(func.max(AuditCheckpoint.number))) or 0
        self._points = runtime.current().keyring.verifying_points()
        self._rows = _stored_notes(self.newest)
        self._previous: tuple[int, int, bytes] | None = None  # number, size, digest of the one before
        self._waiting: tuple[Any, Checkpoint] | None = None
        self._cut_to, self._first_cut = 0, 0
        self._next()

    def _next(self) -> None:
        """Take the next checkpoint that can be read; its signature and its link to the one before are judged here."""
        self._waiting = None
        for row in self._rows:
            self.count += 1
            place = f"检查点 {row.number}"
            try:
                note = signed.parse(row.note)[0]
            except InvalidEncoding:
                self.findings.append(Finding(place, "内容格式被改动"))
                self._previous = None
                continue
            if signed.verify(row.note, self._points) is None:
                self.findings.append(Finding(place, "SM2 签名不正确"))
            if self._previous is not None and (note.previous != self._previous[2] or row.number != self._previous[0] + 1):
                self.findings.append(Finding(place, "与前一检查点不衔接：检查点被删除或替换"))
            elif self._previous is not None and note.size < self._previous[1]:
                self.findings.append(Finding(place, f"签到 {note.size} 条，少于前一检查点"))
            if row.size != note.size:
                self.findings.append(Finding(place, "条数列与签名内容不同"))
            self._previous = (row.number, note.size, note.digest())
            self._waiting, self.due = (row, note), note.size
            return

    def reach(self, seq: int, chain_hex: str, root: Callable[[], str] | None) -> None:
        """Compare every checkpoint of size `seq` with chain value and root there; root None where it is unknown.

        A checkpoint of a smaller size lies in a gap of the seals, which is a finding of its own.
        """
        while self._waiting is not None and self.due <= seq:
            row, note = self._waiting
            if note.size == seq and (note.chain_head.hex() != chain_hex or (root is not None and note.root.hex() != root())):
                self.findings.append(Finding(f"检查点 {row.number}", "与现存记录的树根或链值不符"))
            self._next()

    def finish(self, stored: int) -> list[Finding]:
        """Judge the checkpoints beyond the last seal; returns every finding about checkpoints."""
        while self._waiting is not None:
            row, note = self._waiting
            if note.size > stored:
                self._cut_to, self._first_cut = max(self._cut_to, note.size), self._first_cut or row.number
            self._next()
        if self._cut_to:
            problem = f"日志尾部被截断：检查点 {self._first_cut} 起已签到 {self._cut_to} 条"
            self.findings.append(Finding(_span(stored + 1, self._cut_to), problem))
        return self.findings


def _span(first: int, last: int) -> str:
    return f"序号 {first}" if first == last else f"序号 {first}–{last}"


def _check_row(row: Any, findings: list[Finding]) -> None:
    place = f"序号 {row.seq}（事件 {row.event_id}）"
    if row.payload is None:
        findings.append(Finding(place, "审计事件被删除"))
    elif leaf(row.payload.encode()).hex() != row.leaf:
        findings.append(Finding(place, "审计事件内容被改动"))
    elif wrong := _differing(row):
        findings.append(Finding(place, f"审计事件的检索列被改动：{'、'.join(wrong)}"))


def _differing(row: Any) -> list[str]:
    """Return the search columns that do not say what the hashed payload says."""
    said = json.loads(row.payload)
    wrong = [name for name, key in _REPEATED.items() if str(getattr(row, name)) != str(said[key])[: _CUT.get(name)]]
    return wrong + (["at"] if clock.microseconds(row.at) != said["at_us"] else [])


def _check_head(head: Any, at_head: str, stored: int, findings: list[Finding]) -> None:
    if head is None:
        if stored:
            findings.append(Finding("封存头", "封存头记录被删除"))
    elif head.seq > stored:
        findings.append(Finding(_span(stored + 1, head.seq), f"日志尾部被截断：封存头已到 {head.seq}"))
    elif at_head != head.chain:
        findings.append(Finding("封存头", "封存头与现存的封存记录不符"))


def _check_anchor(notes: _Notes, stored: int, findings: list[Finding]) -> None:
    """Compare with the append-only file: it remembers checkpoints that were deleted together with the tail."""
    file = runtime.current().home / "audit" / "anchor.log"
    if not file.is_file():
        if notes.count > 1:  # the first one is anchored by the run after it
            findings.append(Finding("锚定文件", "数据库外的检查点文件缺失"))
        return
    entries = []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in deque(lines, ANCHORS):
            try:
                entry = json.loads(line)
                entries.append((int(entry["number"]), entry["note"], signed.parse(entry["note"])[0]))
            except (ValueError, KeyError, TypeError, InvalidEncoding):
                findings.append(Finding("锚定文件", "有一行无法读取"))
    wanted = [number for number, _, _ in entries]
    stored_notes = select(AuditCheckpoint.number, AuditCheckpoint.note).where(AuditCheckpoint.number.in_(wanted))
    known = dict(session.execute(stored_notes).tuples().all())
    for number, text, note in entries:
        if number in known and known[number] != text:
            findings.append(Finding(f"检查点 {number}", "与锚定文件中的记录不同"))
        elif number not in known and note.size > stored:
            findings.append(Finding(_span(stored + 1, note.size), f"日志尾部被截断：锚定文件中有检查点 {number}"))
        elif number not in known:
            findings.append(Finding(f"检查点 {number}", "检查点被删除（锚定文件中仍有）"))
    last = max(wanted, default=0)
    if last < notes.newest - 1:
        findings.append(Finding("锚定文件", f"缺少检查点 {last + 1} 至 {notes.newest - 1}：锚定文件被截断或替换"))
