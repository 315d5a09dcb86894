"""Reading and verifying the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import clock, runtime
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from security import checkpoint as signed
from security.audit_chain import GENESIS, Frontier, chain, leaf
from security.errors import InvalidEncoding

CHUNK = 2_000
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


def search(
    *, realm: str = "", action: str = "", object_type: str = "", object_id: str = "", result: str = "", account_id: int = 0,
    since: datetime | None = None, until: datetime | None = None, cursor: str = "", size: int = 30,
) -> Page[AuditEvent]:  # fmt: skip
    """Return events newest first; every filter is an equality or a time bound, so indexes serve it."""
    statement = select(AuditEvent)
    equal = {"realm": realm, "action": action, "object_type": object_type, "object_id": object_id, "result": result}
    for name, value in equal.items():
        if value:
            statement = statement.where(getattr(AuditEvent, name) == value)
    if account_id:
        statement = statement.where(AuditEvent.account_id == account_id)
    if since is not None:
        statement = statement.where(AuditEvent.at >= since)
    if until is not None:
        statement = statement.where(AuditEvent.at < until)
    return paginate(statement, [AuditEvent.id], lambda e: [e.id], cursor=cursor, size=size)


def get_event(event_id: int) -> tuple[AuditEvent, AuditSeal | None]:
    """Return an event with its seal. Raises NotFound."""
    event = session.get(AuditEvent, event_id)
    if event is None:
        raise NotFound("audit.event", "审计记录不存在")
    return event, session.scalar(select(AuditSeal).where(AuditSeal.event_id == event_id))


def sealed_count() -> int:
    """Return how many events are sealed, from the head: nothing is counted."""
    return session.scalar(select(AuditHead.seq).where(AuditHead.id == 1)) or 0


def list_checkpoints(limit: int = 10) -> list[AuditCheckpoint]:
    """Return the newest checkpoints."""
    return list(session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.number.desc()).limit(limit)))


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


def verify() -> Verification:
    """Recompute the whole log from what is stored and compare it with chain, tree, signatures and anchor file.

    Resynchronises after a finding, so that one fault is one line. Reads heads before rows: a sequencer may run meanwhile.
    """
    findings: list[Finding] = []
    head = session.get(AuditHead, 1, populate_existing=True)
    notes = list(session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.number)))
    wanted = {c.size for c in notes} | ({head.seq} if head is not None else set())
    frontier, value, expected, gapless = Frontier(), GENESIS, 1, True
    marks: dict[int, tuple[str, str]] = {0: (frontier.root().hex(), value.hex())}
    for row in _sealed_rows():
        if row.seq != expected:
            findings.append(Finding(_span(expected, row.seq - 1), "封存记录被删除"))
            gapless = False  # roots over the rest cannot be computed, and the gap explains them
        elif chain(value, bytes.fromhex(row.leaf)).hex() != row.chain:
            findings.append(Finding(f"序号 {row.seq}", "哈希链断开：此条或之前的封存记录被改动"))
        _check_row(row, findings)
        expected, value = row.seq + 1, bytes.fromhex(row.chain)
        frontier.append(bytes.fromhex(row.leaf))
        if row.seq in wanted:
            marks[row.seq] = (frontier.root().hex() if gapless else "", row.chain)
    stored = expected - 1
    _check_notes(notes, marks, stored, findings)
    _check_anchor(notes, stored, findings)
    if not any("尾部" in f.problem for f in findings):
        _check_head(head, marks, stored, findings)
    sealed = select(AuditSeal.event_id).where(AuditSeal.event_id == AuditEvent.id).exists()
    unsealed = session.scalar(select(func.count()).select_from(AuditEvent).where(~sealed)) or 0
    return Verification(stored, unsealed, len(notes), tuple(findings))


def _span(first: int, last: int) -> str:
    return f"序号 {first}" if first == last else f"序号 {first}–{last}"


def _check_row(row: Any, findings: list[Finding]) -> None:
    place = f"序号 {row.seq}（事件 {row.event_id}）"
    if row.payload is None:
        findings.append(Finding(place, "审计事件被删除"))
    elif leaf(row.payload.encode()).hex() != row.leaf:
        findings.append(Finding(place, "审计事件内容被改动"))
    elif _differing(row):
        findings.append(Finding(place, f"审计事件的检索列被改动：{'、'.join(_differing(row))}"))


def _differing(row: Any) -> list[str]:
    """Return the search columns that do not say what the hashed payload says."""
    said = json.loads(row.payload)
    wrong = [name for name, key in _REPEATED.items() if str(getattr(row, name)) != str(said[key])[: _CUT.get(name)]]
    return wrong + (["at"] if clock.microseconds(row.at) != said["at_us"] else [])


def _check_head(head: AuditHead | None, marks: dict[int, tuple[str, str]], stored: int, findings: list[Finding]) -> None:
    if head is None:
        if stored:
            findings.append(Finding("封存头", "封存头记录被删除"))
    elif head.seq > stored:
        findings.append(Finding(_span(stored + 1, head.seq), f"日志尾部被截断：封存头已到 {head.seq}"))
    elif head.seq not in marks or marks[head.seq][1] != head.chain:
        findings.append(Finding("封存头", "封存头与现存的封存记录不符"))


def _check_notes(
    notes: list[AuditCheckpoint], marks: dict[int, tuple[str, str]], stored: int, findings: list[Finding]
) -> None:
    points = runtime.current().keyring.verifying_points()
    previous, cut_to, first = None, stored, 0
    for row in notes:
        place = f"检查点 {row.number}"
        try:
            note = signed.parse(row.note)[0]
        except InvalidEncoding:
            findings.append(Finding(place, "内容格式被改动"))
            previous = None
            continue
        if signed.verify(row.note, points) is None:
            findings.append(Finding(place, "SM2 签名不正确"))
        if previous is not None and (note.previous != previous[1] or row.number != previous[0] + 1):
            findings.append(Finding(place, "与前一检查点不衔接：检查点被删除或替换"))
        if note.size > stored:
            cut_to, first = max(cut_to, note.size), first or row.number
        elif note.size in marks:
            root, head = marks[note.size]
            if head != note.chain_head.hex() or root not in {"", note.root.hex()}:
                findings.append(Finding(place, "与现存记录的树根或链值不符"))
        previous = (row.number, note.digest())
    if cut_to > stored:
        findings.append(Finding(_span(stored + 1, cut_to), f"日志尾部被截断：检查点 {first} 起已签到 {cut_to} 条"))


def _check_anchor(notes: list[AuditCheckpoint], stored: int, findings: list[Finding]) -> None:
    """Compare with the append-only file: it remembers checkpoints that were deleted together with the tail."""
    file = runtime.current().home / "audit" / "anchor.log"
    if not file.is_file():
        if len(notes) > 1:  # the first one is anchored by the run after it
            findings.append(Finding("锚定文件", "数据库外的检查点文件缺失"))
        return
    known = {row.number: row.note for row in notes}
    last = 0
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines()[-ANCHORS:]:
        try:
            entry = json.loads(line)
            note, number = signed.parse(entry["note"])[0], int(entry["number"])
        except (ValueError, KeyError, TypeError, InvalidEncoding):
            findings.append(Finding("锚定文件", "有一行无法读取"))
            continue
        last = max(last, number)
        if number in known and known[number] != entry["note"]:
            findings.append(Finding(f"检查点 {number}", "与锚定文件中的记录不同"))
        elif number not in known and note.size > stored:
            findings.append(Finding(_span(stored + 1, note.size), f"日志尾部被截断：锚定文件中有检查点 {number}"))
        elif number not in known:
            findings.append(Finding(f"检查点 {number}", "检查点被删除（锚定文件中仍有）"))
    if notes and last < notes[-1].number - 1:
        findings.append(Finding("锚定文件", f"缺少检查点 {last + 1} 至 {notes[-1].number - 1}：锚定文件被截断或替换"))
