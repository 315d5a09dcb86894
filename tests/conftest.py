"""Shared fixtures: one engine per run (`--engine`), a migrated database per session, clean tables per test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples

# No test judges time: on a busy machine Hypothesis is as slow as everything else.
examples.register_profile("regionmart", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("regionmart")

ENGINES = ("sqlite", "mariadb", "kingbase", "dameng")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the engine choice of the integration suite."""
    parser.addoption("--engine", default="sqlite", choices=ENGINES, help="database engine of the integration tests")


@pytest.fixture(scope="session")
def engine_key(request: pytest.FixtureRequest) -> str:
    """The engine of this run."""
    return str(request.config.getoption("--engine"))


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A home directory of this run."""
    with tempfile.TemporaryDirectory(prefix="regionmart-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def settings(home: Path) -> Any:
    """Settings of the test process: low password cost, simulator on."""
    from config.sources import load_settings

    return load_settings(
        overrides={
            "home": str(home), "environment": "testing",
            "security": {"password_iterations": 10_000}, "log": {"level": "WARNING"},
        },
        environ={},
    )  # fmt: skip


@pytest.fixture(scope="session")
def platform(settings: Any, engine_key: str) -> Iterator[Any]:
    """The process as a door starts it, on a fresh migrated database of the chosen engine."""
    from app import boot
    from app.core import db
    from app.migrations import run as migrations
    from tests import engines

    adapter = engines.test_adapter(engine_key)
    runtime = boot.start(settings, adapter=adapter)
    migrations.upgrade()
    boot.take_node()
    yield runtime
    db.unbind()
    engines.stop_all()


@pytest.fixture(scope="session")
def app(platform: Any, settings: Any) -> Any:
    """The WSGI application."""
    from app import create_app

    return create_app(settings)


@pytest.fixture
def db(platform: Any) -> Iterator[Any]:
    """The session on empty tables with the built-in roles; everything is committed for real.

    Append-only tables keep their rows: their triggers refuse deletion, so tests look at rows by id or count from a mark.
    """
    from app.core import cache_reset
    from app.core import db as core_db
    from app.core.tx import transaction
    from tests import cleaning

    core_db.release_session()
    with transaction():
        cleaning.clean()
    cache_reset.reset_all()
    yield core_db.session
    core_db.release_session()


@pytest.fixture
def client(app: Any, db: Any) -> Any:
    """A browser-like client; see tests/clients.py for signed-in ones."""
    from tests.clients import Browser

    return Browser(app)
