"""What identity hands to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.core.periodic import Periodic
from app.identity import housekeeping, security, storefront
from app.identity.commands import user_group
from app.identity.permissions import PERMISSIONS
from app.identity.sign_in import console_blueprint
from app.web.menus import MenuEntry
from app.web.surfaces import SURFACES

CONSOLES = ("merchant", "operator", "government", "security")


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="identity",
        routes=(storefront.bp, security.bp, *(console_blueprint(key) for key in CONSOLES if key != "security")),
        periodics=(Periodic("identity.tidy", 86_400, housekeeping.tidy, "清除过期的验证码和登录会话"),),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("security", "系统管理员", "账号", "/security/accounts", "users", "account.view", 10),
            MenuEntry("security", "安全管理员", "角色权限", "/security/roles", "key-round", "role.view", 10),
            MenuEntry("security", "安全管理员", "登录会话", "/security/sessions", "monitor", "session.view", 20),
            *(
                MenuEntry(key, "账号", "修改口令", f"{SURFACES[key].prefix}/password", "lock", order=900)
                for key in CONSOLES
                if key != "government"  # the wall's row of tabs has no room for it
            ),
        ),
        commands=(user_group,),
    )  # fmt: skip
