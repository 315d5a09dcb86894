"""The conformance suite passes on every engine, can fail, and stays inside its schema."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from dbadapters import conformance
from dbadapters.errors import SchemaMismatch
from tests import engines

# The stand-in answers for MariaDB here: NULLs in unique keys and padded comparison need a Dameng server.
STAND_IN_DIFFERS = {"unique_nulls_distinct", "blank_padded_compare"}


def probed(key: str) -> tuple[Any, str]:
    """Return an adapter and the schema it may be probed in."""
    adapter: Any = engines.open_test_adapter(key, prefix="mall_probe")
    if key == "kingbase":
        engine = adapter.create_engine()
        with engine.begin() as connection:
            connection.execute(text("CREATE SCHEMA mall_probe"))
        engine.dispose()
        return adapter, "MALL_PROBE"
    if key == "dameng":
        return adapter, adapter.database
    return adapter, Path(adapter.url.database).stem


@pytest.mark.parametrize("key", engines.ENGINE_KEYS)
def test_every_check_passes(key: str, all_servers: None) -> None:
    adapter, schema = probed(key)
    report = conformance.run(adapter, schema=schema)
    failed = [c for c in report["checks"] if c["outcome"] == "failed"]
    assert failed == []
    assert report["summary"]["passed"] >= 19
    assert {c["name"] for c in report["checks"] if c["outcome"] == "skipped"} == (
        {"long_value_is_refused", "deadlock_is_reported"} if key == "sqlite" else set()
    )
    differs = {o["flag"] for o in report["observations"] if not o["agrees"]}
    assert differs == (STAND_IN_DIFFERS if key == "dameng" else set())
    outcomes = {s["outcome"] for s in report["statements"]}
    assert {"ok", "UniqueViolation", "NotNullViolation", "CheckViolation", "ForeignKeyViolation"} <= outcomes
    assert ("LockTimeout" in outcomes) == adapter.features.row_locks  # SQLite refuses at BEGIN, which is no statement of the report
    assert all(s["ms"] > 0 for s in report["statements"] if s["outcome"] == "ok")
    assert report["banner"]
    assert report["settings"]


def test_tables_are_gone_afterwards(all_servers: None) -> None:
    adapter, schema = probed("mariadb")
    conformance.run(adapter, schema=schema)
    engine = adapter.create_engine()
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_an_engine_without_guards_fails(monkeypatch: pytest.MonkeyPatch, all_servers: None) -> None:
    adapter, schema = probed("kingbase")
    monkeypatch.setattr(type(adapter), "audit_guard_ddl", lambda _self, _table: [])
    report = conformance.run(adapter, schema=schema)
    assert [c["name"] for c in report["checks"] if c["outcome"] == "failed"] == ["append_only_holds"]
    assert report["summary"]["failed"] == 1


def test_wrong_flag_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    adapter, schema = probed("sqlite")
    monkeypatch.setattr(type(adapter), "features", replace(adapter.features, empty_string_is_null=True))
    report = conformance.run(adapter, schema=schema)
    assert [o["flag"] for o in report["observations"] if not o["agrees"]] == ["empty_string_is_null"]
    assert report["summary"]["differences"] == 1


def test_schema_needs_the_marker() -> None:
    adapter = engines.open_test_adapter("sqlite")
    with pytest.raises(ValueError, match="PROBE"):
        conformance.run(adapter, schema="production")
    assert not Path(adapter.url.database or "").exists()


def test_missing_schema_is_refused_before_any_table(all_servers: None) -> None:
    adapter = engines.open_test_adapter("kingbase")
    with pytest.raises(ValueError, match="NOWHERE_PROBE"):
        conformance.run(adapter, schema="NOWHERE_PROBE")
    engine = adapter.create_engine()
    with engine.connect() as connection, pytest.raises(SchemaMismatch):
        connection.execute(text("SELECT 1 FROM cf_item"))
    engine.dispose()


def test_quoted_schema_name_is_refused() -> None:
    adapter = engines.open_test_adapter("sqlite")
    with pytest.raises(ValueError, match="plain schema name"):
        conformance.run(adapter, schema='probe"; DROP SCHEMA public')


def test_command_line_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, target = f"sqlite:///{tmp_path}/mall_probe.db", tmp_path / "out.json"
    assert conformance.main(["--url", url, "--schema", "mall_probe", "--report", str(target)]) == 0
    assert "'failed': 0" in capsys.readouterr().out
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    assert (tmp_path / "out.sha256").read_text() == f"{digest}  out.json\n"
    assert json.loads(target.read_bytes())["engine"] == "sqlite"
    assert conformance.main(["--url", url, "--schema", "other", "--report", str(target)]) == 2
