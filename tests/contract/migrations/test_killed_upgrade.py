"""`db upgrade` killed between any two of its statements and run again ends where the models say, on every engine."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from app.core import db
from app.migrations import guarded, run
from tests import engines
from tests.contract.migrations.compare import append_only_tables, differences, missing_triggers
from tests.contract.migrations.killing import COMMIT, kill_until_done, upgrade_and_die

ROOT = Path(__file__).resolve().parents[3]
SEED = 20_261
protected: set[str] = set()


@pytest.fixture(scope="module", autouse=True)
def models() -> None:
    """Load every model as the migration environment does, so that processes forked from this one start at once."""
    db.bind(engines.open_test_adapter("sqlite"))
    script = io.StringIO()
    run.offline_sql(script)
    db.unbind()
    protected.update(append_only_tables(script.getvalue()))
    assert protected >= {"audit_event", "audit_seal", "audit_checkpoint"}


@pytest.fixture(autouse=True)
def unbound() -> Iterator[None]:
    """Nothing stays bound for the next test."""
    yield
    db.unbind()


def assert_as_modelled(adapter: Any) -> None:
    """Demand that a database is at the head and has what the models say, no more and no less."""
    engine = engines.reflecting_engine(adapter)
    try:
        assert differences(engine, db.Base.metadata) == []
        assert missing_triggers(adapter, engine, protected) == set()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [run.head_revision()]
            if adapter.key != "dameng":  # the stand-in's columns carry Dameng's byte lengths
                context = MigrationContext.configure(connection, opts=adapter.alembic_opts())
                assert compare_metadata(context, db.Base.metadata) == []
    finally:
        engine.dispose()


@pytest.mark.parametrize("key", engines.ENGINE_KEYS)
def test_killed_between_its_steps(key: str) -> None:
    adapter = engines.open_test_adapter(key)
    deaths = kill_until_done(adapter, seed=None if key == "sqlite" else SEED)
    last = [death.steps[-1] for death in deaths]
    steps = upgrade_steps(key)
    assert COMMIT in last, "a death with the commit still to be made"
    assert len({step for step in last if step.startswith("CREATE INDEX")}) >= 5
    if key == "sqlite":
        assert set(last) >= set(steps), "a death after every single step"
    else:
        assert len(deaths) >= len(steps) // 6
    assert_as_modelled(adapter)


def upgrade_steps(key: str) -> tuple[str, ...]:
    """Return every step of an upgrade nobody disturbs."""
    whole = upgrade_and_die(engines.open_test_adapter(key), step=0)
    assert not whole.killed
    assert whole.steps.count(COMMIT) >= 15
    return whole.steps


@pytest.mark.parametrize("key", ["sqlite", "mariadb", "kingbase"])
def test_the_command_finishes_what_was_killed(key: str, tmp_path: Path) -> None:
    """`regionmart db upgrade` in a process of its own, after a death in the middle, and once more."""
    adapter = engines.open_test_adapter(key)
    assert upgrade_and_die(adapter, step=70).killed
    environment = {
        **os.environ, "REGIONMART_HOME": str(tmp_path), "REGIONMART_ENVIRONMENT": "testing",
        "REGIONMART_DATABASE__URL": adapter.url.render_as_string(hide_password=False),
    }  # fmt: skip
    for _ in range(2):
        argv = [sys.executable, "-m", "app.cli", "db", "upgrade"]
        done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2_000:]
        assert run.head_revision() in done.stdout
    assert_as_modelled(adapter)


@pytest.mark.parametrize("key", ["mariadb", "dameng"])
def test_a_step_without_its_guard_is_found(key: str) -> None:
    """The proof that the test above can fail: CREATE TABLE as Alembic has it stops the second run."""
    adapter = engines.open_test_adapter(key)

    def unguarded() -> None:
        guarded._unless_there = lambda create: create()

    assert upgrade_and_die(adapter, step=3).killed
    with pytest.raises(AssertionError, match="the upgrade failed"):
        upgrade_and_die(adapter, step=0, before=unguarded)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP INDEX ix_core_job__due", "core_job index: missing ('ix_core_job__due', ('status', 'due_at', 'id'))"),
        ("ALTER TABLE core_lease DROP COLUMN owner", "core_lease column: missing ('owner', False)"),
        ("ALTER TABLE core_lease ADD COLUMN spare INTEGER", "core_lease column: surplus ('spare', True)"),
        ("CREATE TABLE stray (id INTEGER)", "table: surplus stray"),
        ("CREATE UNIQUE INDEX uq_stray ON core_lease (owner)", "core_lease unique: surplus ('owner',)"),
    ],
)
def test_the_comparison_sees_damage(damage: str, said: str) -> None:
    adapter = engines.open_test_adapter("sqlite")
    db.bind(adapter)
    run.upgrade()
    with db.engine().begin() as connection:
        connection.exec_driver_sql(damage)
    assert said in differences(db.engine(), db.Base.metadata)


def test_the_comparison_sees_a_missing_guard() -> None:
    adapter = engines.open_test_adapter("sqlite")
    db.bind(adapter)
    run.upgrade()
    with db.engine().begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_seal_no_delete")
    assert missing_triggers(adapter, db.engine(), protected) == {"audit_seal_no_delete"}
