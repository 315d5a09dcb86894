"""How a domain's console command reaches the started process: the console door installs the opener."""

from __future__ import annotations

from collections.abc import Callable

_opener: Callable[[], None] | None = None


def use_opener(opener: Callable[[], None]) -> None:
    """Install what starts settings, keys and database for a command; the console door calls it."""
    global _opener
    _opener = opener


def open_database() -> None:
    """Start this process for a command. Raises RuntimeError outside the console door."""
    if _opener is None:
        raise RuntimeError("commands run through the console door")
    _opener()
