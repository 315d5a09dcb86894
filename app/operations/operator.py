"""Workbench and job console of the operators."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.audit import service as audit
from app.core import clock, jobs
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.operations import queries
from app.orders import queries as orders
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "operations")
STATES = {"parked": "已搁置", "queued": "排队中", "running": "执行中", "done": "已完成"}


@bp.get("/")
@needs("dashboard.operator")
def home() -> str:
    """Show what waits for somebody, each count a link."""
    return render_template(
        "operations/operator/home.html", counts=orders.count_by_status(), overdue=orders.count_overdue(clock.now()),
        jobs=queries.count_jobs(), applied=merchants.count_by_status().get("applied", 0),
    )  # fmt: skip


@bp.get("/jobs")
@needs("job.view")
def job_list() -> str:
    """List jobs by state."""
    status = request.args.get("status", "parked")
    status = status if status in STATES else "parked"
    page = queries.list_jobs(status, request.args.get("cursor", ""))
    return render_template("operations/operator/jobs.html", page=page, status=status, states=STATES, counts=queries.count_jobs())


@bp.post("/jobs/<int:job_id>/retry")
@needs("job.retry")
def retry(job_id: int) -> Any:
    """Queue a parked job again."""
    with transaction():
        done = jobs.retry(job_id)
        audit.record(access.actor(), "job.retried", "job", job_id, result="ok" if done else "refused")
    flash("任务已重新排队" if done else "任务已不在搁置状态", "ok" if done else "warn")
    return redirect("/operator/jobs", 303)
