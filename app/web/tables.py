"""Names of the columns on the cells of a rendered table, so that rows can become cards on a telephone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

_TAG = re.compile(r"<(tr|td|th)\b([^>]*)>")


def label_cells(body: str, columns: Iterable[str | Mapping[str, Any]], *, offset: int = 0) -> Markup:
    """Return the rows with `data-label` on every cell that lies under a visible column head.

    body: markup of the <tr>s, without nested tables. columns: as the table macro takes them. offset: cells before the first
    named column (the check box). A cell that has a label, spans columns or lies under a hidden head stays as it is.
    """
    names = [c if isinstance(c, str) else ("" if c.get("hidden") else str(c["label"])) for c in columns]
    place = -1

    def mark(found: re.Match[str]) -> str:
        nonlocal place
        tag, rest = found.group(1), found.group(2)
        if tag == "tr":
            place = -1 - offset
            return found.group(0)
        place += 1
        name = names[place] if 0 <= place < len(names) else ""
        if not name or "data-label=" in rest or "colspan=" in rest:
            return found.group(0)
        return f'<{tag}{rest} data-label="{escape(name)}">'

    return Markup(_TAG.sub(mark, str(body)))  # noqa: S704 - the body is rendered markup, the names are escaped
