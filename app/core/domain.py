"""What a domain hands to the registry: a plain value, so that reading `registry.py` is reading the system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.events import Handler
from app.core.periodic import Periodic


@dataclass(frozen=True)
class Domain:
    """Routes (blueprints), event handlers, jobs, periodic jobs, permissions, menu entries and console commands.

    outside_jobs call out of the process and run without a transaction.
    """

    name: str
    routes: tuple[Any, ...] = ()
    handlers: tuple[tuple[type[Any], Handler], ...] = ()
    jobs: tuple[tuple[str, Any], ...] = ()
    outside_jobs: tuple[tuple[str, Any], ...] = ()
    periodics: tuple[Periodic, ...] = ()
    permissions: Mapping[str, str] = field(default_factory=dict)
    menu: tuple[Any, ...] = ()
    commands: tuple[Any, ...] = ()
    start: Any = None
