"""What operations hands to the registry."""

from __future__ import annotations

from app.core import jobs
from app.core.domain import Domain
from app.core.periodic import Periodic
from app.operations import operator
from app.operations.permissions import PERMISSIONS
from app.web.menus import MenuEntry


def _purge_jobs() -> None:
    jobs.purge_done()


def domain() -> Domain:
    """Return the domain."""
    return Domain(
        name="operations",
        routes=(operator.bp,),
        periodics=(Periodic("operations.purge_jobs", 600, _purge_jobs, "清除一周前完成的后台任务"),),
        permissions=PERMISSIONS,
        menu=(
            MenuEntry("operator", "", "工作台", "/operator/", "layout-dashboard", "dashboard.operator", 1),
            MenuEntry("operator", "数据与系统", "后台任务", "/operator/jobs", "list-checks", "job.view", 90),
        ),
    )
