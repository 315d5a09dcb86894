"""Forms of fulfilment."""

from __future__ import annotations

from wtforms import SelectField, StringField

from app.fulfilment.carriers import CARRIERS
from app.web.forms import CleanForm, Required


class ShipForm(CleanForm):
    """Carrier and tracking number of a parcel."""

    carrier = SelectField("快递公司", choices=list(CARRIERS.items()))
    tracking_no = StringField("快递单号", [Required()])
