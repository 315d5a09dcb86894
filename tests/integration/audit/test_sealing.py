"""Events, seals, checkpoints: the log stands and falls with the transactions that write it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.audit import queries, service
from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import clock, runtime
from app.core.actor import SYSTEM, Actor
from app.core.db import release_session
from app.core.tx import retry_conflicts, transaction
from dbadapters.errors import DbError

LATER = timedelta(seconds=10)


def write(count: int) -> list[int]:
    with transaction():
        return [service.record(SYSTEM, "order.noted", "order", n, detail={"n": n}) for n in range(count)]


def seal() -> None:
    """Let the settling time pass, seal and sign, then anchor as the next run does."""
    with clock.travel(LATER), transaction():
        service.seal_and_sign()
    with clock.travel(LATER), transaction():
        service.anchor_committed()


def count(log: Any, model: Any) -> int:
    return log.scalar(select(func.count()).select_from(model))


def test_payload_is_canonical_and_exact(log: Any) -> None:
    actor = Actor(realm="merchant", account_id=2**60 + 1, name="店主", merchant_id=7, address="10.0.0.8")
    with transaction():
        event_id = service.record(actor, "product.edited", "product", 2**61, detail={"b": 2**60, "a": ["中", True, None]})
    event = log.get_one(AuditEvent, event_id)
    said = json.loads(event.payload)
    assert said["account_id"] == str(2**60 + 1)
    assert said["detail"] == {"a": ["中", True, None], "b": str(2**60)}
    assert said["at_us"] == clock.microseconds(event.at)
    assert event.payload == json.dumps(said, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def test_floats_are_refused(log: Any) -> None:
    with pytest.raises(TypeError), transaction():
        service.record(SYSTEM, "order.noted", "order", 1, detail={"price": 1.5})
    assert count(log, AuditEvent) == 0


def test_a_rolled_back_transaction_leaves_no_event(log: Any) -> None:
    with pytest.raises(LookupError), transaction():
        service.record(SYSTEM, "order.noted", "order", 1)
        log.flush()
        raise LookupError
    assert count(log, AuditEvent) == 0


def test_seal_and_sign(log: Any) -> None:
    write(5)
    with transaction():
        assert service.seal_pending() == 0, "the newest events wait for slower transactions"
    seal()
    report = queries.verify()
    assert report.ok, report.findings
    assert (report.sealed, report.unsealed, report.checkpoints) == (5, 0, 1)
    write(2)
    report = queries.verify()
    assert report.ok
    assert report.unsealed == 2


def test_batches_continue_in_one_run(log: Any) -> None:
    write(9)
    with clock.travel(LATER), transaction():
        assert service.seal_pending(4) == 4
        assert service.seal_pending(4) == 4
        assert service.seal_pending(4) == 1
    seqs = list(log.scalars(select(AuditSeal.seq).order_by(AuditSeal.seq)))
    assert seqs == list(range(1, 10))


def test_a_late_commit_is_still_sealed(log: Any) -> None:
    early, late = write(1)[0], write(1)[0]
    with transaction():
        row = log.get_one(AuditEvent, early)
        kept = {c.name: getattr(row, c.name) for c in AuditEvent.__table__.columns}
        log.delete(row)
    seal()
    assert list(log.scalars(select(AuditSeal.event_id))) == [late]
    with transaction():
        log.add(AuditEvent(**kept))
    seal()
    assert list(log.scalars(select(AuditSeal.event_id).order_by(AuditSeal.seq))) == [late, early]
    assert queries.verify().ok


def test_the_sweep_finds_what_the_window_left_behind(log: Any) -> None:
    ancient, _ = write(1)[0], write(1)
    with transaction():
        row = log.get_one(AuditEvent, ancient)
        kept = {c.name: getattr(row, c.name) for c in AuditEvent.__table__.columns}
        log.delete(row)
    seal()
    with transaction():
        log.add(AuditEvent(**kept | {"id": ancient - 2 * service.LATE}))
    with clock.travel(LATER), transaction():
        assert service.seal_pending() == 0
    with clock.travel(LATER), transaction():
        service.sweep()
    assert count(log, AuditSeal) == 2


def heartbeat(idle_s: int) -> None:
    """Set the heartbeat of this test; the fixture puts the runtime back."""
    current = runtime.current()
    audit = current.settings.audit.model_copy(update={"checkpoint_interval_s": idle_s})
    runtime.install(replace(current, settings=current.settings.model_copy(update={"audit": audit})))


def test_without_a_heartbeat_an_idle_log_is_not_signed_again(log: Any) -> None:
    """The periodic job runs every few seconds; without new events it leaves no checkpoint, however long it goes on."""
    heartbeat(0)
    write(1)
    seal()
    for hours in range(1, 30):
        with clock.travel(timedelta(hours=hours)), transaction():
            service.seal_and_sign()
    assert count(log, AuditCheckpoint) == 1
    write(1)
    for hours in (31, 32):
        with clock.travel(timedelta(hours=hours)), transaction():
            service.seal_and_sign()
    assert count(log, AuditCheckpoint) == 2
    assert queries.verify().ok


def test_the_heartbeat_signs_an_idle_log(log: Any) -> None:
    """A minute by default (gmcrypto.md §5): a log that was cut shows by the checkpoint that is missing."""
    idle_s = runtime.current().settings.audit.checkpoint_interval_s
    assert idle_s == 60
    write(1)
    seal()
    with clock.travel(LATER), transaction():
        assert service.checkpoint() is None, "nothing grew and the interval is not over"
    with clock.travel(LATER + timedelta(seconds=idle_s)), transaction():
        made = service.checkpoint()
    assert made is not None
    assert made.size == 1
    assert made.previous is not None
    assert count(log, AuditCheckpoint) == 2
    assert queries.verify().ok


def test_sequencers_at_once_leave_one_gapless_chain(log: Any) -> None:
    write(60)
    with transaction():
        service._head()
    gate, problems = threading.Barrier(4), []

    def once() -> int:
        with transaction():
            return service.seal_pending(5)

    def sequencer() -> None:
        gate.wait()
        idle = 0
        while idle < 2:
            try:
                idle = idle + 1 if retry_conflicts(once, attempts=20) == 0 else 0
            except DbError as error:
                if type(error).__name__ != "UniqueViolation":  # the loser of a round: the worker's retry
                    problems.append(error)
                    break
        release_session()

    with clock.travel(LATER):
        threads = [threading.Thread(target=sequencer) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not problems
    report = queries.verify()
    assert (report.sealed, report.unsealed) == (60, 0)
    assert report.ok, report.findings
    assert log.get_one(AuditHead, 1, populate_existing=True).seq == 60


def test_checkpoint_of_a_rolled_back_run_never_reaches_the_anchor(log: Any, tmp_path: Any) -> None:
    write(1)
    with pytest.raises(LookupError), clock.travel(LATER), transaction():
        service.seal_and_sign()
        raise LookupError
    assert not (tmp_path / "audit" / "anchor.log").exists()
    seal()
    assert len((tmp_path / "audit" / "anchor.log").read_text().splitlines()) == 1


def test_torn_anchor_line_stays_visible_and_does_not_stop_sealing(log: Any, tmp_path: Any) -> None:
    write(1)
    seal()
    with (tmp_path / "audit" / "anchor.log").open("a") as file:
        file.write('{"number":2,"no')
    write(1)
    seal()
    write(1)
    seal()
    found = queries.verify().findings
    assert [f.problem for f in found] == ["有一行无法读取"]
