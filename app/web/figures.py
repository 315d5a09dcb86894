"""Figures that several domains put on one page: the buyer's centre and the merchants' workbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.core.actor import Actor


@dataclass(frozen=True)
class Figure:
    """One count with the page that explains it. icon: name of an icon; tone: '' | ok | warn | bad."""

    label: str
    value: int
    href: str
    unit: str = ""
    hint: str = ""
    tone: str = ""
    icon: str = ""


Provider = Callable[[Actor], list[Figure]]
_providers: dict[str, dict[str, tuple[int, Provider]]] = {}


def declare(slot: str, name: str, provider: Provider, order: int = 100) -> None:
    """Let a domain (name) put its figures into a slot; declaring again replaces, so a second start changes nothing."""
    _providers.setdefault(slot, {})[name] = (order, provider)


def show(slot: str, actor: Actor) -> list[Figure]:
    """Return the slot's figures for an actor, by declared order."""
    return [figure for _, provider in sorted(_providers.get(slot, {}).values(), key=lambda p: p[0]) for figure in provider(actor)]
