"""What the audit log hands to the registry."""

from __future__ import annotations

from app.audit import security, service
from app.audit.commands import audit_group
from app.audit.permissions import PERMISSIONS
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="audit",
        routes=(security.bp,),
        periodics=(
            Periodic("audit.seal_and_sign", 5, service.seal_and_sign, "封存审计事件并签名检查点"),
            Periodic("audit.sweep", 3_600, service.sweep, "补封存迟到的审计事件"),
        ),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("security", "审计管理员", "审计日志", "/security/audit", "scroll-text", "audit.view", 10),
            MenuEntry("security", "审计管理员", "完整性校验", "/security/integrity", "shield-check", "audit.verify", 20),
        ),
        commands=(audit_group,),
    )
