"""Verification of a long log: its memory does not grow with the log, and what is wrong deep inside is still named."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import update

from app.audit import queries, service, verification
from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import clock, runtime
from app.core import db as core_db
from app.core.tx import transaction
from security import checkpoint as notes
from security.audit_chain import GENESIS, Checkpoint, Frontier, canonical_json, chain, leaf

EVERY = 25


class Writer:
    """Fills the tables with a log as the sequencer leaves it, faster than it would."""

    def __init__(self) -> None:
        self.frontier, self.value, self.seq, self.number = Frontier(), GENESIS, 0, 0
        self.previous: bytes | None = None
        self.key = runtime.current().keyring.signing_key().private_d
        self.at = clock.now() - timedelta(days=1)

    def more(self, count: int) -> None:
        """Add sealed events, with a signed checkpoint after every EVERY events; head and newest checkpoint are brought up."""
        for _ in range(count // EVERY):
            events, seals = [], []
            for _ in range(EVERY):
                self._one(events, seals)
            with transaction():
                core_db.session.execute(AuditEvent.__table__.insert(), events)
                core_db.session.execute(AuditSeal.__table__.insert(), seals)
                core_db.session.execute(AuditCheckpoint.__table__.insert(), [self._note()])
        with transaction():
            service._head()
            core_db.session.execute(update(AuditHead).values(seq=self.seq, chain=self.value.hex()))

    def _one(self, events: list[Any], seals: list[Any]) -> None:
        self.seq += 1
        said = {
            "id": str(self.seq), "at_us": clock.microseconds(self.at), "realm": "system", "account_id": "0", "actor": "-",
            "merchant_id": "0", "action": "order.noted", "object_type": "order", "object_id": str(self.seq), "result": "ok",
            "address": "-", "detail": {"n": self.seq},
        }  # fmt: skip
        payload = canonical_json(said)
        digest = leaf(payload)
        self.value = chain(self.value, digest)
        self.frontier.append(digest)
        events.append(
            {
                "id": self.seq, "at": self.at, "realm": "system", "account_id": 0, "actor_name": "-", "merchant_id": 0,
                "action": "order.noted", "object_type": "order", "object_id": str(self.seq), "result": "ok", "address": "-",
                "payload": payload.decode(), "leaf": digest.hex(),
            }
        )  # fmt: skip
        seals.append({"seq": self.seq, "event_id": self.seq, "leaf": digest.hex(), "chain": self.value.hex()})

    def _note(self) -> dict[str, Any]:
        self.number += 1
        made = Checkpoint(
            origin=service.ORIGIN, size=self.seq, root=self.frontier.root(), chain_head=self.value,
            at=f"{self.at:%Y-%m-%dT%H:%M:%SZ}", previous=self.previous,
        )  # fmt: skip
        note = made.sign(self.key)
        self.previous = notes.parse(note)[0].digest()
        return {
            "number": self.number, "size": self.seq, "note": note, "signature": note.rstrip().rsplit(" ", 1)[1],
            "frontier": service._dump_frontier(self.frontier), "at": self.at,
        }  # fmt: skip


def peak_kb(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return a call's result and the most memory its Python objects took at once, in kB."""
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1] / 1_024
    finally:
        tracemalloc.stop()


def anchor_everything() -> None:
    """Bring every checkpoint but the newest into the anchor file, run by run."""
    while True:
        with transaction():
            if not service.anchor_committed():
                return


def test_memory_does_not_grow_with_the_log(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "CHUNK", 200)
    monkeypatch.setattr(verification, "NOTES_CHUNK", 5)
    writer = Writer()
    writer.more(800)
    anchor_everything()
    queries.verify()  # fills the caches of statements
    small, before = peak_kb(queries.verify)
    writer.more(4_000)
    anchor_everything()
    big, after = peak_kb(queries.verify)
    assert (small.ok, small.sealed, small.checkpoints) == (True, 800, 32), small.findings
    assert (big.ok, big.sealed, big.checkpoints) == (True, 4_800, 192), big.findings
    assert after < before * 1.25, f"{before:.0f} kB for 800 events, {after:.0f} kB for 4,800"


def test_only_chunks_are_read_and_a_deep_fault_is_named(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "CHUNK", 200)
    monkeypatch.setattr(verification, "NOTES_CHUNK", 5)
    Writer().more(2_000)
    anchor_everything()
    unlimited: list[str] = []

    @sa_event.listens_for(core_db.engine(), "before_cursor_execute")
    def seen(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if re.search(r"FROM audit_(seal|checkpoint)\b", sql) and not re.search(r"LIMIT|FETCH FIRST|max\(|count\(| IN \(", sql):
            unlimited.append(sql)

    assert queries.verify().ok
    assert unlimited == []
    with transaction():
        core_db.session.execute(update(AuditEvent).where(AuditEvent.id == 1_765).values(result="refused"))
    assert [(f.place, f.problem) for f in queries.verify().findings] == [("序号 1765（事件 1765）", "审计事件的检索列被改动：result")]
