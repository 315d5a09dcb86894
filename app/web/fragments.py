"""Rendered fragments that depend on their value alone: the same product card is rendered once, not once a page.

A fragment's macro may use the design system (icons, media addresses, filters) and nothing of the request, so what it gives is a
function of its value and needs no invalidation: a changed value is another key (performance.md §5.4).
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from flask import current_app
from markupsafe import Markup

KEPT = 8_192  # about 1 KB each


@lru_cache(maxsize=KEPT)
def fragment(template: str, macro: str, value: Hashable) -> Markup:
    """Return macro(value) of a template. Raises TemplateNotFound, AttributeError for an unknown macro."""
    rendered: Markup = getattr(_module(template), macro)(value)
    return rendered


@lru_cache(maxsize=64)
def _module(template: str) -> object:
    return current_app.jinja_env.get_template(template).module
