"""The door, plans, reprs, options and the capability matrix."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, create_engine, select

import dbadapters
from dbadapters import errors, matrix, open_adapter, portable
from dbadapters.base import Features

URLS = {
    "sqlite": "sqlite:////data/mall.db", "mysql": "mysql+pymysql://app:hunter2@h/d",
    "kingbase": "kingbase+ksycopg2://app:hunter2@h:54321/d", "dameng": "dm+dmpython://app:hunter2@h:5236/D",
}  # fmt: skip
SCHEMES = {**{k: [u] for k, u in URLS.items()}, "mysql": [URLS["mysql"], "mariadb+pymysql://app:hunter2@h/d"]}


@pytest.mark.parametrize(("key", "url"), [(k, u) for k, urls in SCHEMES.items() for u in urls])
def test_scheme_opens_its_adapter(key: str, url: str) -> None:
    assert open_adapter(url).key == key


@pytest.mark.parametrize("url", ["oracle://x", "postgresql://x", "mysql+mysqldb://x/d", "sqlite+aiosqlite:///x.db", "dm+dmasync://h/d"])
def test_other_engines_and_drivers_are_refused_in_chinese(url: str) -> None:
    with pytest.raises(errors.Unsupported, match="支持"):
        open_adapter(url)


def test_memory_database_is_refused() -> None:
    with pytest.raises(errors.Unsupported, match="内存"):
        open_adapter("sqlite://").create_engine()


@pytest.mark.parametrize("url", URLS.values(), ids=URLS.keys())
def test_no_secret_in_any_repr(url: str) -> None:
    adapter = open_adapter(url)
    engine = adapter.create_engine()
    shown = [adapter, adapter.backup_plan("/b"), adapter.restore_plan("/b"), engine, engine.url, engine.pool]
    assert "hunter2" not in "".join(f"{x!r}{x!s}" for x in shown)
    assert "hunter2" not in " ".join((*adapter.backup_plan("/b").argv, *adapter.restore_plan("/b").argv))
    engine.dispose()


@pytest.mark.parametrize("key", ["mysql", "kingbase"])
def test_plans_hand_the_password_over_in_the_environment(key: str) -> None:
    adapter = open_adapter(URLS[key])
    assert [v for _, v in adapter.backup_plan("/b").env] == ["hunter2"]
    assert [v for _, v in adapter.restore_plan("/b").env] == ["hunter2"]


@pytest.mark.parametrize("key", URLS)
def test_plans_name_the_artefact(key: str) -> None:
    adapter = open_adapter(URLS[key])
    assert "/backups/one" in " ".join(adapter.backup_plan("/backups/one").argv)
    restore = adapter.restore_plan("/backups/one")
    assert "/backups/one" in " ".join((*restore.argv, restore.stdin))


def test_sqlite_plan_quotes_the_path() -> None:
    assert open_adapter(URLS["sqlite"]).backup_plan("/b/it's").argv[-1] == "VACUUM INTO '/b/it''s'"


def test_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = open_adapter(URLS["kingbase"])
    monkeypatch.setattr(type(adapter), "driver_module", "no_such_driver_module")
    with pytest.raises(errors.DriverMissing, match="pip install ksycopg2"):
        adapter.create_engine()


def test_options_reach_the_driver_in_its_own_units() -> None:
    options: dict[str, Any] = {"lock_timeout_s": 2, "statement_timeout_s": 3, "connect_timeout_s": 4, "pool_size": 7}
    by_key = {k: open_adapter(u, **options).engine_kwargs() for k, u in URLS.items()}
    assert {k: v["pool_size"] for k, v in by_key.items()} == dict.fromkeys(URLS, 7)
    assert "lock_timeout=2000 -c statement_timeout=3000" in by_key["kingbase"]["connect_args"]["options"]
    assert "innodb_lock_wait_timeout=2" in by_key["mysql"]["connect_args"]["init_command"]
    assert by_key["mysql"]["connect_args"]["connect_timeout"] == 4
    assert by_key["dameng"]["connect_args"]["login_timeout"] == 4_000


def test_mysql_tls_is_checked_or_off() -> None:
    checked = open_adapter(URLS["mysql"], tls_ca="/ca.pem").engine_kwargs()["connect_args"]
    assert (checked["ssl_ca"], checked["ssl_verify_cert"], checked["ssl_verify_identity"]) == ("/ca.pem", True, True)
    assert open_adapter(URLS["mysql"]).engine_kwargs()["connect_args"]["ssl_disabled"] is True


def test_driver_is_serialised_on_request_only() -> None:
    locks = []
    for wanted in (False, True):
        engine = open_adapter(URLS["dameng"], serialize_driver=wanted).create_engine()
        locks.append(engine.dialect.driver_lock)  # type: ignore[attr-defined]
        engine.dispose()
    assert not hasattr(locks[0], "acquire")
    assert hasattr(locks[1], "acquire")


@pytest.mark.parametrize("schema", ["a-b", "", "1a", "a b", "x;y", "é", "a" * 64])
def test_schema_names_are_plain(schema: str) -> None:
    with pytest.raises(ValueError, match="plain schema name"):
        open_adapter(URLS["mysql"]).in_schema(schema)


def test_in_schema_leaves_the_original_alone() -> None:
    first = open_adapter(URLS["kingbase"])
    second = first.in_schema("MALL_PROBE", pool_size=2)
    assert first.options == {}
    assert second.options == {"schema": "mall_probe", "pool_size": 2}
    mysql = open_adapter(URLS["mysql"])
    assert (mysql.in_schema("other").url.database, mysql.url.database) == ("other", "d")


def test_matrix_names_every_flag_and_is_the_readmes() -> None:
    text = matrix.render()
    assert all(f"| `{f.name}` |" in text for f in dataclasses.fields(Features))
    assert text.splitlines()[0] == "| flag | sqlite | mysql | kingbase | dameng |"
    assert text in (Path(dbadapters.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_dameng_claims_no_more_than_a_stand_in_shows() -> None:
    proofs = {kind.key: kind.features.proven_by for kind in matrix.adapters()}
    assert proofs == {"sqlite": "server", "mysql": "server", "kingbase": "wire", "dameng": "stand-in"}


def test_the_package_does_not_reach_the_test_tree() -> None:
    for file in Path(dbadapters.__file__).parent.glob("*.py"):
        assert "tests" not in {line.split()[1].split(".")[0] for line in file.read_text(encoding="utf-8").splitlines()
                               if line.startswith(("import ", "from "))}  # fmt: skip
        importlib.import_module(f"dbadapters.{file.stem}" if file.stem != "__init__" else "dbadapters")


T = Table("t", MetaData(), *(Column(n, BigInteger, primary_key=n == "id", autoincrement=False) for n in ("a", "b", "id")))


def test_keyset_is_an_or_chain() -> None:
    clause = portable.keyset([T.c.a, T.c.b, T.c.id], [1, 2, 3])
    assert str(clause) == "t.a > :a_1 OR t.a = :a_2 AND t.b > :b_1 OR t.a = :a_3 AND t.b = :b_2 AND t.id > :id_1"
    assert str(portable.keyset([T.c.id], [3], descending=True)) == "t.id < :id_1"


@pytest.mark.parametrize(("columns", "values"), [([], []), ([T.c.id], []), ([T.c.a, T.c.id], [1])])
def test_keyset_needs_a_value_for_each_column(columns: list[Any], values: list[Any]) -> None:
    with pytest.raises(ValueError, match="one value"):
        portable.keyset(columns, values)


@pytest.mark.parametrize(("key", "values"), [({}, {"a": 1}), ({"id": 1}, {})])
def test_upsert_needs_key_and_values(key: dict[str, int], values: dict[str, int]) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(ValueError, match="upsert"):
        portable.upsert(connection, T, key, values)
    engine.dispose()


@pytest.mark.parametrize(("count", "chunk", "width_limit", "calls"), [(7, 3, 30_000, 3), (6, 3, 30_000, 2), (4, 500, 6, 2)])
def test_bulk_insert_stays_within_both_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, chunk: int, width_limit: int, calls: int
) -> None:
    from sqlalchemy import event

    monkeypatch.setattr(portable, "MAX_BINDS", width_limit)
    engine = open_adapter(f"sqlite:///{tmp_path}/x.db").create_engine()
    sent: list[int] = []
    T.create(engine)

    @event.listens_for(engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, many: bool) -> None:
        if sql.startswith("INSERT"):
            sent.append(len(parameters) if many else 1)

    with engine.begin() as connection:
        portable.bulk_insert(connection, T, [{"a": i, "b": i, "id": i} for i in range(count)], chunk)
        assert len(connection.execute(select(T.c.id)).all()) == count
    assert (len(sent), sum(sent)) == (calls, count)
    engine.dispose()
