"""Databases for tests: a fresh empty one per call, on private servers started once and stopped by pid."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine

from dbadapters import Adapter, open_adapter
from tests import servers

ENGINE_KEYS = ("sqlite", "mariadb", "kingbase", "dameng")
_folder: tempfile.TemporaryDirectory[str] | None = None
_numbers = count(1)


def _sqlite_url(name: str) -> str:
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="regionmart-db-")
    return f"sqlite:///{Path(_folder.name) / name}.db"


def engine_urls(engine_key: str, name: str | None = None) -> str:
    """Create an empty database (of a new name, or `name`) and return its URL; not for dameng, which has no server here."""
    name = name or f"rm{next(_numbers)}"
    if engine_key == "sqlite":
        return _sqlite_url(name)
    if engine_key == "mariadb":
        return servers.mariadb().create_database(name)
    if engine_key == "kingbase":
        return servers.postgres().create_database(name)
    raise ValueError(engine_key)


def open_test_adapter(engine_key: str, *, prefix: str = "rm", **options: Any) -> Adapter:
    """Return an adapter on a fresh, empty database of an engine: sqlite | mariadb | kingbase | dameng.

    The database is named `prefix` and a number. options override those of the tests (SQLite: no sync; pool of 16).
    """
    name, options = f"{prefix}{next(_numbers)}", {"pool_size": 16, **options}
    if engine_key == "dameng":
        from tests.standin import dm

        return dm.adapter(servers.mariadb(), name, **options)
    if engine_key == "sqlite":
        options.setdefault("synchronous", "OFF")
    return open_adapter(engine_urls(engine_key, name), **options)


def reflecting_engine(adapter: Adapter) -> Engine:
    """Return an engine whose inspector can read an adapter's database; the stand-in's is read as the MariaDB it is."""
    if adapter.key == "dameng":
        server, database = servers.mariadb(), adapter.database  # type: ignore[attr-defined]
        return create_engine(f"mysql+pymysql://root@127.0.0.1:{server.port}/{database}")
    return adapter.create_engine()


test_adapter = open_test_adapter
test_adapter.__test__ = False  # type: ignore[attr-defined]  # a factory, not a test


def start_servers_for(keys: Iterable[str]) -> None:
    """Start the servers some engines need; dameng's stand-in lives on MariaDB."""
    wanted = set(keys)
    if wanted & {"mariadb", "dameng"}:
        servers.mariadb()
    if "kingbase" in wanted:
        servers.postgres()


def stop_all() -> None:
    """Stop the servers this run started and remove their files."""
    global _folder
    servers.stop_all()
    if _folder is not None:
        _folder.cleanup()
        _folder = None
