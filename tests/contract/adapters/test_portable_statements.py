"""Upsert, claim, keyset and bulk insert under contention and at their edges, on every engine."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, select, text, update

from dbadapters.conformance_probe import EVENT, ITEM, Probe, row
from dbadapters.errors import DbError, ReadOnly, UniqueViolation
from dbadapters.portable import bulk_insert, claim, keyset, upsert

PLAIN = {"paid": False, "status": "new"}


def retried(work, attempts: int = 20):  # type: ignore[no-untyped-def]
    """Run a unit again while the engine asks for it, as the doors do."""
    for attempt in range(attempts):
        try:
            return work()
        except DbError as error:
            if not error.retryable or attempt == attempts - 1:
                raise
    raise AssertionError("unreachable")


def test_concurrent_upserts_of_one_key_make_one_row(probe: Probe) -> None:
    probe.items(0)

    def work(number: int) -> str:
        def unit() -> str:
            with probe.write() as connection:
                return upsert(connection, ITEM, {"id": 5}, {**PLAIN, "no": "U", "price_fen": number})

        return str(retried(unit))

    with ThreadPoolExecutor(6) as pool:
        outcome = list(pool.map(work, range(12)))
    assert sorted(outcome) == ["inserted"] + ["updated"] * 11
    assert probe.scalar(select(func.count()).select_from(ITEM)) == 1


def test_upsert_reports_another_keys_conflict(probe: Probe) -> None:
    probe.items(1)
    with pytest.raises(UniqueViolation), probe.write() as connection:
        upsert(connection, ITEM, {"id": 5}, {**PLAIN, "no": "N1", "price_fen": 1})
    assert probe.scalar(select(func.count()).select_from(ITEM)) == 1


def test_concurrent_claims_share_all_rows_without_overlap(probe: Probe) -> None:
    ids = probe.items(30)

    def work(owner: str) -> list[int]:
        taken: list[int] = []
        for _ in range(12):

            def unit() -> list[int]:
                with probe.write() as connection:
                    return claim(connection, ITEM, 5, owner)

            taken += retried(unit)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [i for part in pool.map(work, "abcd") for i in part]
    assert sorted(taken) == ids
    assert probe.scalar(select(func.count()).select_from(ITEM).where(ITEM.c.status == "claimed")) == 30


@pytest.mark.parametrize("descending", [False, True])
def test_keyset_walks_every_row_in_order(probe: Probe, descending: bool) -> None:
    ids = probe.items(25)
    chance = random.Random(7)
    prices = {i: chance.choice([100, 200, 300]) for i in ids}
    with probe.write() as connection:
        for i, price in prices.items():
            connection.execute(update(ITEM).where(ITEM.c.id == i).values(price_fen=price))
    columns = [ITEM.c.price_fen, ITEM.c.id]
    order = [c.desc() for c in columns] if descending else columns
    page = select(*columns).order_by(*order).limit(4)
    seen: list[tuple[int, int]] = []
    with probe.engine.connect() as connection:
        rows = connection.execute(page).all()
        while rows:
            seen += [(r[0], r[1]) for r in rows]
            rows = connection.execute(page.where(keyset(columns, seen[-1], descending=descending))).all()
    assert seen == sorted(((p, i) for i, p in prices.items()), reverse=descending)


def test_bulk_insert_counts_rows_and_refuses_whole(probe: Probe) -> None:
    probe.items(0)
    rows = [{"id": i, "no": f"B{i}", "price_fen": i, **PLAIN} for i in range(1, 1_203)]
    with probe.write() as connection:
        assert bulk_insert(connection, ITEM, rows) == 1_202
        assert bulk_insert(connection, ITEM, []) == 0
    with pytest.raises(UniqueViolation), probe.write() as connection:
        bulk_insert(connection, ITEM, [{**rows[0], "id": 9_000, "no": "new"}, rows[1]])
    assert probe.scalar(select(func.count()).select_from(ITEM)) == 1_202


def test_work_goes_on_after_a_savepoint(probe: Probe) -> None:
    ids = probe.items(1)
    with probe.write() as connection:
        for attempt in range(3):
            savepoint = connection.begin_nested()
            with pytest.raises(UniqueViolation):
                connection.execute(row(ids[0], no=f"again{attempt}"))
            savepoint.rollback()
        connection.execute(row(2))
    assert probe.ids(select(ITEM.c.id).order_by(ITEM.c.id)) == [2, ids[0]]


def test_append_only_table(probe: Probe) -> None:
    with probe.write() as connection:
        for statement in probe.adapter.audit_guard_ddl("cf_event"):
            connection.exec_driver_sql(statement)
    with probe.write() as connection:
        connection.execute(insert(EVENT).values(id=1, words="甲"))
    attempts = [update(EVENT).values(words="乙"), EVENT.delete()]
    if probe.adapter.key == "kingbase":
        attempts.append(text("TRUNCATE cf_event"))  # type: ignore[arg-type]
    for attempt in attempts:
        with pytest.raises(ReadOnly, match="append-only table cf_event"), probe.write() as connection:
            connection.execute(attempt)
    assert probe.ids(select(EVENT.c.id)) == [1]
