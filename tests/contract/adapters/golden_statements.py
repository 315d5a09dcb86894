"""Every statement builder of the database layer and representative statements, as the hardened Dameng dialect writes them.

`python tests/contract/adapters/golden_statements.py` rewrites golden/*.sql after a wanted change; read the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dmPython
import sqlalchemy as sa
from sqlalchemy import case, func, insert, select, update
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from dbadapters import open_adapter, portable
from dbadapters.conformance_probe import ITEM, LINE
from dbadapters.dameng_dialect import HardenedDameng
from dbadapters.errors import UniqueViolation
from dbadapters.portable import keyset

GOLDEN = Path(__file__).parent / "golden"
# The module must be given: without it the vendor's dialect writes named binds instead of question marks.
DIALECT = HardenedDameng(dbapi=dmPython)
RESERVED = sa.Table("comment", sa.MetaData(), sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
                    sa.Column("year", sa.Integer, nullable=False), sa.Column("level", sa.Integer, nullable=False))  # fmt: skip


def statements() -> dict[str, Any]:
    """Return the statements by file name."""
    item, line = ITEM.c, LINE.c
    own = ITEM.to_metadata(sa.MetaData())  # an index joins its table for good: not the shared one
    totals = select(line.item_id, func.count().label("lines")).group_by(line.item_id).cte("totals")
    paid = func.sum(case((item.paid == True, item.price_fen), else_=0))  # noqa: E712 - never IS TRUE
    ranked = func.row_number().over(partition_by=item.status, order_by=(item.price_fen.desc(), item.id))
    columns = [item.price_fen, item.id]
    return {
        "create_table": CreateTable(ITEM),
        "create_table_foreign_key": CreateTable(LINE),
        "create_table_reserved_names": CreateTable(RESERVED),
        "create_index": CreateIndex(sa.Index("ix_cf_item__status", own.c.status, own.c.id)),
        "drop_table": DropTable(LINE),
        "insert": insert(ITEM).values(id=1, no="N", price_fen=1, paid=False, status="new"),
        "update_guarded": update(ITEM).where(item.id == 1, item.price_fen >= 5).values(price_fen=item.price_fen - 5),
        "delete": ITEM.delete().where(item.id == 1),
        "select_page_keyset": select(item.id, item.no).where(keyset(columns, [100, 7])).order_by(*columns).limit(20),
        "select_page_keyset_back": select(item.id).where(keyset(columns, [100, 7], descending=True))
        .order_by(*(c.desc() for c in columns)).limit(20),
        "select_page_offset": select(item.id).order_by(item.id).limit(20).offset(40),
        "select_for_update": select(item.id).where(item.id.in_([1, 2])).order_by(item.id).with_for_update(),
        "select_for_update_nowait": select(item.id).where(item.id == 1).with_for_update(nowait=True),
        "select_for_update_skip_locked": select(item.id).where(item.status == "new").with_for_update(skip_locked=True),
        "select_join": select(item.no, func.count(line.id)).join(LINE, line.item_id == item.id, isouter=True)
        .group_by(item.no).having(func.count(line.id) > 1).order_by(item.no),
        "select_cte": select(item.no, totals.c.lines).join(totals, totals.c.item_id == item.id).order_by(item.id),
        "select_case_sum": select(paid, func.count(sa.distinct(item.status))),
        "select_window": select(item.id, ranked.label("place")).order_by(item.id),
        "select_exists": select(item.id).where(sa.exists().where(line.item_id == item.id)),
        "select_like_escaped": select(item.id).where(item.no.startswith("5%", autoescape=True)),
        "select_union": select(item.id).where(item.paid == True).union_all(select(line.item_id)).order_by("id"),  # noqa: E712
        "select_in_subquery": select(item.id).where(item.id.in_(select(line.item_id))),
        "select_reserved_names": select(RESERVED.c.year, RESERVED.c.level),
    }  # fmt: skip


class Recording:
    """A connection that keeps what is executed; answers with the row counts it was given, then with one row."""

    dialect = DIALECT

    def __init__(self, *answers: int | type[Exception]) -> None:
        self.kept: list[Any] = []
        self._answers = list(answers)
        self.rowcount = 1

    def execute(self, statement: Any, values: Any = None) -> Recording:
        """Keep a statement; for several rows as the driver gets it, once."""
        self.kept.append(statement.values(values[0]) if values else statement)
        answer = self._answers.pop(0) if self._answers else 1
        if not isinstance(answer, int):
            raise answer("taken")
        self.rowcount = answer
        return self

    def scalars(self) -> list[int]:
        """Two ids."""
        return [7, 8]

    def begin_nested(self) -> Recording:
        """Open a savepoint; its own statements are the dialect's."""
        return self

    def commit(self) -> None:
        """End the savepoint."""

    rollback = commit


def _upsert() -> list[Any]:
    """Nothing to update, another writer was faster, then updated: the whole loop."""
    made = Recording(0, UniqueViolation, 1)
    assert portable.upsert(made, ITEM, {"id": 1}, {"price_fen": 5}) == "updated"  # type: ignore[arg-type]
    return made.kept


def _bulk_insert() -> list[Any]:
    made = Recording()
    rows = [{"id": i, "no": f"N{i}", "price_fen": 1, "paid": False, "status": "new"} for i in (1, 2)]
    assert portable.bulk_insert(made, ITEM, rows) == 2  # type: ignore[arg-type]
    return made.kept


def _claim() -> list[Any]:
    made = Recording(1, 1, 0)
    assert portable.claim(made, ITEM, 2, "me") == [7]  # type: ignore[arg-type]
    return made.kept


def _keyset() -> list[Any]:
    columns = [ITEM.c.price_fen, ITEM.c.status, ITEM.c.id]
    return [select(ITEM.c.id).where(keyset(columns, [100, "new", 7], descending=d)) for d in (False, True)]


def _guard() -> list[Any]:
    adapter = open_adapter("dm+dmpython://app:x@127.0.0.1:5236/MALL")
    return [sa.text(statement) for statement in adapter.audit_guard_ddl("audit_event")]


def _settings() -> list[Any]:
    adapter = open_adapter("dm+dmpython://app:x@127.0.0.1:5236/MALL")
    return [sa.text(adapter.ping), *(sa.text(adapter.settings_sql[name]) for name in sorted(adapter.settings_sql))]


# One entry for each public function that writes SQL; a test compares the keys with the code.
BUILDERS: dict[str, Callable[[], list[Any]]] = {
    "portable.keyset": _keyset, "portable.upsert": _upsert, "portable.bulk_insert": _bulk_insert, "portable.claim": _claim,
    "dameng.audit_guard_ddl": _guard, "dameng.settings_sql": _settings,
}  # fmt: skip


def built(name: str) -> str:
    """Return the statements of one builder, in order, each ended by a semicolon."""
    return "".join(f"{compiled(statement).rstrip().removesuffix(';')};\n" for statement in BUILDERS[name]())


def compiled(statement: Any) -> str:
    """Return a statement's text with one newline at its end and none of the compiler's trailing blanks."""
    text = str(statement.compile(dialect=DIALECT))
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


if __name__ == "__main__":
    for name, statement in statements().items():
        (GOLDEN / f"{name}.sql").write_text(compiled(statement), encoding="utf-8")
    for name in BUILDERS:
        (GOLDEN / f"{name}.sql").write_text(built(name), encoding="utf-8")
