"""Words and values that the pages of merchants and operators share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from app.core.text import clean
from app.orders import grouping, states


def words() -> dict[str, Any]:
    """Return the words of states, modes, holds and cases for a page."""
    return {
        "names": states.NAMES, "tones": states.TONES, "kinds": states.EVENT_NAMES, "modes": grouping.MODES,
        "temperatures": grouping.TEMPERATURES, "holds": states.HOLDS, "officer_holds": states.OFFICER_HOLDS,
        "hold_options": [(key, states.HOLDS[key]) for key in states.OFFICER_HOLDS], "open_states": states.OPEN,
        "case_kinds": states.CASE_KINDS, "case_hints": states.CASE_HINTS, "case_states": states.CASE_STATES,
        "case_tones": states.CASE_TONES, "case_sources": states.CASE_SOURCES, "resolutions": states.RESOLUTIONS,
    }  # fmt: skip


def units_of(form: Mapping[str, str]) -> dict[int, int]:
    """Return the units typed for lines (`units-<line>`). Raises Invalid(`divide.units`) for what is no number."""
    typed = {name[6:]: value.strip() or "0" for name, value in form.items() if name.startswith("units-")}
    if not all(key.isdigit() and len(key) < 20 and value.isdigit() and len(value) < 7 for key, value in typed.items()):
        raise Invalid("divide.units", "拆出件数须为整数", field="units")
    return {int(key): int(value) for key, value in typed.items()}


def reason_of(form: Mapping[str, str]) -> str:
    """Return the reason typed for a split."""
    return clean(form.get("reason", ""))[:100]
