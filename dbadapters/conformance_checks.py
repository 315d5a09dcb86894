"""What a database must do for this product, one function a rule; `conformance` runs them and keeps the record.

A check raises CheckFailed, or Skipped where the engine has no such thing. An observation returns what the server
does where several answers are acceptable, to be compared with the adapter's Features.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func, insert, select, text, update

from dbadapters import portable
from dbadapters.conformance_probe import BASE_ID, EVENT, GONE, ITEM, LINE, SPARSE, Probe, Skipped, expect, row
from dbadapters.errors import (
    CheckViolation,
    DataTooLong,
    DbError,
    Deadlock,
    ForeignKeyViolation,
    LockTimeout,
    NotNullViolation,
    ReadOnly,
    UniqueViolation,
)

DEADLOCK_WAIT_S = 20


def types_survive(probe: Probe) -> None:
    """Every portable type comes back as it went in."""
    probe.items(0)
    sent = {
        "no": "类型", "price_fen": 2**62 + 1, "paid": True, "attrs": {"键": [1, None, True, "é"]}, "remark": "中文😀",
        "made_at": datetime(2024, 2, 29, 23, 59, 59, 123_456, tzinfo=UTC), "made_on": date(2024, 2, 29),
        "rate": Decimal("123456.654321"), "picture": bytes(range(256)), "story": "长文",
    }  # fmt: skip
    with probe.write() as connection:
        connection.execute(row(BASE_ID + 1, **sent))
    with probe.engine.connect() as connection:
        got = connection.execute(select(ITEM)).mappings().one()
    wrong = {name: got[name] for name, value in sent.items() if (type(got[name]), got[name]) != (type(value), value)}
    expect(not wrong and got["id"] == BASE_ID + 1, f"读回不同：{wrong}")


def long_text_survives(probe: Probe) -> None:
    """200,000 characters (600 kB) come back byte for byte."""
    probe.items(0)
    story = "区域电商" * 50_000
    with probe.write() as connection:
        connection.execute(row(1, story=story))
    expect(probe.scalar(select(ITEM.c.story)) == story, "长文本读回不同")


def bulk_insert_counts(probe: Probe) -> None:
    """1,200 rows by executemany in chunks."""
    probe.items(1_200)
    expect(probe.scalar(select(func.count()).select_from(ITEM)) == 1_200, "行数不对")


def rowcount_counts_matches(probe: Probe) -> None:
    """Rowcount is the number of rows matched, changed or not: guarded updates rest on it."""
    probe.items(5)
    with probe.write() as connection:
        same = connection.execute(update(ITEM).where(ITEM.c.price_fen <= 300).values(paid=False)).rowcount
        none = connection.execute(update(ITEM).where(ITEM.c.id == 1).values(paid=True)).rowcount
    expect((same, none) == (3, 0), f"rowcount 为 {same}、{none}，应为 3、0")


def sums_are_exact(probe: Probe) -> None:
    """The sum of BIGINT fen is exact."""
    probe.items(0)
    with probe.write() as connection:
        for i in range(3):
            connection.execute(row(i + 1, price_fen=2**60 + 1))
    total = probe.scalar(select(func.sum(ITEM.c.price_fen)))
    expect(int(total) == 3 * (2**60 + 1), f"合计为 {total}")


def text_is_compared_exactly(probe: Probe) -> None:
    """Case, accent and width tell keys apart."""
    probe.items(0)
    with probe.write() as connection:
        for i, no in enumerate(("a", "A", "á", "\uff41", "ß", "ss")):
            connection.execute(row(i + 1, no=no))
    expect(probe.ids(select(ITEM.c.id).where(ITEM.c.no == "A")) == [2], "大小写或声调未区分")


def unique_is_named(probe: Probe) -> None:
    """A duplicate key raises UniqueViolation."""
    probe.items(2)
    probe.refused(UniqueViolation, row(1, no="N1"))
    probe.refused(UniqueViolation, row(BASE_ID + 1, no="other"))


def null_is_refused(probe: Probe) -> None:
    """NULL, given or left out, raises NotNullViolation; so does '' through Str."""
    probe.items(0)
    probe.refused(NotNullViolation, row(1, no=None))
    probe.refused(NotNullViolation, insert(ITEM).values(id=1, no="x", paid=False, status="new"))
    probe.refused(NotNullViolation, row(1, no=""))
    probe.refused(NotNullViolation, row(1, no="   "))


def check_is_enforced(probe: Probe) -> None:
    """A CHECK constraint raises CheckViolation."""
    probe.items(0)
    probe.refused(CheckViolation, row(1, price_fen=-1))


def foreign_key_is_enforced(probe: Probe) -> None:
    """Missing parents and parents with children raise ForeignKeyViolation."""
    ids = probe.items(1)
    probe.refused(ForeignKeyViolation, insert(LINE).values(id=1, item_id=77))
    with probe.write() as connection:
        connection.execute(insert(LINE).values(id=1, item_id=ids[0]))
    probe.refused(ForeignKeyViolation, ITEM.delete().where(ITEM.c.id == ids[0]))


def long_value_is_refused(probe: Probe) -> None:
    """Text beyond the column raises DataTooLong, never a cut value."""
    if probe.adapter.key == "sqlite":
        raise Skipped("SQLite 不检查长度，由 Str 类型在 Python 中拒绝")
    probe.items(0)
    probe.refused(DataTooLong, row(1, no=sa.literal("x" * 100, sa.String(200))))


def upsert_both_ways(probe: Probe) -> None:
    """The portable upsert inserts, then updates."""
    probe.items(0)
    with probe.write() as connection:
        values = {"no": "U", "price_fen": 1, "paid": False, "status": "x"}
        outcome = [portable.upsert(connection, ITEM, {"id": 5}, {**values, "price_fen": n}) for n in (1, 2)]
    expect(outcome == ["inserted", "updated"], f"结果为 {outcome}")
    expect(probe.scalar(select(ITEM.c.price_fen)) == 2, "第二次未更新")


def claims_are_disjoint(probe: Probe) -> None:
    """Two claimants never take the same row."""
    ids = probe.items(7)
    with probe.write() as connection:
        first = portable.claim(connection, ITEM, 3, "a")
    with probe.write() as connection:
        second = portable.claim(connection, ITEM, 10, "b")
    expect(first == ids[:3] and second == ids[3:], f"{first} / {second}")


def keyset_pages(probe: Probe) -> None:
    """Keyset pages in both directions meet every row once, equal sort values included."""
    ids = probe.items(7)
    with probe.write() as connection:
        connection.execute(update(ITEM).values(price_fen=100))
    columns = [ITEM.c.price_fen, ITEM.c.id]
    forward = select(ITEM.c.id).where(portable.keyset(columns, [100, ids[2]])).order_by(*columns).limit(2)
    expect(probe.ids(forward) == ids[3:5], "向后翻页不对")
    back = portable.keyset(columns, [100, ids[2]], descending=True)
    backward = select(ITEM.c.id).where(back).order_by(*(c.desc() for c in columns)).limit(5)
    expect(probe.ids(backward) == [ids[1], ids[0]], "向前翻页不对")


def offset_pages(probe: Probe) -> None:
    """OFFSET with a limit."""
    ids = probe.items(7)
    expect(probe.ids(select(ITEM.c.id).order_by(ITEM.c.id).limit(2).offset(3)) == ids[3:5], "OFFSET 不对")


def long_in_lists(probe: Probe) -> None:
    """500 items in an IN list."""
    ids = probe.items(510)
    expect(len(probe.ids(select(ITEM.c.id).where(ITEM.c.id.in_(ids[:500])))) == 500, "IN 列表不对")


def rollback_undoes(probe: Probe) -> None:
    """A rolled back write leaves nothing."""
    probe.items(1)
    with probe.engine.connect().execution_options(regionmart_write=True) as connection:
        connection.execute(row(1))
        connection.rollback()
    expect(probe.scalar(select(func.count()).select_from(ITEM)) == 1, "回滚后仍有数据")


def savepoint_survives_an_error(probe: Probe) -> None:
    """After a refused INSERT the transaction goes on from its savepoint."""
    ids = probe.items(1)
    with probe.write() as connection:
        savepoint = connection.begin_nested()
        try:
            connection.execute(row(ids[0]))
        except UniqueViolation:
            savepoint.rollback()
        connection.execute(row(9))
    expect(probe.scalar(select(func.count()).select_from(ITEM)) == 2, "保存点之后的写入丢失")


def held_lock_is_reported(probe: Probe) -> None:
    """A row another transaction holds raises LockTimeout (NOWAIT, so that no run hangs)."""
    ids = probe.items(1)
    if not probe.adapter.features.row_locks:
        with probe.write() as holder:
            holder.execute(update(ITEM).values(paid=True))
            probe.refused(LockTimeout, update(ITEM).values(paid=False))
        return
    mine = select(ITEM.c.id).where(ITEM.c.id == ids[0])
    with probe.write() as holder:
        holder.execute(mine.with_for_update())
        probe.refused(LockTimeout, mine.with_for_update(nowait=True))


def deadlock_is_reported(probe: Probe) -> None:
    """Of two transactions that wait for each other one ends with Deadlock; the other commits."""
    if not probe.adapter.features.row_locks:
        raise Skipped("没有行锁：写事务互斥，不会互等")
    ids, barrier = probe.items(2), threading.Barrier(2, timeout=DEADLOCK_WAIT_S)
    outcome: list[str] = []

    def cross(order: list[int]) -> None:
        try:
            with probe.write() as connection:
                connection.execute(update(ITEM).where(ITEM.c.id == order[0]).values(paid=True))
                barrier.wait()
                connection.execute(update(ITEM).where(ITEM.c.id == order[1]).values(paid=True))
            outcome.append("committed")
        except (DbError, threading.BrokenBarrierError) as error:
            outcome.append(type(error).__name__)

    threads = [threading.Thread(target=cross, args=(order,), daemon=True) for order in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLOCK_WAIT_S)
    expect(sorted(outcome) == [Deadlock.__name__, "committed"], f"结果为 {outcome}")


def append_only_holds(probe: Probe) -> None:
    """The guard's triggers let INSERT through and refuse UPDATE and DELETE; they can be installed twice."""
    for _ in range(2):
        with probe.write() as connection:
            for statement in probe.adapter.audit_guard_ddl(EVENT.name):
                connection.exec_driver_sql(statement)
    with probe.write() as connection:
        connection.execute(insert(EVENT).values(id=1, words="甲"))
    probe.refused(ReadOnly, update(EVENT).values(words="乙"))
    probe.refused(ReadOnly, EVENT.delete())
    if probe.adapter.key == "kingbase":
        probe.refused(ReadOnly, text("TRUNCATE TABLE cf_event"))
    expect(probe.scalar(select(EVENT.c.words)) == "甲", "行被改动")


