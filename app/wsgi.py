"""Web door: gunicorn imports `app.wsgi:application()`; each worker process leases its own node id after the fork."""

from __future__ import annotations

import atexit
from typing import Any

from app import boot, create_app
from config.sources import load_settings


def application() -> Any:
    """Build the application of one worker process."""
    settings = load_settings()
    boot.start(settings)
    boot.take_node()
    boot.keep_node()
    # A reload or a stop gives the node id back; a killed process keeps it for a day (1,024 exist).
    atexit.register(boot.stop)
    return create_app(settings)
