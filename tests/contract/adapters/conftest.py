"""Every engine, always: each test of this folder that asks for `probe` runs on all four."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbadapters.conformance_probe import METADATA, Probe
from tests import engines


@pytest.fixture(scope="session")
def all_servers() -> Iterator[None]:
    """The private servers of all engines."""
    engines.start_servers_for(engines.ENGINE_KEYS)
    yield
    engines.stop_all()


@pytest.fixture(scope="module", params=engines.ENGINE_KEYS)
def probe(request: pytest.FixtureRequest, all_servers: None) -> Iterator[Probe]:
    """The conformance suite's tables on a fresh database; lock waits end after a second."""
    adapter = engines.open_test_adapter(request.param, lock_timeout_s=1, busy_timeout_ms=300)
    engine = adapter.create_engine()
    opened = Probe(adapter, engine)
    with opened.write() as connection:
        METADATA.create_all(connection, checkfirst=False)
    yield opened
    engine.dispose()
