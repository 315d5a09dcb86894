"""What every door does first: settings, keys, database, node id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app import registry
from app.core import db, leases, runtime
from app.core.storage import FileStorage
from config.logging import configure_logging
from config.settings import Settings
from dbadapters import open_adapter
from security import sm
from security.fields import FieldCipher
from security.keyring import Keyring
from security.tokens import TokenSigner


def make_runtime(settings: Settings) -> runtime.Runtime:
    """Build keys and storage under settings.home; creates the home on first use."""
    home = Path(settings.home)
    home.mkdir(parents=True, exist_ok=True)
    secret = settings.security.keyring_passphrase
    passphrase = secret.get_secret_value() if secret is not None else None
    keyring = Keyring.load_or_create(home / "keys", passphrase)
    return runtime.Runtime(
        settings=settings,
        keyring=keyring,
        cipher=FieldCipher(keyring),
        tokens=TokenSigner(keyring.primary("token").key),
        storage=FileStorage(home / "storage"),
    )


def start(settings: Settings, *, adapter: Any = None, self_test: bool = True) -> runtime.Runtime:
    """Prepare this process: logging, cryptographic self-test (refuses to run on mismatch), keys, database."""
    configure_logging(settings)
    if self_test:
        sm.self_test()
    current = make_runtime(settings)
    runtime.install(current)
    if adapter is None:
        adapter = open_adapter(settings.database_url(), pool_size=settings.database.pool_size)
    db.bind(adapter)
    registry.install()
    return current


def take_node() -> None:
    """Lease this process's node id; call after the schema exists and after any fork."""
    leases.lease_node()
    db.release_session()


def keep_node() -> None:
    """Hold the node id for as long as this process serves."""
    leases.keep_node()


def stop() -> None:
    """Give the node id back and close the pool."""
    try:
        leases.release_node()
    finally:
        db.unbind()
