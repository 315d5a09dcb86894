"""Workbench and job console of the operators."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.audit import service as audit
from app.catalog import queries as catalog
from app.core import clock, jobs
from app.core.actor import Actor
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.operations import queries, words
from app.orders import queries as orders
from app.orders import searching, states
from app.web import access, figures
from app.web.figures import Figure
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "operations")
RECENT = 8
STATES = {"parked": "已搁置", "queued": "排队中", "running": "执行中", "done": "已完成"}


@bp.get("/")
@needs("dashboard.operator")
def home() -> str:
    """Show what waits for somebody; each count is a link, and nobody sees a link to a page that would refuse them."""
    actor, at = access.actor(), clock.now()
    recent = searching.search(searching.Criteria(), size=RECENT).items if actor.can("order.view") else None
    return render_template(
        "operations/operator/home.html", figures=_figures(actor), recent=recent, names=states.NAMES, tones=states.TONES, now=at
    )


def _figures(actor: Actor) -> list[tuple[str, list[Figure]]]:
    """Return the workbench's rows of counts for what the actor may open."""
    review, trade, system = [], [], []
    if actor.can("merchant.view"):
        applied = merchants.count_by_status().get("applied", 0)
        review.append(Figure("待审商家", applied, "/operator/merchants?status=applied", "家", "核对营业执照", "warn" if applied else ""))
    if actor.can("product.audit"):
        pending = catalog.counts_for(actor)["pending"]
        review.append(Figure("待审商品", pending, "/operator/products?view=pending", "件", "先提交先处理", "warn" if pending else ""))
    if actor.can("order.view"):
        counts, late = orders.count_by_status(), orders.count_overdue(clock.now())
        trade = [
            Figure("待付款", counts["unpaid"], "/operator/orders?status=unpaid", "单"),
            Figure("待发货", counts["paid"], "/operator/orders?status=paid", "单"),
            Figure("超时未发", late, "/operator/orders?status=paid", "单", "已过发货时限", "bad" if late else ""),
            Figure("运输中", counts["shipped"], "/operator/orders?status=shipped", "单"),
        ]
    if actor.can("job.view"):
        jobs_by = queries.count_jobs()
        parked = jobs_by[jobs.PARKED]
        system = [
            Figure("搁置任务", parked, "/operator/jobs", "个", "多次失败，等待重试", "bad" if parked else ""),
            Figure("排队任务", jobs_by[jobs.QUEUED], "/operator/jobs?status=queued", "个"),
            Figure("执行中任务", jobs_by[jobs.RUNNING], "/operator/jobs?status=running", "个"),
        ]
    return [("待办", review + trade), ("仓储", figures.show("operator", actor)), ("后台任务", system)]


@bp.get("/jobs")
@needs("job.view")
def job_list() -> str:
    """List jobs by state."""
    status = request.args.get("status", "parked")
    status = status if status in STATES else "parked"
    page = queries.list_jobs(status, request.args.get("cursor", ""))
    return render_template(
        "operations/operator/jobs.html", page=page, status=status, states=STATES, counts=queries.count_jobs(),
        job_name=words.job_name,
    )  # fmt: skip


@bp.post("/jobs/<int:job_id>/retry")
@needs("job.retry")
def retry(job_id: int) -> Any:
    """Queue a parked job again."""
    with transaction():
        done = jobs.retry(job_id)
        audit.record(access.actor(), "job.retried", "job", job_id, result="ok" if done else "refused")
    flash("任务已重新排队" if done else "任务已不在搁置状态", "ok" if done else "warn")
    return redirect("/operator/jobs", 303)
