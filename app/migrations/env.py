"""Alembic environment on the bound adapter."""

from __future__ import annotations

import importlib

from alembic import context

from app.core import db
from app.registry import NAMES

for _name in (*NAMES, "core"):
    for _module in ("models", "jobs", "leases", "idempotency"):
        try:
            importlib.import_module(f"app.{_name}.{_module}")
        except ModuleNotFoundError:
            continue


def _run_offline() -> None:
    context.configure(
        dialect_name=db.engine().dialect.name, target_metadata=db.Base.metadata, literal_binds=True,
        **db.adapter().alembic_opts(),
    )  # fmt: skip
    with context.begin_transaction():
        context.run_migrations()


def _run_online() -> None:
    with db.engine().connect().execution_options(regionmart_write=True) as connection:
        context.configure(
            connection=connection, target_metadata=db.Base.metadata, transaction_per_migration=True,
            **db.adapter().alembic_opts(),
        )  # fmt: skip
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    _run_offline()
else:
    _run_online()
