"""The tables of the conformance suite and the hands its checks work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, insert

from dbadapters import portable
from dbadapters.base import Adapter
from dbadapters.errors import DbError
from dbadapters.types import LongText, PortableJSON, Str, UtcDateTime

METADATA = sa.MetaData()
ITEM = sa.Table(
    "cf_item", METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("no", Str(20), nullable=False, unique=True),
    sa.Column("price_fen", sa.BigInteger, nullable=False),
    sa.Column("paid", sa.Boolean(create_constraint=False), nullable=False, default=False),
    sa.Column("status", Str(12), nullable=False, default="new"),
    sa.Column("owner", Str(36)), sa.Column("attrs", PortableJSON), sa.Column("remark", Str(30)),
    sa.Column("made_at", UtcDateTime), sa.Column("made_on", sa.Date), sa.Column("rate", sa.Numeric(12, 6)),
    sa.Column("picture", sa.LargeBinary),
    sa.Column("story", LongText),
    sa.CheckConstraint("price_fen >= 0", name="ck_cf_item_price"),
)  # fmt: skip
LINE = sa.Table(
    "cf_line", METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("item_id", sa.BigInteger, sa.ForeignKey("cf_item.id", name="fk_cf_line_item"), nullable=False),
)  # fmt: skip
EVENT = sa.Table(
    "cf_event", METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False), sa.Column("words", Str(40), nullable=False),
)  # fmt: skip
SPARSE = sa.Table(
    "cf_sparse", METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("code", Str(10), unique=True), sa.Column("part", sa.Integer), sa.Column("side", sa.Integer),
    sa.UniqueConstraint("part", "side", name="uq_cf_sparse_pair"),
)  # fmt: skip
GONE = sa.Table("cf_gone", sa.MetaData(), sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False))
BASE_ID = 2**53  # beyond what a double holds exactly


class CheckFailed(Exception):
    """The server does not do what the product needs; the message says what it did."""


class Skipped(Exception):
    """The engine has no such thing; the message says why."""


@dataclass(frozen=True)
class Probe:
    """The adapter and engine under test."""

    adapter: Adapter
    engine: Engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write unit: committed on success, rolled back on any exception."""
        with self.engine.connect().execution_options(regionmart_write=True) as connection, connection.begin():
            yield connection

    def scalar(self, query: Any) -> Any:
        """Return one value read in a unit of its own."""
        with self.engine.connect() as connection:
            return connection.execute(query).scalar()

    def ids(self, query: Any) -> list[int]:
        """Return the first column."""
        with self.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def items(self, count: int) -> list[int]:
        """Replace the rows of cf_item by `count` numbered ones; returns their ids."""
        rows = [{"id": BASE_ID + i, "no": f"N{i}", "price_fen": i * 100, "paid": False, "status": "new"} for i in range(1, count + 1)]
        with self.write() as connection:
            connection.execute(LINE.delete())
            connection.execute(ITEM.delete())
            portable.bulk_insert(connection, ITEM, rows)
        return [int(str(row["id"])) for row in rows]

    def refused(self, kind: type[DbError], statement: Any) -> None:
        """Demand that a statement raises exactly this class."""
        try:
            with self.write() as connection:
                connection.execute(statement)
        except DbError as error:
            if type(error) is not kind:
                raise CheckFailed(f"应为 {kind.__name__}，实为 {type(error).__name__}（{error.engine_code}）") from error
            return
        raise CheckFailed(f"应拒绝（{kind.__name__}），却接受了")


def expect(holds: bool, otherwise: str) -> None:
    """Raise CheckFailed with a message unless the condition holds."""
    if not holds:
        raise CheckFailed(otherwise)


def row(number: int, **values: Any) -> Any:
    """Return an INSERT of one more item."""
    plain = {"id": number, "no": f"R{number}", "price_fen": 1, "paid": False, "status": "new"}
    return insert(ITEM).values(**{**plain, **values})
