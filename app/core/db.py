"""The database session, the declarative base and the portable column types (dbadapters.md §7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Engine, MetaData
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column, scoped_session, sessionmaker

from dbadapters.base import Adapter
from dbadapters.types import LongText, PortableJSON, Str, UtcDateTime

__all__ = [
    "Base", "LongText", "PortableJSON", "Str", "UtcDateTime", "adapter", "bind", "engine",
    "fen", "instant", "pk", "ref", "release_session", "session", "text_column", "unbind",
]  # fmt: skip

NAMING = {
    "ix": "ix_%(table_name)s__%(column_0_N_name)s",
    "uq": "uq_%(table_name)s__%(column_0_N_name)s",
    "ck": "ck_%(table_name)s__%(constraint_name)s",
    "fk": "fk_%(table_name)s__%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table; names follow the convention so that violations map to fields."""

    metadata = MetaData(naming_convention=NAMING)


session = scoped_session(sessionmaker(expire_on_commit=False))
_bound: tuple[Adapter, Engine] | None = None


def bind(to: Adapter, **engine_options: object) -> Engine:
    """Bind the session to an adapter's engine; the doors (web, worker, CLI, tests) call it once a process."""
    global _bound
    bound_engine = to.create_engine(**engine_options)
    _bound = (to, bound_engine)
    session.configure(bind=bound_engine)
    return bound_engine


def unbind() -> None:
    """Close the session and the pool; used on shutdown and before a fork."""
    global _bound
    session.remove()
    if _bound is not None:
        _bound[1].dispose()
    _bound = None


def adapter() -> Adapter:
    """Return the bound adapter. Raises RuntimeError before `bind`."""
    if _bound is None:
        raise RuntimeError("no database is bound")
    return _bound[0]


def engine() -> Engine:
    """Return the bound engine. Raises RuntimeError before `bind`."""
    if _bound is None:
        raise RuntimeError("no database is bound")
    return _bound[1]


def release_session() -> None:
    """Give this thread's connection back; the doors call it after each request or job."""
    session.remove()


def pk() -> MappedColumn[int]:
    """Application-side 63-bit primary key."""
    return mapped_column(BigInteger, primary_key=True, autoincrement=False)


def ref(*, index: bool = False, default: int | None = None) -> MappedColumn[int]:
    """Id of a row elsewhere; never NULL, 0 means none where a default is given."""
    return mapped_column(BigInteger, nullable=False, index=index, default=default)


def fen(default: int | None = None) -> MappedColumn[int]:
    """Integer 分."""
    return mapped_column(BigInteger, nullable=False, default=default)


def text_column(length: int, *, default: str | None = None, nullable: bool = False) -> MappedColumn[str]:
    """Short text of at most `length` characters."""
    return mapped_column(Str(length), nullable=nullable, default=default)


def instant(*, nullable: bool = False) -> MappedColumn[datetime]:
    """Aware UTC instant with microseconds."""
    return mapped_column(UtcDateTime, nullable=nullable)


