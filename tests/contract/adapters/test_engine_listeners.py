"""Session settings, transactions, error classes and recovery of the engines adapters make."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert, inspect, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, registry

from dbadapters import open_adapter
from dbadapters.conformance_probe import ITEM, Probe, row
from dbadapters.errors import (
    DbError,
    Disconnected,
    LockTimeout,
    NotNullViolation,
    SchemaMismatch,
    StatementTimeout,
    UniqueViolation,
)
from tests import servers


def only(probe: Probe, *keys: str) -> None:
    """Skip the engines a rule is not about."""
    name = "mariadb" if probe.adapter.key == "mysql" else probe.adapter.key
    if name not in keys:
        pytest.skip(f"not a rule of {name}")


def test_missing_table_is_a_schema_mismatch(probe: Probe) -> None:
    with probe.engine.connect() as connection, pytest.raises(SchemaMismatch) as caught:
        connection.execute(text("SELECT id FROM no_such_table"))
    assert not caught.value.retryable
    assert isinstance(caught.value, SQLAlchemyError)
    assert caught.value.__cause__ is not None


def test_looking_for_a_missing_table_is_no_error(probe: Probe) -> None:
    assert inspect(probe.engine).has_table("cf_item")
    assert not inspect(probe.engine).has_table("no_such_table")


def test_violations_name_their_constraint(probe: Probe) -> None:
    probe.items(1)
    with pytest.raises(UniqueViolation) as caught, probe.write() as connection:
        connection.execute(row(5, no="N1"))
    expected = {"sqlite": "cf_item.no", "mysql": "no", "kingbase": "cf_item_no_key", "dameng": ""}
    assert caught.value.constraint == expected[probe.adapter.key]
    assert caught.value.engine_code


def test_orm_flush_raises_our_class_and_the_session_recovers(probe: Probe) -> None:
    probe.items(1)
    mapped = registry()

    class Item:
        """A mapped row."""

    mapped.map_imperatively(Item, ITEM)
    with Session(probe.engine) as session:
        session.connection(execution_options={"regionmart_write": True})
        for number, no in ((1, "N1"), (2, "N2")):
            item: Any = Item()
            item.id, item.no, item.price_fen = number, no, 1
            session.add(item)
        with pytest.raises(UniqueViolation):
            session.flush()
        session.rollback()
        assert len(session.scalars(select(ITEM.c.id)).all()) == 1
    mapped.dispose()


def test_a_value_refused_in_python_keeps_its_own_error(probe: Probe) -> None:
    with probe.write() as connection, pytest.raises(SQLAlchemyError, match="exceeds 20") as caught:
        connection.execute(row(1, no="x" * 21))
    assert not isinstance(caught.value, DbError)


def test_lock_wait_ends_as_retryable_timeout(probe: Probe) -> None:
    ids = probe.items(1)
    change = update(ITEM).where(ITEM.c.id == ids[0]).values(paid=True)
    with probe.write() as holder:
        holder.execute(change)
        with pytest.raises(LockTimeout) as caught, probe.write() as waiter:
            waiter.execute(change)
    assert caught.value.retryable
    with probe.write() as connection:
        assert connection.execute(change).rowcount == 1


def test_error_without_savepoint_rolls_the_unit_back(probe: Probe) -> None:
    probe.items(0)
    with pytest.raises(NotNullViolation), probe.write() as connection:
        connection.execute(row(1))
        connection.execute(row(2, no=None))
    assert probe.ids(select(ITEM.c.id)) == []


def test_reads_see_committed_rows_only(probe: Probe) -> None:
    probe.items(1)
    with probe.write() as writer:
        writer.execute(row(7))
        assert 7 not in probe.ids(select(ITEM.c.id))
    assert 7 in probe.ids(select(ITEM.c.id))


def test_pool_has_the_size_asked_for(probe: Probe) -> None:
    assert probe.engine.pool.size() == 16  # type: ignore[attr-defined]


def test_health_and_preflight(probe: Probe) -> None:
    health = probe.adapter.health(probe.engine)
    assert health.ok
    assert 0 < health.latency_ms < 10_000
    with probe.engine.connect() as connection:
        findings = probe.adapter.preflight(connection)
    assert [f for f in findings if f.level == "block"] == []
    assert findings


def test_sqlite_session(probe: Probe) -> None:
    only(probe, "sqlite")
    adapter = open_adapter(str(probe.adapter.url))
    engine = adapter.create_engine()
    with engine.connect() as connection:
        got = {p: connection.execute(text(f"PRAGMA {p}")).scalar() for p in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")}
    engine.dispose()
    assert got == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 10_000}


def test_sqlite_takes_the_write_lock_for_write_units_only(probe: Probe) -> None:
    only(probe, "sqlite")
    with probe.engine.connect() as reader:
        reader.execute(select(ITEM.c.id))
        with probe.write() as writer:  # an open read unit is in nobody's way
            reader.execute(select(ITEM.c.id))
            with pytest.raises(LockTimeout), probe.write():
                pass  # BEGIN IMMEDIATE itself waits, before any statement
            writer.execute(text("SELECT 1"))


def test_mariadb_session(probe: Probe) -> None:
    only(probe, "mariadb")
    with probe.engine.connect() as connection:
        got = connection.execute(text("SELECT @@sql_mode, @@tx_isolation, @@time_zone, @@innodb_lock_wait_timeout")).one()
    assert "STRICT_TRANS_TABLES" in got[0]
    assert tuple(got[1:]) == ("READ-COMMITTED", "+00:00", 1)


def test_kingbase_session(probe: Probe) -> None:
    only(probe, "kingbase")
    with probe.engine.connect() as connection:
        got = [connection.execute(text(f"SHOW {s}")).scalar() for s in ("lock_timeout", "timezone", "transaction_isolation")]
    assert got == ["1s", "UTC", "read committed"]
    assert probe.engine.dialect.kb_version == (8, 6, 9, 14)  # type: ignore[attr-defined]


def test_kingbase_statement_timeout(probe: Probe) -> None:
    only(probe, "kingbase")
    engine = open_adapter(str(probe.adapter.url), statement_timeout_s=0.2).create_engine()
    with engine.connect() as connection, pytest.raises(StatementTimeout):
        connection.execute(text("SELECT pg_sleep(5)"))
    engine.dispose()


def kill_other_sessions(key: str, engine: Engine) -> None:
    """End this database's sessions from outside."""
    if key == "kingbase":
        servers.postgres().psql(
            "postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{engine.url.database}'"
        )
        return
    with engine.connect() as connection:
        own = connection.connection.dbapi_connection
        raw = getattr(own, "_raw", own)
        number = raw.thread_id()
    with servers.mariadb().connect() as outside, outside.cursor() as cursor:
        cursor.execute(f"KILL {number}")


