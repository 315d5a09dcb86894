"""What the real vendor dialect, hardened, writes for Dameng; and everything it must refuse to write."""

from __future__ import annotations

import ast
import inspect
import io
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateIndex, CreateTable

from dbadapters import dameng, dameng_alembic, portable
from dbadapters.conformance_probe import ITEM, LINE
from dbadapters.types import Str
from tests.contract.adapters.banned import found_in
from tests.contract.adapters.golden_statements import BUILDERS, DIALECT, GOLDEN, built, compiled, statements

SQL_CALLS = {"select", "insert", "update", "delete", "text", "and_", "or_", "exists", "case"}
PREFLIGHT = {"banner", "preflight"}
GUARD = re.compile(r"FOR EACH ROW BEGIN RAISE_APPLICATION_ERROR\(.*?\); END;$", re.MULTILINE)
ITEMS, LINES = ITEM.c, LINE.c


@pytest.mark.parametrize("name", sorted(statements()))
def test_golden(name: str) -> None:
    file = GOLDEN / f"{name}.sql"
    text = compiled(statements()[name])
    assert file.read_text(encoding="utf-8") == text
    assert found_in(text) == []


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_golden_of_a_builder(name: str) -> None:
    text = built(name)
    assert (GOLDEN / f"{name}.sql").read_text(encoding="utf-8") == text
    assert found_in(GUARD.sub("FOR EACH ROW", text)) == []


def test_no_golden_file_is_left_over() -> None:
    assert {f.name.removesuffix(".sql") for f in GOLDEN.glob("*.sql")} == {*statements(), *BUILDERS}


