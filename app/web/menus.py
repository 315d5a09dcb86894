"""Menus per surface: domains declare entries, the page shows those the actor may open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.core.actor import Actor


@dataclass(frozen=True)
class MenuEntry:
    """One menu line. group '' stands before all groups; permission '' means every signed-in account."""

    surface: str
    group: str
    label: str
    href: str
    icon: str
    permission: str = ""
    order: int = 100


_entries: list[MenuEntry] = []
GROUP_ORDER = (
    "", "商品", "仓储", "订单", "营销", "交易", "商品与商家", "运营", "履约",
    "资金", "店铺", "数据与系统", "系统管理员", "安全管理员", "审计管理员",
)  # fmt: skip


def install(entries: tuple[MenuEntry, ...]) -> None:
    """Add a domain's entries; installing the same entry again changes nothing."""
    for entry in entries:
        if entry not in _entries:
            _entries.append(entry)
    _entries.sort(key=lambda e: (GROUP_ORDER.index(e.group) if e.group in GROUP_ORDER else 99, e.order))


def menu_for(surface: str, actor: Actor, path: str) -> list[dict[str, Any]]:
    """Return groups [{label, items:[{label, href, icon, current, count}]}] of what the actor may open."""
    if actor.realm == "guest":
        return []
    mine = [e for e in _entries if e.surface == surface and (not e.permission or actor.can(e.permission))]
    best = max((e.href for e in mine if path == e.href or path.startswith(e.href.rstrip("/") + "/")), key=len, default="")
    groups: list[dict[str, Any]] = []
    for entry in mine:
        if not groups or groups[-1]["label"] != entry.group:
            groups.append({"label": entry.group, "items": []})
        groups[-1]["items"].append(
            {"label": entry.label, "href": entry.href, "icon": entry.icon, "current": entry.href == best, "count": None}
        )
    return groups
