"""Object storage, embedded default: content-addressed files under one directory."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from app.core.errors import NotFound

_KEY = re.compile(r"^[0-9a-f]{2}/[0-9a-f]{62}\.[a-z0-9]{2,5}$")


class FileStorage:
    """Stores immutable blobs by SHA-256; a key is `ab/cdef….ext`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes, extension: str) -> str:
        """Write a blob once (atomic rename, fsync) and return its key."""
        digest = hashlib.sha256(data).hexdigest()
        key = f"{digest[:2]}/{digest[2:]}.{extension}"
        target = self.root / key
        if target.exists():
            return key
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        Path(handle.name).chmod(0o640)
        Path(handle.name).rename(target)
        return key

    def path(self, key: str) -> Path:
        """Return the file of a key. Raises NotFound for unknown or malformed keys (no path escapes)."""
        if not _KEY.match(key) or not (self.root / key).is_file():
            raise NotFound("file.missing", "文件不存在")
        return self.root / key
