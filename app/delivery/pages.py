"""What the merchants' and the operators' pages of pickup points have in common."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request
from wtforms import BooleanField, IntegerField, SelectField, StringField
from wtforms.validators import Length, NumberRange

from app.core.errors import AppError
from app.core.tx import transaction
from app.delivery import points
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.web import access
from app.web.flash import flash
from app.web.forms import CleanForm, Required


class PointForm(CleanForm):
    """A pickup point. merchant: code of the shop that keeps it, asked of operators only."""

    merchant = StringField("由哪家店铺看管（商家编码）", [Length(max=32)])
    name = StringField("名称", [Required(), Length(max=40)])
    area_code = SelectField("所在县区", validate_choice=False)
    street = StringField("地址", [Required(), Length(max=100)])
    phone = StringField("电话", [Required(), Length(max=20)])
    hours = StringField("营业时间", [Required(), Length(max=60)], default="每天 08:00–20:00")
    capacity = IntegerField("可存单数", [NumberRange(1, 100_000, "1 到 100000")], default=100)
    keep_days = IntegerField("保管天数", [NumberRange(1, 30, "1 到 30")], default=3)
    is_shared = BooleanField("其他店铺也可以选用")

    def input(self) -> points.PointInput:
        """Return what the form says; call after validate()."""
        return points.PointInput(
            self.name.data, self.area_code.data, self.street.data, self.phone.data, self.hours.data, self.capacity.data,
            self.keep_days.data, bool(self.is_shared.data),
        )  # fmt: skip


def index(prefix: str, merchant_id: int) -> str:
    """Return the list of a shop's points, or of all."""
    rows = points.list_points(merchant_id)
    shops = merchants.shops(sorted({row.merchant_id for row in rows})[:500])
    return render_template(
        "delivery/points.html", rows=rows, shops=shops, prefix=prefix, area_name=identity.area_name, own=bool(merchant_id)
    )


def form_page(prefix: str, form: PointForm, row: Any = None, status: int = 200) -> tuple[str, int]:
    """Return the form of a point."""
    form.area_code.choices = [("", "请选择"), *((a.code, a.name) for a in identity.list_areas())]
    own = access.actor().realm == "merchant"
    return render_template("delivery/point_form.html", form=form, row=row, prefix=prefix, own=own), status


def posted(prefix: str, point_id: int = 0) -> Any:
    """Save a posted point; problems come back beside their field."""
    actor, form = access.actor(), PointForm.from_request()
    row = points.get_for(actor, point_id) if point_id else None
    if not form.validate():
        return form_page(prefix, form, row, 422)
    try:
        with transaction():
            merchant_id = actor.merchant_id or (0 if point_id else merchants.get_by_code(form.merchant.data or "").id)
            points.save(actor, merchant_id, form.input(), point_id)
    except AppError as error:
        if error.status == 403 or (error.status == 404 and error.code != "merchant.missing"):
            raise
        form.add_error(error)
        return form_page(prefix, form, row, 422 if error.status == 404 else error.status)
    flash("自提点已保存")
    return redirect(prefix, 303)


def switch(prefix: str, point_id: int) -> Any:
    """Close a point or open it, by the button pressed."""
    open_ = request.form.get("open") == "1"
    with transaction():
        points.set_open(access.actor(), point_id, open_)
    flash("自提点已启用" if open_ else "自提点已停用，已有的订单仍可自提")
    return redirect(prefix, 303)
