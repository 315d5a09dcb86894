"""Inline SVG icons taken from the lucide set that ``npm run build`` puts in static/vendor."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup, escape

ICONS_FILE = Path(__file__).parent / "static" / "vendor" / "icons.json"


@lru_cache(maxsize=1)
def _icons() -> dict[str, str]:
    if not ICONS_FILE.is_file():
        raise RuntimeError("static/vendor/icons.json is missing: run `npm ci && npm run build` first")
    loaded: dict[str, str] = json.loads(ICONS_FILE.read_text(encoding="utf-8"))
    return loaded


@lru_cache(maxsize=1_024)
def icon(name: str, cls: str = "", label: str = "") -> Markup:
    """SVG of one icon, hidden from assistive technology unless it has a label.

    An unknown name raises KeyError, so that a misspelt icon fails a test instead of vanishing.
    """
    inner = _icons()[name]
    if label:
        role = Markup('role="img" aria-label="{}"').format(label)
    else:
        role = Markup('aria-hidden="true" focusable="false"')
    classes = f"i {cls}".strip()
    return Markup(  # noqa: S704 - the icon set is ours, the other parts are escaped
        f'<svg class="{escape(classes)}" viewBox="0 0 24 24" width="18" height="18" fill="none" '
        'stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" '
        f"{role}>{inner}</svg>"
    )
