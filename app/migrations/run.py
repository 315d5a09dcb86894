"""Run migrations on the bound database, one process at a time where the engine allows it."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.core import db

HERE = Path(__file__).parent


def _config(output: TextIO | None = None) -> Config:
    config = Config(output_buffer=output) if output else Config()
    config.set_main_option("script_location", str(HERE))
    return config


def upgrade(revision: str = "head") -> None:
    """Bring the bound database forward to a revision; safe to repeat."""
    command.upgrade(_config(), revision)


def offline_sql(output: TextIO) -> None:
    """Write the whole forward SQL of the bound adapter's dialect without touching a server."""
    command.upgrade(_config(output), "head", sql=True)


def current_revision() -> str | None:
    """Return the revision the database is at, None when empty."""
    with db.engine().connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """Return the one head revision of the code. Raises when there are several."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migration")
    return head


def is_current() -> bool:
    """Tell whether the database is at the code's head."""
    return current_revision() == head_revision()
