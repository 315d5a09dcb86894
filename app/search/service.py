"""Verbs of search: the change feed and the query log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import delete

from app.core import clock, sql
from app.core.db import session
from app.core.ids import new_id
from app.search import background
from app.search.models import SearchChange, SearchQuery
from app.search.pending import Searched

CHANGE_DAYS = 7
QUERY_DAYS = 90


def mark_changed(product_ids: Iterable[int]) -> None:
    """Tell every replica to index products again."""
    at = clock.now()
    sql.add_all(SearchChange, [{"id": new_id(), "product_id": product_id, "at": at} for product_id in dict.fromkeys(product_ids)])


def record_searches(searches: Sequence[Searched]) -> None:
    """Add searches to the log: text, hits, time; nobody's identity."""
    sql.add_all(SearchQuery, [{"id": new_id(), "text": s.text, "hits": s.hits, "at": s.at} for s in searches])


def refresh_replica() -> None:
    """Apply pending changes to the replica of the worker's node, beside this job."""
    background.kick()


def forget_old() -> None:
    """Delete feed rows that are long applied, and old searches; a node that slept longer is rebuilt by hand."""
    session.execute(delete(SearchChange).where(SearchChange.at < clock.now() - timedelta(days=CHANGE_DAYS)))
    session.execute(delete(SearchQuery).where(SearchQuery.at < clock.now() - timedelta(days=QUERY_DAYS)))
