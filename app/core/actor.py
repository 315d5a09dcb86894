"""Who acts: an immutable value the doors build and services receive."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Actor:
    """An account (or the system) acting on one surface.

    realm: guest | consumer | merchant | operator | government | security | system.
    merchant_id: the merchant whose rows the actor may see, 0 when not bound to one.
    area_code: district whose rows a scoped operator or government user may see, '-' for the whole region.
    """

    realm: str
    account_id: int = 0
    name: str = ""
    permissions: frozenset[str] = field(default_factory=frozenset)
    merchant_id: int = 0
    area_code: str = "-"
    session_id: int = 0
    address: str = "-"
    roles: tuple[str, ...] = ()

    def can(self, permission: str) -> bool:
        """Tell whether the actor holds a permission; the system holds all."""
        return self.realm == "system" or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise Forbidden(`access.denied`) unless the actor holds the permission."""
        if not self.can(permission):
            raise Forbidden("access.denied", "您没有执行此操作的权限", permission=permission)


GUEST = Actor(realm="guest", name="游客")
SYSTEM = Actor(realm="system", name="系统")
