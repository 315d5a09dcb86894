"""What a migrated database lacks or has too much, against the models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine, Inspector, MetaData, Table, inspect

GUARDED = re.compile(r"TRIGGER IF NOT EXISTS (\w+)_no_update BEFORE UPDATE")
TRIGGER = re.compile(r"TRIGGER (?:IF NOT EXISTS )?(?:IF EXISTS )?(\w+) (?:BEFORE|AFTER)", re.IGNORECASE)


def _differing(place: str, wanted: Iterable[Any], found: Iterable[Any]) -> list[str]:
    missing, surplus = set(wanted) - set(found), set(found) - set(wanted)
    return [f"{place}: missing {item}" for item in sorted(missing)] + [f"{place}: surplus {item}" for item in sorted(surplus)]


def _short(name: Any) -> str:
    """Return a check's own word: Alembic puts the convention's prefix before names that carry it already."""
    return str(name).rpartition("__")[2]


def _wanted(table: Table) -> dict[str, set[Any]]:
    """Return what the model of a table says, by kind."""
    uniques = {tuple(sorted(c.name for c in k.columns)) for k in table.constraints if isinstance(k, sa.UniqueConstraint)}
    uniques |= {tuple(sorted(c.name for c in i.columns)) for i in table.indexes if i.unique}
    return {
        "column": {(c.name, bool(c.nullable)) for c in table.columns},
        "primary key": {tuple(sorted(c.name for c in table.primary_key.columns))},
        "unique": uniques,
        "index": {(str(i.name), tuple(c.name for c in i.columns)) for i in table.indexes if not i.unique},
        "check": {_short(k.name) for k in table.constraints if isinstance(k, sa.CheckConstraint)},
        "foreign key": {(tuple(k.column_keys), k.referred_table.name) for k in table.foreign_key_constraints},
    }


def _found(inspector: Inspector, name: str) -> dict[str, set[Any]]:
    """Return the same of a table in the database."""
    indexes = inspector.get_indexes(name)
    named = {str(u["name"]) for u in inspector.get_unique_constraints(name)}
    uniques = {tuple(sorted(u["column_names"])) for u in inspector.get_unique_constraints(name)}
    uniques |= {tuple(sorted(map(str, i["column_names"]))) for i in indexes if i["unique"]}
    return {
        "column": {(c["name"], bool(c["nullable"])) for c in inspector.get_columns(name)},
        "primary key": {tuple(sorted(inspector.get_pk_constraint(name)["constrained_columns"]))},
        "unique": uniques,
        "index": {(str(i["name"]), tuple(map(str, i["column_names"]))) for i in indexes if not i["unique"] and i["name"] not in named},
        "check": {_short(c["name"]) for c in inspector.get_check_constraints(name)},
        "foreign key": {(tuple(f["constrained_columns"]), f["referred_table"]) for f in inspector.get_foreign_keys(name)},
    }


def differences(engine: Engine, metadata: MetaData) -> list[str]:
    """Return what differs in tables, columns with nullability, keys, indexes and checks; empty when all is as modelled."""
    inspector = inspect(engine)
    wanted = {t.name: t for t in metadata.tables.values()}
    present = set(inspector.get_table_names()) - {"alembic_version"}
    found = _differing("table", wanted, present)
    for name in sorted(present & set(wanted)):
        model, stored = _wanted(wanted[name]), _found(inspector, name)
        for kind in model:
            found += _differing(f"{name} {kind}", model[kind], stored[kind])
    return found


def append_only_tables(sqlite_script: str) -> set[str]:
    """Return the tables that SQLite's offline script protects; the other engines protect the same."""
    return set(GUARDED.findall(sqlite_script))


def missing_triggers(adapter: Any, engine: Engine, tables: Iterable[str]) -> set[str]:
    """Return the guards of append-only tables that are not installed."""
    wanted = {n for t in tables for sql in adapter.audit_guard_ddl(t) for n in TRIGGER.findall(sql)}
    if engine.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    elif engine.dialect.name == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    else:
        query = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()"
    with engine.connect() as connection:
        return wanted - {str(name) for name in connection.exec_driver_sql(query).scalars()}
