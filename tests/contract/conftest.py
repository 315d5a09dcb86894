"""One suite, every adapter: fresh databases on the run's private servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import engines
from tests.conftest import ENGINES


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """Stop the servers at the end of the run."""
    yield
    engines.stop_all()


@pytest.fixture(params=ENGINES)
def adapter(request: pytest.FixtureRequest) -> Any:
    """An adapter on a fresh, empty database of each engine."""
    return engines.test_adapter(request.param)
