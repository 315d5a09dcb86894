"""Portable column types (dbadapters.md §7)."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Text, TypeDecorator
from sqlalchemy.dialects.mysql import DATETIME as MYSQL_DATETIME
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.types import TypeEngine

MAX_STR = 900
# json.dumps with options builds an encoder per call, which a bulk load pays a hundred thousand times.
_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Str(TypeDecorator[str]):
    """Short text: NFC, trailing blanks stripped, '' becomes NULL, length counted in characters in Python.

    Raises ValueError for text longer than declared, before any engine cuts or counts bytes.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        if not 1 <= length <= MAX_STR:
            raise ValueError(f"Str length must be 1..{MAX_STR}")
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Normalise and check a value on its way in."""
        if value is None:
            return None
        text = value if value.isascii() else unicodedata.normalize("NFC", value)
        text = text.rstrip(" ")
        if len(text) > self.length:
            raise ValueError(f"text of {len(text)} characters exceeds {self.length}")
        return text or None


class LongText(TypeDecorator[str]):
    """Long text, payload only: never in WHERE, ORDER BY, GROUP BY, DISTINCT or a key. '' becomes NULL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """LONGTEXT on MySQL (TEXT there ends at 64 KiB)."""
        return dialect.type_descriptor(LONGTEXT() if dialect.name in {"mysql", "mariadb"} else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Turn '' into NULL."""
        return value or None


class PortableJSON(TypeDecorator[Any]):
    """JSON as canonical text: sorted keys, compact, no ASCII escapes; never queried by content."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """LONGTEXT on MySQL."""
        return dialect.type_descriptor(LONGTEXT() if dialect.name in {"mysql", "mariadb"} else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Serialise canonically."""
        if value is None:
            return None
        return _ENCODER.encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Parse; the text is our own, without blanks around it."""
        if value is None:
            return None
        parsed, end = _DECODER.raw_decode(value)
        return parsed if end == len(value) else json.loads(value)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware instants in Python, naive UTC with microseconds in the database. Raises ValueError for naive values."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME(6) on MySQL, which drops microseconds otherwise."""
        mysql = dialect.name in {"mysql", "mariadb"}
        return dialect.type_descriptor(MYSQL_DATETIME(fsp=6) if mysql else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to naive UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: instants carry their zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach UTC."""
        return None if value is None else value.replace(tzinfo=UTC)
