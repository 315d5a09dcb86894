"""Writing, sealing and signing the audit log (gmcrypto.md §5)."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import cas, clock, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.ids import NODE_BITS, SEQUENCE_BITS, new_id
from dbadapters.errors import UniqueViolation
from security import checkpoint as notes
from security.audit_chain import GENESIS, Checkpoint, Frontier, canonical_json, chain, leaf

HEAD_ID = 1
SETTLE_S = 2
LATE = 15 * 60 * 1_000 << (NODE_BITS + SEQUENCE_BITS)  # how far back, in ids, a run looks for late commits
ROUNDS = 10
ANCHORS_AT_ONCE = 500  # the rest follows with the next run
MAX_EXACT = 2**53
ORIGIN = "regionmart"


def record(
    actor: Actor, action: str, object_type: str, object_id: int | str, *, result: str = "ok",
    detail: dict[str, Any] | None = None,
) -> int:  # fmt: skip
    """Write one event in the caller's transaction; returns its id. detail: exact JSON values, no personal data.

    The event exists exactly when the change does; a failed write fails the change (fail closed).
    """
    event_id, at = new_id(), clock.now()
    payload = canonical_json(
        {
            "id": str(event_id), "at_us": clock.microseconds(at), "realm": actor.realm, "account_id": str(actor.account_id),
            "actor": actor.name or "-", "merchant_id": str(actor.merchant_id), "action": action, "object_type": object_type,
            "object_id": str(object_id), "result": result, "address": actor.address or "-", "detail": _exact(detail or {}),
        }
    )  # fmt: skip
    sql.add(
        AuditEvent,
        {
            "id": event_id, "at": at, "realm": actor.realm, "account_id": actor.account_id, "actor_name": (actor.name or "-")[:60],
            "merchant_id": actor.merchant_id, "action": action, "object_type": object_type, "object_id": str(object_id)[:64],
            "result": result, "address": actor.address or "-", "payload": payload.decode(), "leaf": leaf(payload).hex(),
        },
    )  # fmt: skip
    return event_id


def _exact(value: Any) -> Any:
    """Write integers that other JSON readers would round (ids of 63 bits) as text."""
    if isinstance(value, dict):
        return {str(key): _exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= MAX_EXACT:
        return str(value)
    return value


def _head() -> AuditHead:
    head = session.get(AuditHead, HEAD_ID)
    if head is None:
        head = AuditHead(id=HEAD_ID, seq=0, chain=GENESIS.hex(), version=0)
        try:
            with session.begin_nested():
                session.add(head)
                session.flush()  # two sequencers may meet here at the very first start
        except UniqueViolation:
            head = session.get_one(AuditHead, HEAD_ID)
    session.refresh(head)
    return head


def seal_pending(limit: int | None = None, *, everything: bool = False) -> int:
    """Give committed events their place: seq and chain value; returns how many were sealed.

    Events younger than two seconds wait, so that a slower transaction with an older id is not overtaken; the order of
    seals is the order of sealing, and every event is found by the absence of its seal. A run looks fifteen minutes behind
    the newest seal, so its cost does not grow with the log; `everything` looks at the whole log (hourly sweep). One
    sequencer wins by CAS on the head. Raises UniqueViolation in the other one.
    """
    batch = limit or runtime.current().settings.audit.batch
    head = _head()
    newest = None if everything else session.scalar(select(AuditSeal.event_id).where(AuditSeal.seq == head.seq))
    sealed = select(AuditSeal.event_id).where(AuditSeal.event_id == AuditEvent.id).exists()
    pending = session.execute(
        select(AuditEvent.id, AuditEvent.leaf)
        .where(AuditEvent.id > (newest or 0) - LATE, ~sealed, AuditEvent.at <= clock.now() - timedelta(seconds=SETTLE_S))
        .order_by(AuditEvent.id)
        .limit(batch)
    ).all()
    if not pending:
        return 0
    seq, value = head.seq, bytes.fromhex(head.chain)
    for event_id, leaf_hex in pending:
        seq += 1
        value = chain(value, bytes.fromhex(leaf_hex))
        session.add(AuditSeal(seq=seq, event_id=event_id, leaf=leaf_hex, chain=value.hex()))
    moved = cas.change(
        AuditHead, HEAD_ID, where={"version": head.version},
        values={"seq": seq, "chain": value.hex(), "version": head.version + 1},
    )  # fmt: skip
    if not moved:
        raise UniqueViolation("another sequencer sealed this batch")
    return len(pending)


def checkpoint(force: bool = False) -> Checkpoint | None:
    """Sign the present head when it grew; where a heartbeat is configured, also after that many idle seconds.

    Returns the checkpoint, None when none is due. Caller holds the transaction.
    """
    head = _head()
    last = session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.number.desc()).limit(1))
    idle_s = runtime.current().settings.audit.checkpoint_interval_s
    grown = last is None or head.seq > last.size
    overdue = idle_s > 0 and last is not None and clock.now() - last.at >= timedelta(seconds=idle_s)
    if not (force or grown or overdue):
        return None
    frontier = load_frontier(last.frontier) if last else Frontier()
    leaves = session.scalars(
        select(AuditSeal.leaf).where(AuditSeal.seq > frontier.size, AuditSeal.seq <= head.seq).order_by(AuditSeal.seq)
    )
    for leaf_hex in leaves:
        frontier.append(bytes.fromhex(leaf_hex))
    at = clock.now()
    made = Checkpoint(
        origin=ORIGIN, size=frontier.size, root=frontier.root(), chain_head=bytes.fromhex(head.chain),
        at=f"{at:%Y-%m-%dT%H:%M:%SZ}", previous=notes.parse(last.note)[0].digest() if last else None,
    )  # fmt: skip
    note = made.sign(runtime.current().keyring.signing_key().private_d)
    session.add(
        AuditCheckpoint(
            number=(last.number if last else 0) + 1, size=made.size, note=note, signature=note.rstrip().rsplit(" ", 1)[1],
            frontier=_dump_frontier(frontier), at=at,
        )
    )  # fmt: skip
    return made


def _dump_frontier(frontier: Frontier) -> str:
    return f"{frontier.size}:" + ",".join(part.hex() for part in frontier.hashes)


def load_frontier(text: str) -> Frontier:
    """Read a frontier stored with a checkpoint."""
    size, _, parts = text.partition(":")
    return Frontier(int(size), [bytes.fromhex(part) for part in parts.split(",") if part])


def anchor_committed() -> int:
    """Append checkpoints committed earlier to the file outside the database; returns how many.

    Runs before new ones are made: a checkpoint whose transaction rolls back must never reach the file. A checkpoint in the
    file but not in the database shows a cut tail.
    """
    folder = runtime.current().home / "audit"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "anchor.log"
    rows = session.scalars(
        select(AuditCheckpoint)
        .where(AuditCheckpoint.number > _last_anchored(file))
        .order_by(AuditCheckpoint.number)
        .limit(ANCHORS_AT_ONCE)
    ).all()
    if not rows:
        return 0
    lines = [canonical_json({"number": r.number, "note": r.note}).decode() + "\n" for r in rows]
    if not _ends_with_line(file):
        lines.insert(0, "\n")  # a write cut by a crash stays visible as one unreadable line
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.writelines(lines)
        handle.flush()
        os.fsync(handle.fileno())
    return len(rows)


def _ends_with_line(file: Path) -> bool:
    if not file.is_file() or file.stat().st_size == 0:
        return True
    with file.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read() == b"\n"


def _last_anchored(file: Path) -> int:
    """Return the number in the newest readable line, 0 without one."""
    if not file.is_file():
        return 0
    with file.open("rb") as handle:
        handle.seek(max(0, file.stat().st_size - 16_384))
        lines = handle.read().splitlines()
    for line in reversed(lines):
        try:
            return int(json.loads(line)["number"])
        except (ValueError, KeyError, TypeError):
            continue
    return 0


def seal_and_sign() -> None:
    """Periodic job: anchor what was committed, seal what is pending, sign when due."""
    anchor_committed()
    batch = runtime.current().settings.audit.batch
    for _ in range(ROUNDS):
        if seal_pending(batch) < batch:
            break
    checkpoint()


def sweep() -> None:
    """Periodic job: seal what a stepped clock or a very long transaction left behind the running window."""
    seal_pending(everything=True)
