"""Capability matrix of all engines, from their Features: `python -m dbadapters.matrix` prints it for README.md."""

from __future__ import annotations

import importlib
import sys
from dataclasses import fields

from dbadapters import ENGINES
from dbadapters.base import Adapter, Features

LIMITS = {"max_identifier", "max_binds", "max_in"}


def adapters() -> list[type[Adapter]]:
    """Return each adapter class once, in the order of the engine table."""
    found = [getattr(importlib.import_module(module), name) for module, name in ENGINES.values()]
    return list(dict.fromkeys(found))


def _cell(value: object, name: str) -> str:
    if name in LIMITS:
        return f"{value:,}"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def render() -> str:
    """Return the matrix as a Markdown table."""
    kinds = adapters()
    lines = ["| flag | " + " | ".join(k.key for k in kinds) + " |", "| --- |" + " --- |" * len(kinds)]
    for field in fields(Features):
        cells = (_cell(getattr(kind.features, field.name), field.name) for kind in kinds)
        lines.append(f"| `{field.name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
