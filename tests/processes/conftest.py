"""Platforms for the process tests: one per module, with its own home and database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import engines
from tests.processes.platform import Platform


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Platform]]:
    """Make platforms (prepared, nothing started yet); all are stopped at the end of the module."""
    made: list[Platform] = []

    def make(engine_key: str, **options: Any) -> Platform:
        made.append(Platform(tmp_path_factory.mktemp("home"), engine_key, **options))
        made[-1].prepare()
        return made[-1]

    yield make
    for platform in made:
        platform.stop()


@pytest.fixture(scope="session", autouse=True)
def stop_servers() -> Iterator[None]:
    """Stop the database servers of this run at its end."""
    yield
    engines.stop_all()
