"""The one place that commits: `with transaction():` in routes, worker and CLI (decision 3)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from app.core.db import session
from dbadapters.errors import DbError

T = TypeVar("T")
ATTEMPTS = 4
_KEY = "regionmart_in_transaction"


def in_transaction() -> bool:
    """Tell whether the current session is inside `transaction()`."""
    return bool(session().info.get(_KEY))


@contextmanager
def transaction() -> Iterator[None]:
    """Commit on success, roll back on any exception; refuses to nest.

    Ends the read transaction of the request first, so that rows read inside are current and SQLite takes
    its write lock at BEGIN (a later upgrade from read to write could deadlock). No network call inside.
    """
    current = session()
    if current.info.get(_KEY):
        raise RuntimeError("transaction() does not nest: services never commit")
    current.rollback()
    current.info[_KEY] = True
    try:
        current.connection(execution_options={"regionmart_write": True})
        yield
        current.commit()
    except BaseException:
        current.rollback()
        raise
    finally:
        current.info[_KEY] = False


def retry_conflicts(work: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Run a door's whole unit again on deadlock, conflict or lock timeout, with jittered back-off.

    Used by the doors only: the unit must open its own transaction and have no effect outside it.
    """
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except DbError as error:
            if not error.retryable or attempt == attempts:
                raise
            session().rollback()
            time.sleep(random.uniform(0.01, 0.04) * 2**attempt)  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
