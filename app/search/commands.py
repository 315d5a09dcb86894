"""Console commands of search."""

from __future__ import annotations

import click

from app.core.console import open_database
from app.search import replica


@click.group("search")
def group() -> None:
    """Search replica of this node."""


@group.command("rebuild")
def rebuild() -> None:
    """Build the replica from the catalogue and switch to it; searches go on meanwhile."""
    open_database()
    click.echo(f"indexed products: {replica.current().rebuild()}")


@group.command("refresh")
def refresh() -> None:
    """Apply pending changes now."""
    open_database()
    click.echo(f"applied products: {replica.current().refresh()}")
