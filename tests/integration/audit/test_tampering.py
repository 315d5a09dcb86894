"""What an administrator of the database could do to the log, and how the verifier names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from app.audit import queries, service
from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import runtime
from app.core.tx import transaction
from security import checkpoint as notes
from security.audit_chain import GENESIS, chain, leaf
from tests.integration.audit.test_sealing import seal, write


@pytest.fixture
def ids(log: Any) -> list[int]:
    """Eight sealed events under two checkpoints."""
    first = write(4)
    seal()
    rest = write(4)
    seal()
    report = queries.verify()
    assert report.ok, report.findings
    assert report.checkpoints == 2
    return first + rest


def run(log: Any, *statements: Any) -> None:
    with transaction():
        for statement in statements:
            log.execute(statement.execution_options(synchronize_session=False))
    log.expire_all()


def places() -> list[tuple[str, str]]:
    return [(f.place, f.problem) for f in queries.verify().findings]


def test_one_byte_of_a_payload(log: Any, ids: list[int]) -> None:
    payload = log.get_one(AuditEvent, ids[2]).payload
    run(log, update(AuditEvent).where(AuditEvent.id == ids[2]).values(payload=payload.replace('"n":2', '"n":3')))
    assert places() == [(f"序号 3（事件 {ids[2]}）", "审计事件内容被改动")]


def test_a_search_column_that_hides_an_event(log: Any, ids: list[int]) -> None:
    run(log, update(AuditEvent).where(AuditEvent.id == ids[1]).values(action="order.viewed"))
    assert places() == [(f"序号 2（事件 {ids[1]}）", "审计事件的检索列被改动：action")]


def test_a_deleted_event(log: Any, ids: list[int]) -> None:
    run(log, delete(AuditEvent).where(AuditEvent.id == ids[4]))
    assert places() == [(f"序号 5（事件 {ids[4]}）", "审计事件被删除")]


def test_a_deleted_seal(log: Any, ids: list[int]) -> None:
    run(log, delete(AuditSeal).where(AuditSeal.seq == 6))
    assert places() == [("序号 6", "封存记录被删除")]
    assert queries.verify().unsealed == 1


def test_an_edited_event_with_its_seal_made_to_fit(log: Any, ids: list[int]) -> None:
    payload = log.get_one(AuditEvent, ids[3]).payload.replace('"n":3', '"n":9')
    digest = leaf(payload.encode()).hex()
    run(
        log,
        update(AuditEvent).where(AuditEvent.id == ids[3]).values(payload=payload, leaf=digest),
        update(AuditSeal).where(AuditSeal.seq == 4).values(leaf=digest),
    )
    assert ("序号 4", "哈希链断开：此条或之前的封存记录被改动") in places()


def test_a_whole_chain_rewritten_contradicts_the_signatures(log: Any, ids: list[int]) -> None:
    payload = log.get_one(AuditEvent, ids[0]).payload.replace('"n":0', '"n":7')
    value, statements = GENESIS, [update(AuditEvent).where(AuditEvent.id == ids[0]).values(payload=payload)]
    for seq, event_id in enumerate(ids, 1):
        digest = leaf((payload if seq == 1 else log.get_one(AuditEvent, event_id).payload).encode())
        value = chain(value, digest)
        statements.append(update(AuditSeal).where(AuditSeal.seq == seq).values(leaf=digest.hex(), chain=value.hex()))
    run(log, *statements, update(AuditHead).values(chain=value.hex()))
    assert places() == [("检查点 1", "与现存记录的树根或链值不符"), ("检查点 2", "与现存记录的树根或链值不符")]


def cut(log: Any, seq: int, *more: Any) -> None:
    run(log, delete(AuditSeal).where(AuditSeal.seq > seq), *more)


def test_a_cut_tail(log: Any, ids: list[int]) -> None:
    run(log, delete(AuditEvent).where(AuditEvent.id > ids[5]))
    cut(log, 6, update(AuditHead).values(seq=6))
    assert places() == [("序号 7–8", "日志尾部被截断：检查点 2 起已签到 8 条")]


def test_a_tail_cut_together_with_its_checkpoint_is_seen_in_the_anchor_file(log: Any, ids: list[int]) -> None:
    run(log, delete(AuditEvent).where(AuditEvent.id > ids[3]), delete(AuditCheckpoint).where(AuditCheckpoint.number == 2))
    kept = log.get_one(AuditSeal, 4).chain
    cut(log, 4, update(AuditHead).values(seq=4, chain=kept))
    assert places() == [("序号 5–8", "日志尾部被截断：锚定文件中有检查点 2")]


def test_a_tail_cut_before_it_was_signed_is_seen_in_the_head(log: Any, ids: list[int]) -> None:
    from datetime import timedelta

    from app.core import clock

    late = write(2)
    with clock.travel(timedelta(seconds=10)), transaction():
        assert service.seal_pending() == 2
    run(log, delete(AuditEvent).where(AuditEvent.id.in_(late)))
    cut(log, 8)
    assert places() == [("序号 9–10", "日志尾部被截断：封存头已到 10")]


def test_a_forged_signature(log: Any, ids: list[int]) -> None:
    note = log.get_one(AuditCheckpoint, 2).note
    at = note.rstrip().rindex(" ") + 20
    forged = note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1 :]
    run(log, update(AuditCheckpoint).where(AuditCheckpoint.number == 2).values(note=forged))
    found = places()
    assert ("检查点 2", "SM2 签名不正确") in found or ("检查点 2", "内容格式被改动") in found
    assert ("检查点 2", "与锚定文件中的记录不同") in found


def test_a_checkpoint_whose_size_column_was_edited(log: Any, ids: list[int]) -> None:
    run(log, update(AuditCheckpoint).where(AuditCheckpoint.number == 1).values(size=3))
    assert places() == [("检查点 1", "条数列与签名内容不同")]


def test_a_signed_checkpoint_over_a_shorter_log(log: Any, ids: list[int]) -> None:
    """Whoever holds the key signs the first four again after eight were signed: the sizes run backwards."""
    from security.audit_chain import Checkpoint, Frontier

    leaves = list(log.scalars(select(AuditSeal.leaf).order_by(AuditSeal.seq).limit(4)))
    last, frontier = log.get_one(AuditCheckpoint, 2), Frontier()
    for one in leaves:
        frontier.append(bytes.fromhex(one))
    made = Checkpoint(
        origin="regionmart", size=4, root=frontier.root(), chain_head=bytes.fromhex(log.get_one(AuditSeal, 4).chain),
        at="2026-01-01T00:00:00Z", previous=notes.parse(last.note)[0].digest(),
    )  # fmt: skip
    note = made.sign(runtime.current().keyring.signing_key().private_d)
    with transaction():
        log.add(AuditCheckpoint(number=3, size=4, note=note, signature=note.rstrip().rsplit(" ", 1)[1], frontier="-", at=last.at))
    assert ("检查点 3", "签到 4 条，少于前一检查点") in places()


def test_a_deleted_middle_checkpoint(log: Any, ids: list[int]) -> None:
    write(1)
    seal()
    run(log, delete(AuditCheckpoint).where(AuditCheckpoint.number == 2))
    assert ("检查点 3", "与前一检查点不衔接：检查点被删除或替换") in places()
    assert ("检查点 2", "检查点被删除（锚定文件中仍有）") in places()


def test_a_removed_or_shortened_anchor_file(log: Any, ids: list[int], tmp_path: Path) -> None:
    write(1)
    seal()
    file = tmp_path / "audit" / "anchor.log"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == 3
    file.write_text(lines[0], encoding="utf-8")
    assert places() == [("锚定文件", "缺少检查点 2 至 2：锚定文件被截断或替换")]
    file.unlink()
    assert places() == [("锚定文件", "数据库外的检查点文件缺失")]


@pytest.mark.parametrize("table", ["audit_event", "audit_seal", "audit_checkpoint"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET leaf = leaf", "DELETE FROM {}"])
def test_the_migrated_tables_refuse_change(db: Any, table: str, statement: str) -> None:
    from app.core import clock

    with transaction():
        service.record(service.Actor(realm="system"), "order.noted", "order", 1)
    with clock.travel(__import__("datetime").timedelta(seconds=10)), transaction():
        service.seal_and_sign()
    sql = statement.format(table).replace("leaf = leaf", "note = note") if table == "audit_checkpoint" else statement.format(table)
    with pytest.raises(Exception, match=r"(?i)append|only|只|audit"), transaction():
        db.execute(text(sql))
