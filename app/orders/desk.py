"""Words and values that the pages of merchants and operators share."""

from __future__ import annotations

from typing import Any

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
