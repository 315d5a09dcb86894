"""What operations hands to the registry."""

from __future__ import annotations

from app.core.domain import Domain
from app.operations import operator
from app.operations.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="operations",
        routes=(operator.bp,),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("operator", "", "工作台", "/operator/", "layout-dashboard", "dashboard.operator", 1),
            MenuEntry("operator", "数据与系统", "后台任务", "/operator/jobs", "list-checks", "job.view", 90),
        ),
    )