def sql_writers(module: ModuleType) -> set[str]:
    """Return the public functions and methods of a module that build or execute SQL, by their names."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            names = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
            if names & SQL_CALLS or node.name in {"audit_guard_ddl"}:
                found.add(node.name)
    return found


def test_every_builder_has_a_golden() -> None:
    """A new function of the database layer that writes SQL for all engines cannot come without its golden."""
    covered = {name.partition(".")[2] for name in BUILDERS if name.startswith("portable.")}
    public = {name for name in vars(portable) if inspect.isfunction(getattr(portable, name)) and not name.startswith("_")}
    own = {name for name in public if getattr(portable, name).__module__ == portable.__name__}
    assert covered == own
    assert own == sql_writers(portable)


def test_every_statement_of_the_adapter_has_a_golden() -> None:
    """Texts of the adapter itself: guard, ping, settings; what is asked at start-up stands in PREFLIGHT."""
    assert sql_writers(dameng) - {"audit_guard_ddl"} == PREFLIGHT
    texts = re.findall(r"\btext\(\s*\"([^\"]+)\"", Path(str(dameng.__file__)).read_text(encoding="utf-8"))
    assert len(texts) == 4
    goldens = (GOLDEN / "dameng.settings_sql.sql").read_text(encoding="utf-8")
    assert {t.removesuffix(" WHERE ROWNUM <= 1") for t in texts} <= {line.rstrip(";") for line in goldens.splitlines()}


def test_the_search_for_builders_sees_a_new_one(tmp_path: Path) -> None:
    module = ModuleType("more")
    module.__file__ = str(tmp_path / "more.py")
    Path(module.__file__).write_text("def newest(table):\n    return select(table)\n\ndef plain():\n    return 1\n", encoding="utf-8")
    assert sql_writers(module) == {"newest"}


def table_of(*columns: Any) -> CreateTable:
    """Return CREATE TABLE of one more table."""
    return CreateTable(sa.Table("t", sa.MetaData(), *columns))


def key(**options: Any) -> Any:
    """Return a plain primary key column."""
    return sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, **options)


REFUSED: dict[str, Any] = {
    "row value less": select(ITEMS.id).where(tuple_(ITEMS.price_fen, ITEMS.id) < tuple_(10, 5)),
    "row value equal": select(ITEMS.id).where(tuple_(ITEMS.price_fen, ITEMS.id) == tuple_(10, 5)),
    "is distinct from": select(ITEMS.id).where(ITEMS.no.is_distinct_from("x")),
    "is true": select(ITEMS.id).where(ITEMS.paid.is_(True)),
    "is not false": select(ITEMS.id).where(ITEMS.paid.is_not(False)),
    "aggregate filter": select(func.count().filter(ITEMS.price_fen > 5)),
    "json operator": select(sa.column("j", sa.JSON)["a"]),
    "insert returning": insert(ITEM).values(id=1).returning(ITEMS.id),
    "update returning": update(ITEM).values(paid=True).returning(ITEMS.id),
    "delete returning": ITEM.delete().returning(ITEMS.id),
    "for update of": select(ITEMS.id).with_for_update(of=ITEM),
    "for share": select(ITEMS.id).with_for_update(read=True),
    "for update with limit": select(ITEMS.id).limit(1).with_for_update(),
    "for update with offset": select(ITEMS.id).offset(1).with_for_update(skip_locked=True),
    "update from": update(ITEM).where(ITEMS.id == LINES.item_id).values(paid=True),
    "delete using": ITEM.delete().where(ITEMS.id == LINES.item_id),
    "lateral": select(ITEMS.id, select(LINES.id).where(LINES.item_id == ITEMS.id).lateral("x").c.id),
    "distinct on": select(ITEMS.id).distinct(ITEMS.status),
    "values table": select(sa.values(sa.column("a", sa.Integer), name="v").data([(1,)])),
    "condition selected": select(ITEMS.price_fen > 5),
    "labelled condition selected": select((ITEMS.price_fen > 5).label("dear")),
    "exists selected": select(sa.exists().where(LINES.item_id == 1)),
    "limit in subquery of in": select(ITEMS.id).where(ITEMS.id.in_(select(LINES.item_id).limit(5))),
    "long text compared": select(ITEMS.id).where(ITEMS.story == "x"),
    "long text in list": select(ITEMS.id).where(ITEMS.story.in_(["x"])),
    "json text compared": select(ITEMS.id).where(ITEMS.attrs == {"a": 1}),
    "on conflict": postgresql.insert(ITEM).values(id=1).on_conflict_do_nothing(),
    "on duplicate key": mysql.insert(ITEM).values(id=1).on_duplicate_key_update(paid=True),
    "text without length": table_of(key(), sa.Column("a", sa.String)),
    "zone-aware column": table_of(key(), sa.Column("a", sa.DateTime(timezone=True))),
    "zone-aware timestamp": table_of(key(), sa.Column("a", sa.TIMESTAMP(timezone=True))),
    "interval": table_of(key(), sa.Column("a", sa.Interval)),
    "array": table_of(key(), sa.Column("a", sa.ARRAY(sa.Integer))),
    "json": table_of(key(), sa.Column("a", sa.JSON)),
    "implicit autoincrement": table_of(sa.Column("id", sa.BigInteger, primary_key=True)),
    "identity": table_of(key(), sa.Column("n", sa.Integer, sa.Identity())),
    "computed": table_of(key(), sa.Column("n", sa.Integer, sa.Computed("id + 1"))),
    "partial index": CreateIndex(sa.Index("ix1", sa.Table("t1", sa.MetaData(), key()).c.id, sqlite_where=sa.text("id > 1"))),
    "partial index pg": CreateIndex(sa.Index("ix2", sa.Table("t2", sa.MetaData(), key()).c.id, postgresql_where=sa.text("id > 1"))),
    "index if not exists": CreateIndex(sa.Index("ix3", sa.Table("t3", sa.MetaData(), key()).c.id), if_not_exists=True),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_refused(what: str) -> None:
    with pytest.raises(CompileError):
        REFUSED[what].compile(dialect=DIALECT)


def test_the_dialect_never_asks_the_driver_for_keys() -> None:
    assert not any(
        getattr(DIALECT, flag)
        for flag in ("insert_returning", "update_returning", "delete_returning", "insert_executemany_returning", "enable_cache")
    )


def test_cut_off_names_the_byte_budget() -> None:
    texts = [compiled(table_of(key(), sa.Column("a", Str(n)))) for n in (1, 900)]
    assert "VARCHAR(4)" in texts[0]
    assert "VARCHAR(3600)" in texts[1]
    assert "VARCHAR(3900)" in compiled(table_of(key(), sa.Column("a", sa.String(2_000))))


def offline(work: Any) -> str:
    """Return the script Alembic writes offline for some operations on dm."""
    output = io.StringIO()
    options = {"as_sql": True, "output_buffer": output, "literal_binds": True}
    context = MigrationContext.configure(dialect_name="dm", opts=options)
    with context.begin_transaction(_per_migration=True):
        work(Operations(context))
    return output.getvalue()


def test_alembic_writes_damengs_forms() -> None:
    assert dameng_alembic.DamengImpl.__dialect__ == "dm"

    def work(op: Operations) -> None:
        op.create_table("ord", key(), sa.Column("st", Str(16), nullable=False))
        op.add_column("ord", sa.Column("remark", Str(30)))
        op.alter_column("ord", "st", type_=Str(32), existing_type=Str(16))
        op.alter_column("ord", "st", nullable=True, existing_type=Str(32))
        op.alter_column("ord", "st", nullable=False, existing_type=Str(32))
        op.alter_column("ord", "st", new_column_name="status", existing_type=Str(32))
        op.alter_column("ord", "status", server_default=sa.text("'new'"), existing_type=Str(32))
        op.alter_column("ord", "status", server_default=None, existing_type=Str(32))
        op.alter_column("ord", "status", comment="state's name", existing_type=Str(32))
        op.create_index("ix_ord__status", "ord", ["status"])
        op.drop_column("ord", "remark")

    script = offline(work)
    for line in (
        "ALTER TABLE ord MODIFY st VARCHAR(128);", "ALTER TABLE ord ALTER COLUMN st SET NULL;",
        "ALTER TABLE ord ALTER COLUMN st SET NOT NULL;", "ALTER TABLE ord RENAME COLUMN st TO status;",
        "ALTER TABLE ord ALTER COLUMN status SET DEFAULT 'new';", "ALTER TABLE ord ALTER COLUMN status DROP DEFAULT;",
        "COMMENT ON COLUMN ord.status IS 'state''s name';", "CREATE INDEX ix_ord__status ON ord (status);",
    ):  # fmt: skip
        assert line in script
    assert found_in(script) == []
