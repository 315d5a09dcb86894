"""In-process caches register how to forget, so that tests and imports of new data start clean."""

from __future__ import annotations

from collections.abc import Callable

_resets: list[Callable[[], None]] = []


def on_reset(forget: Callable[[], None]) -> Callable[[], None]:
    """Register a function that empties an in-process cache; returns it, so it works as a decorator."""
    _resets.append(forget)
    return forget


def reset_all() -> None:
    """Empty every registered cache."""
    for forget in _resets:
        forget()
