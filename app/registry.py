"""The explicit list of domains. Reading it is reading the system; nothing is discovered (decision 12)."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from app.core import events, jobs, periodic, permissions
from app.core.domain import Domain
from app.web import menus

NAMES = (
    "audit", "risk", "identity", "merchants", "catalog", "content", "inventory", "delivery", "promotions", "carts", "orders", "payments",
    "fulfilment", "aftersales", "reviews", "supervision", "settlement", "messaging", "search", "operations",
)  # fmt: skip


@lru_cache(maxsize=1)
def domains() -> tuple[Domain, ...]:
    """Return every domain, lowest tier first."""
    return tuple(importlib.import_module(f"app.{name}.registration").domain() for name in NAMES)


@lru_cache(maxsize=1)
def install() -> None:
    """Install permissions, event handlers, jobs, periodic jobs, menus and start hooks, once a process."""
    for domain in domains():
        permissions.install(domain.permissions)
        for event_type, handler in domain.handlers:
            events.subscribe(event_type, handler)
        for name, function in domain.jobs:
            jobs.register(name, function)
        for name, function in domain.outside_jobs:
            jobs.register(name, function, outside=True)
        for declared in domain.periodics:
            periodic.declare(declared)
        menus.install(domain.menu)
        if domain.start is not None:
            domain.start()


def blueprints(surfaces: tuple[str, ...]) -> list[Any]:
    """Return the blueprints of the surfaces this process serves."""
    return [bp for domain in domains() for bp in domain.routes if bp.name.split("_", 1)[0] in surfaces]


def commands() -> list[Any]:
    """Return the console commands of all domains."""
    return [command for domain in domains() for command in domain.commands]
