"""Reads of search: results, suggestions, hot words, searches without a result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from app.core import runtime
from app.core.cache_reset import on_reset
from app.core.db import session
from app.search import finder, replica, tokens
from app.search.criteria import Criteria
from app.search.finder import Found
from app.search.models import SearchQuery

LOG_ROWS = 2_000
LOG_TTL_S = 60.0


@dataclass(frozen=True)
class HotWord:
    """A text people searched, with how often."""

    text: str
    times: int


_hot: tuple[float, list[HotWord]] | None = None


def search(criteria: Criteria, *, with_facets: bool = True) -> Found:
    """Return a page of results from this node's replica; no database query unless it is refreshed."""
    interval = runtime.current().settings.search.refresh_interval_s
    return finder.find(replica.current().searcher(interval), criteria, with_facets=with_facets)


def hot_words(limit: int = 10) -> list[HotWord]:
    """Return the texts searched most among the last ones that found something; cached for a minute."""
    global _hot
    if _hot is None or time.monotonic() - _hot[0] > LOG_TTL_S:
        recent = select(SearchQuery.text).where(SearchQuery.hits > 0).order_by(SearchQuery.id.desc()).limit(LOG_ROWS)
        inner = recent.subquery()
        times = func.count().label("times")
        rows = session.execute(select(inner.c.text, times).group_by(inner.c.text).order_by(times.desc()).limit(200))
        _hot = (time.monotonic(), [HotWord(text, number) for text, number in rows])
    return _hot[1][:limit]


@on_reset
def forget_hot_words() -> None:
    """Drop the cached hot words."""
    global _hot
    _hot = None


def suggest(prefix: str, limit: int = 10) -> list[str]:
    """Return completions: what others searched first, then words of titles, tags and categories."""
    wanted = tokens.normalise(prefix)[:30]
    if not wanted:
        return []
    asked = [h.text for h in hot_words(200) if h.text.startswith(wanted) and h.text != wanted]
    interval = runtime.current().settings.search.refresh_interval_s
    named = finder.suggest(replica.current().searcher(interval), wanted, limit)
    return list(dict.fromkeys([*asked[:4], *named]))[:limit]


def without_result(limit: int = 50) -> Sequence[HotWord]:
    """Return recent searches that found nothing, most frequent first (operator report)."""
    recent = select(SearchQuery.text).where(SearchQuery.hits == 0).order_by(SearchQuery.id.desc()).limit(LOG_ROWS)
    inner = recent.subquery()
    times = func.count().label("times")
    rows = session.execute(select(inner.c.text, times).group_by(inner.c.text).order_by(times.desc()).limit(limit))
    return [HotWord(text, number) for text, number in rows]
