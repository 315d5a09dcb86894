"""Forms of fulfilment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wtforms import SelectField, StringField

from app.core.errors import Invalid
from app.core.text import half_width
from app.fulfilment.carriers import CARRIERS
from app.web.forms import CleanForm, Required


class ShipForm(CleanForm):
    """Carrier and tracking number of a parcel."""

    carrier = SelectField("快递公司", choices=list(CARRIERS.items()))
    tracking_no = StringField("快递单号", [Required()])
    units = StringField("发货数量")


def units_of(posted: Mapping[str, str], waiting: Mapping[int, int]) -> dict[int, int] | None:
    """Return the quantities typed for each line (`u<line>`), None when the page had none. Raises Invalid(`parcel.units`)."""
    typed = {line_id: half_width(posted[f"u{line_id}"]) for line_id in waiting if f"u{line_id}" in posted}
    if not typed:
        return None
    if not all(text.isdigit() and len(text) < 7 for text in typed.values()):
        raise Invalid("parcel.units", "发货数量须为整数，不发的填 0", field="units")
    return {line_id: int(text) for line_id, text in typed.items()}


def tenths_of(text: str) -> int:
    """Return tenths of a degree of what was typed (`-18`, `4.5`). Raises Invalid(`parcel.temperature`)."""
    match = re.fullmatch(r"([+\-−]?)(\d{1,3})(?:\.(\d))?", half_width(text))
    if match is None:
        raise Invalid("parcel.temperature", "请填写如 4.5 或 -18 的温度", field="celsius")
    value = int(match[2]) * 10 + int(match[3] or 0)
    return -value if match[1] in {"-", "−"} else value
