"""The catalogue of permissions: each domain declares names with their meaning, the registry installs them."""

from __future__ import annotations

from collections.abc import Mapping

_known: dict[str, str] = {}


def install(declared: Mapping[str, str]) -> None:
    """Add a domain's permissions: name -> zh-CN meaning. Raises ValueError when a name is declared twice."""
    for name, meaning in declared.items():
        if _known.get(name, meaning) != meaning:
            raise ValueError(f"permission {name} is declared twice")
        _known[name] = meaning


def known() -> Mapping[str, str]:
    """Return every installed permission with its meaning."""
    return dict(_known)
