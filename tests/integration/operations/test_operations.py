"""The operators' workbench and the console of parked jobs (trap 4: poison messages are parked and visible)."""

from __future__ import annotations

from typing import Any

from app.core import clock, jobs
from app.core.ids import new_id
from app.core.tx import transaction
from tests.clients import Browser
from tests.factories import market


def park(db: Any) -> int:
    job_id, at = new_id(), clock.now()
    with transaction():
        db.add(
            jobs.Job(
                id=job_id, name="audit.seal", key=f"t{job_id}", payload={}, status=jobs.PARKED, due_at=at, attempts=8, owner="-",
                lease_until=at, created_at=at, last_error="ValueError: <b>broken</b>",
            )
        )  # fmt: skip
    return job_id


def test_workbench_counts_are_links(app: Any, db: Any) -> None:
    park(db)
    operator = Browser(app)
    operator.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    page = operator.get("/operator/")
    assert page.status_code == 200
    hrefs = {a["href"] for a in page.soup.select(".stats a")}
    assert {"/operator/orders?status=paid", "/operator/merchants?status=applied", "/operator/jobs"} <= hrefs


def test_parked_job_is_shown_and_queued_again(app: Any, db: Any) -> None:
    job_id = park(db)
    operator = Browser(app)
    operator.sign_in("/operator", market.staff("operator", "system"), market.PASSWORD)
    page = operator.get("/operator/jobs")
    assert "ValueError: <b>broken</b>" in page.soup.get_text(), "errors are shown as text"
    assert operator.post(f"/operator/jobs/{job_id}/retry").status_code == 303
    db.expire_all()
    job = db.get_one(jobs.Job, job_id)
    assert (job.status, job.attempts) == (jobs.QUEUED, 0)
    again = operator.post(f"/operator/jobs/{job_id}/retry")
    assert again.status_code == 303, "no longer parked: said in a message"
    assert operator.get("/operator/jobs?status=queued").status_code == 200


def test_jobs_need_their_permission(app: Any, db: Any) -> None:
    job_id = park(db)
    reviewer = Browser(app)
    reviewer.sign_in("/operator", market.staff("operator", "reviewer"), market.PASSWORD)
    assert reviewer.post(f"/operator/jobs/{job_id}/retry").status_code == 403
