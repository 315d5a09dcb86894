"""Empties the database between tests: one query finds the tables that hold rows, only those are deleted from."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Select, Table, case, exists, select

from app.core import db as core_db
from app.identity import service as identity
from app.identity.models import Role, RolePermission

# Append-only tables keep their rows, since their triggers refuse deletion; accounts stay with their entries, whose sum their
# balance is; head and leases belong to the process.
KEPT = frozenset({
    "audit_event", "audit_seal", "audit_checkpoint", "audit_head", "core_lease", "settlement_voucher", "settlement_entry",
    "settlement_account",
})  # fmt: skip
ROLES: tuple[Table, ...] = (RolePermission.__table__, Role.__table__)  # type: ignore[assignment]
_installed: list[Any] = []


@cache
def _tables() -> tuple[Table, ...]:
    """Return the tables a test may leave rows in, children first."""
    return tuple(t for t in reversed(core_db.Base.metadata.sorted_tables) if t.name not in KEPT and t not in ROLES)


@cache
def _probe() -> Select[Any]:
    """Return one row that says of each table whether it holds a row; sees what other processes wrote, too."""
    return select(*(case((exists(select(1).select_from(t)), 1), else_=0).label(t.name) for t in _tables()))


def _roles() -> list[Any]:
    return [sorted(tuple(row) for row in core_db.session.execute(select(t))) for t in ROLES]


def clean() -> None:
    """Delete every row a test left and bring the built-in roles back. Caller holds the transaction."""
    held = core_db.session.execute(_probe()).mappings().one()
    for table in _tables():
        if held[table.name]:
            core_db.session.execute(table.delete())
    if not _installed or _roles() != _installed:
        for table in ROLES:
            core_db.session.execute(table.delete())
        identity.install_roles()
        core_db.session.flush()
        _installed[:] = _roles()
