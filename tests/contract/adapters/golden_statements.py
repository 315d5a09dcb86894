"""Representative statements of this product, as the hardened Dameng dialect writes them.

`python tests/contract/adapters/golden_statements.py` rewrites golden/*.sql after a wanted change; read the difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dmPython
import sqlalchemy as sa
from sqlalchemy import case, func, insert, select, update
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from dbadapters.conformance_probe import ITEM, LINE
from dbadapters.dameng_dialect import HardenedDameng
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


def compiled(statement: Any) -> str:
    """Return a statement's text with one newline at its end and none of the compiler's trailing blanks."""
    text = str(statement.compile(dialect=DIALECT))
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


if __name__ == "__main__":
    for name, statement in statements().items():
        (GOLDEN / f"{name}.sql").write_text(compiled(statement), encoding="utf-8")