def test_a_killed_session_is_disconnected_and_the_pool_recovers(probe: Probe) -> None:
    only(probe, "mariadb", "kingbase", "dameng")
    engine = probe.adapter.create_engine(pool_size=1, max_overflow=0, pool_pre_ping=False)
    with engine.connect() as connection:
        connection.execute(select(ITEM.c.id))
    kill_other_sessions(probe.adapter.key, engine)
    with pytest.raises(Disconnected), engine.connect() as connection:
        connection.execute(select(ITEM.c.id))
    with engine.connect() as connection:
        connection.execute(select(ITEM.c.id))
    engine.dispose()


def test_pre_ping_replaces_a_killed_session_unseen(probe: Probe) -> None:
    only(probe, "mariadb", "kingbase", "dameng")
    engine = probe.adapter.create_engine(pool_size=1, max_overflow=0)
    with engine.connect() as connection:
        connection.execute(select(ITEM.c.id))
    kill_other_sessions(probe.adapter.key, engine)
    with engine.connect() as connection:
        connection.execute(select(ITEM.c.id))
    engine.dispose()


@pytest.mark.parametrize("scheme", ["mysql+pymysql", "kingbase+ksycopg2"])
def test_refused_connection_is_disconnected_and_unhealthy(scheme: str) -> None:
    adapter = open_adapter(f"{scheme}://shop:s3cret@127.0.0.1:{servers.free_port()}/mall")
    engine = adapter.create_engine()
    with pytest.raises(Disconnected) as caught:
        engine.connect()
    assert "s3cret" not in f"{caught.value!r}{engine!r}{adapter!r}"
    health = adapter.health(engine)
    assert (health.ok, health.detail) == (False, "Disconnected")
    engine.dispose()


def test_trailing_blanks_and_empty_strings(probe: Probe) -> None:
    probe.items(0)
    with probe.write() as connection:
        connection.execute(insert(ITEM).values(id=1, no="甲  ", price_fen=1, status="new", owner="", remark="  "))
    with probe.engine.connect() as connection:
        got = connection.execute(select(ITEM.c.no, ITEM.c.owner, ITEM.c.remark)).one()
    assert tuple(got) == ("甲", None, None)
    assert probe.ids(select(ITEM.c.id).where(ITEM.c.no == "甲 ")) == [1]
