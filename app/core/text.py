"""Small text rules shared by forms and import: normalisation and lengths."""

from __future__ import annotations

import unicodedata

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff\u2060"))


def clean(text: str | None) -> str:
    """Return NFC text without zero-width characters, control characters and outer blanks."""
    if not text:
        return ""
    kept = unicodedata.normalize("NFC", text).translate(_ZERO_WIDTH)
    kept = "".join(c for c in kept if c in "\n\t" or unicodedata.category(c) != "Cc")
    return kept.strip()


def half_width(text: str) -> str:
    """Return text with full-width digits, letters and signs folded to half width (NFKC)."""
    return unicodedata.normalize("NFKC", text).strip()
