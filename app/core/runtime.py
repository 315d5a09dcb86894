"""Process-wide values the doors install once: settings, keys, storage. Read-only afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.core.storage import FileStorage
    from config.settings import Settings
    from security.fields import FieldCipher
    from security.keyring import Keyring
    from security.tokens import TokenSigner


@dataclass(frozen=True)
class Runtime:
    """What every layer may read: the frozen settings and the cryptographic services built from the keyring."""

    settings: Settings
    keyring: Keyring
    cipher: FieldCipher
    tokens: TokenSigner
    storage: FileStorage

    @property
    def home(self) -> Path:
        """Return the directory of everything this installation writes."""
        return Path(self.settings.home)


_current: Runtime | None = None


def install(runtime: Runtime) -> None:
    """Install the runtime of this process; tests may replace it."""
    global _current
    _current = runtime


def current() -> Runtime:
    """Return the installed runtime. Raises RuntimeError before a door installed one."""
    if _current is None:
        raise RuntimeError("no runtime is installed")
    return _current
