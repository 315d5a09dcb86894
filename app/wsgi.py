"""Web door: gunicorn imports `app.wsgi:application()`; each worker process leases its own node id after the fork."""

from __future__ import annotations

from typing import Any

from app import boot, create_app
from config.sources import load_settings


def application() -> Any:
    """Build the application of one worker process."""
    settings = load_settings()
    boot.start(settings)
    boot.take_node()
    return create_app(settings)
