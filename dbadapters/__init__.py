"""Pluggable database layer: SQLite, MySQL/MariaDB, KingbaseES, Dameng. `open_adapter(url)` is the door."""

from __future__ import annotations

import importlib
from typing import Any

from sqlalchemy import make_url

from dbadapters.base import Adapter
from dbadapters.errors import Unsupported

ENGINES = {
    "sqlite": ("dbadapters.sqlite", "SQLiteAdapter"),
    "mysql": ("dbadapters.mysql", "MySQLAdapter"),
    "mariadb": ("dbadapters.mysql", "MySQLAdapter"),
    "kingbase": ("dbadapters.kingbase", "KingbaseAdapter"),
    "dm": ("dbadapters.dameng", "DamengAdapter"),
}

__all__ = ["Adapter", "open_adapter"]


def open_adapter(url: str, **options: Any) -> Adapter:
    """Return the adapter of a URL; opens nothing and imports no driver of another engine.

    options: pool_size, lock_timeout_s, statement_timeout_s, connect_timeout_s, tls_ca and the engine's own (README.md).
    Raises Unsupported for an unknown engine or driver, ArgumentError for text that is no URL.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend not in ENGINES:
        known = "、".join(sorted(ENGINES))
        raise Unsupported(f"不支持的数据库类型 {backend}，可用：{known}")
    module, name = ENGINES[backend]
    kind: type[Adapter] = getattr(importlib.import_module(module), name)
    if parsed.drivername not in kind.schemes:
        raise Unsupported(f"{kind.display_name} 只支持 {'、'.join(kind.schemes)}，地址中的驱动为 {parsed.drivername}")
    return kind(parsed, **options)