def _accepted(probe: Probe, *statements: Any) -> bool:
    """Tell whether all statements of one unit are accepted; the unit is rolled back. Other errors than NULL and key rise."""
    with probe.engine.connect().execution_options(regionmart_write=True) as connection:
        try:
            for statement in statements:
                connection.execute(statement)
        except (NotNullViolation, UniqueViolation):
            return False
        finally:
            connection.rollback()
    return True


def empty_string_is_null(probe: Probe) -> bool:
    """Is '' refused by a NOT NULL column?"""
    return not _accepted(probe, row(99, no=sa.literal("", sa.String(20))))


def unique_nulls_distinct(probe: Probe) -> bool:
    """May (1, NULL) stand twice in a composite key, and NULL twice in a single one?"""
    pair = _accepted(probe, *(insert(SPARSE).values(id=i, code=f"c{i}", part=1, side=None) for i in (1, 2)))
    single = _accepted(probe, *(insert(SPARSE).values(id=i, code=None, part=i, side=1) for i in (1, 2)))
    return pair and single


def blank_padded_compare(probe: Probe) -> bool:
    """Does 'a' collide with 'a '?"""
    return not _accepted(probe, *(row(i, no=sa.literal(no, sa.String(20))) for i, no in ((91, "a"), (92, "a "))))


