"""Reads of the job table for its console."""

from __future__ import annotations

from sqlalchemy import func, select

from app.core.db import session
from app.core.jobs import PARKED, QUEUED, RUNNING, Job
from app.core.paging import Page, paginate

CAP = 1_000


def list_jobs(status: str, cursor: str = "", size: int = 30) -> Page[Job]:
    """Return jobs of one status, newest first."""
    return paginate(select(Job).where(Job.status == status), [Job.id], lambda j: [j.id], cursor=cursor, size=size)


def count_jobs() -> dict[str, int]:
    """Return how many jobs wait, run and are parked, each up to 1,000."""
    counts = {}
    for status in (QUEUED, RUNNING, PARKED):
        statement = select(Job.id).where(Job.status == status).limit(CAP).subquery()
        counts[status] = session.scalar(select(func.count()).select_from(statement)) or 0
    return counts
