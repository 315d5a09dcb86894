"""`regionmart db upgrade --sql` for Dameng: none of the banned constructs, and the check sees each of them."""

from __future__ import annotations

import io
import re
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from dmSQLAlchemy.dmpython import DMDialect_dmPython
from sqlalchemy.dialects import registry as dialects

from app import registry
from app.core import db
from app.migrations import run
from dbadapters import open_adapter
from dbadapters.dameng_alembic import DamengImpl
from tests.contract.adapters.banned import BANNED, found_in
from tests.contract.adapters.golden_statements import DIALECT

MAX_ROW_BYTES = 7_000
# The exception counts four bytes for each character, as the columns are declared. All but 400 characters of an order are ASCII
# (cipher text, indexes, codes), so a full row takes about 3,400 bytes of the 8,000 such a page holds. A number may only fall.
WIDE = {"orders": 8_112}
FIXED = {"SMALLINT": 2, "INTEGER": 4, "DATE": 3, "CLOB": 64, "BLOB": 64}  # a long text leaves a locator in its row


def offline_script(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what `db upgrade --sql` prints for a Dameng URL; no server is asked."""
    adapter = open_adapter("dm+dmpython://app:x@127.0.0.1:5236/MALL")
    engine = adapter.create_engine()
    monkeypatch.setattr(db, "_bound", (adapter, engine))
    output = io.StringIO()
    try:
        run.offline_sql(output)
    finally:
        engine.dispose()
    return output.getvalue()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> str:
    """The whole offline script."""
    return offline_script(monkeypatch)


def test_the_script_is_whole_and_clean(script: str) -> None:
    assert found_in(script) == []
    registry.domains()
    assert script.count("CREATE TABLE ") == len(db.Base.metadata.tables) + 1
    assert len(re.findall(r"^Running upgrade|^-- Running upgrade", script, re.MULTILINE)) >= 15
    assert script.count("INSERT INTO alembic_version (version_num) VALUES ('0001_core');") == 1
    assert f"'{run.head_revision()}'" in script.rpartition("UPDATE alembic_version")[2]


def test_blocks_end_as_the_vendors_tools_want(script: str) -> None:
    blocks = re.findall(r"^CREATE OR REPLACE TRIGGER .*?^/$", script, re.MULTILINE | re.DOTALL)
    assert len(blocks) == script.count("CREATE OR REPLACE TRIGGER ") >= 6
    assert all(block.endswith("END;\n/") and block.count("\n") == 1 for block in blocks)


@pytest.mark.parametrize("name", sorted(BANNED))
def test_each_construct_is_seen_in_the_script(name: str, script: str) -> None:
    middle = script.index("-- Running upgrade 0002_audit")
    mutated = f"{script[:middle]}{BANNED[name][1]}\n\n{script[middle:]}"
    assert any(hit.startswith(f"{name}: ") for hit in found_in(mutated))


def test_words_inside_values_are_not_constructs() -> None:
    assert found_in("INSERT INTO t (a) VALUES ('BEGIN; it''s RETURNING a::b');") == []


def test_the_vendors_own_dialect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hardening is for: the same migrations through the unchanged dialect."""
    monkeypatch.setitem(dialects.impls, "dm", lambda: DMDialect_dmPython)
    names = {hit.partition(":")[0] for hit in found_in(offline_script(monkeypatch))}
    assert {"RETURNING", "VARCHAR without bytes", "type of another engine"} <= names


def test_alembics_own_implementation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(DamengImpl, "static_output")
    assert "doubled end of a block: END;;" in found_in(offline_script(monkeypatch))


def _bytes(column: Any) -> int:
    """Return the bytes a column may take in its row, long text and pictures apart."""
    match = re.search(r"VARCHAR\((\d+)\)", column.type.compile(dialect=DIALECT))
    return int(match[1]) if match else FIXED.get(column.type.compile(dialect=DIALECT), 8)


@pytest.mark.parametrize("table", [t for _ in [registry.domains()] for t in db.Base.metadata.sorted_tables], ids=lambda t: t.name)
def test_table_fits_damengs_pages_and_has_no_index_twice(table: sa.Table) -> None:
    assert sum(_bytes(c) for c in table.columns) <= WIDE.get(table.name, MAX_ROW_BYTES), "the row is wider than a 16K page takes (-2665)"
    keys = [tuple(c.name for c in k.columns) for k in table.constraints if isinstance(k, sa.UniqueConstraint | sa.PrimaryKeyConstraint)]
    keys += [tuple(c.name for c in i.columns) for i in table.indexes]
    assert [k for k, n in Counter(keys).items() if n > 1] == [], "a second index on the same columns is refused (-3236)"
    assert all(len(str(i.name)) <= 63 for i in table.indexes)