def transactional_ddl(probe: Probe) -> bool:
    """Does ROLLBACK undo CREATE TABLE?"""
    with probe.engine.connect().execution_options(regionmart_write=True) as connection:
        connection.execute(sa.schema.CreateTable(GONE))
        connection.rollback()
    try:
        with probe.write() as connection:
            connection.execute(sa.schema.DropTable(GONE))
    except DbError:
        return True
    return False


def skip_locked(probe: Probe) -> bool:
    """Does SKIP LOCKED leave out a held row?"""
    if not probe.adapter.features.row_locks:
        return False  # the dialect drops FOR UPDATE: there is nothing to ask the server
    ids = probe.items(2)
    with probe.write() as holder:
        holder.execute(select(ITEM.c.id).where(ITEM.c.id == ids[0]).with_for_update())
        with probe.write() as other:
            free = list(other.execute(select(ITEM.c.id).order_by(ITEM.c.id).with_for_update(skip_locked=True)).scalars())
    return free == ids[1:]


CHECKS: tuple[tuple[str, Callable[[Probe], None]], ...] = (
    ("类型往返", types_survive), ("长文本往返", long_text_survives), ("批量写入", bulk_insert_counts),
    ("更新行数", rowcount_counts_matches), ("金额合计精确", sums_are_exact), ("文本精确比较", text_is_compared_exactly),
    ("唯一约束", unique_is_named), ("非空约束", null_is_refused), ("检查约束", check_is_enforced),
    ("外键约束", foreign_key_is_enforced), ("超长拒绝", long_value_is_refused), ("写入或更新", upsert_both_ways),
    ("领取任务", claims_are_disjoint), ("键集翻页", keyset_pages), ("偏移翻页", offset_pages), ("长 IN 列表", long_in_lists),
    ("回滚", rollback_undoes), ("出错后保存点", savepoint_survives_an_error), ("锁等待", held_lock_is_reported),
    ("死锁", deadlock_is_reported), ("只增表", append_only_holds),
)  # fmt: skip
OBSERVATIONS: tuple[tuple[str, Callable[[Probe], bool]], ...] = tuple(
    (check.__name__, check)
    for check in (empty_string_is_null, unique_nulls_distinct, blank_padded_compare, transactional_ddl, skip_locked)
)
