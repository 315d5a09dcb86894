"""A log of its own: an empty database without triggers and an empty home, so that tests may tamper with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.audit.models import AuditCheckpoint, AuditEvent, AuditHead, AuditSeal
from app.core import db as core_db
from app.core import runtime
from tests import engines

TABLES: Any = (AuditEvent, AuditSeal, AuditCheckpoint, AuditHead)


@pytest.fixture
def log(db: Any, engine_key: str, tmp_path: Path) -> Iterator[Any]:
    """The session on that database; the shared one comes back afterwards."""
    before, bound = runtime.current(), core_db._bound
    core_db.release_session()
    engine = core_db.bind(engines.test_adapter(engine_key))
    core_db.Base.metadata.create_all(engine, tables=[model.__table__ for model in TABLES])
    runtime.install(replace(before, settings=before.settings.model_copy(update={"home": tmp_path})))
    yield core_db.session
    core_db.release_session()
    engine.dispose()
    assert bound is not None
    core_db._bound = bound
    core_db.session.configure(bind=bound[1])
    runtime.install(before)
