"""The region's delivery calendar."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template

from app.core.errors import AppError
from app.core.tx import transaction
from app.delivery import forms, pages, points, queries, service
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "delivery")


def _page(form: forms.HolidayForm, status: int = 200) -> tuple[str, int]:
    return render_template("delivery/operator/calendar.html", form=form, days=queries.list_holidays()), status


@bp.get("/delivery/calendar")
@needs("delivery.manage")
def calendar() -> Any:
    """List the days on which nothing is sent."""
    return _page(forms.HolidayForm())


@bp.post("/delivery/calendar")
@needs("delivery.manage")
def add() -> Any:
    """Close a day."""
    form = forms.HolidayForm.from_request()
    if not form.validate():
        return _page(form, 422)
    try:
        with transaction():
            service.add_holiday(access.actor(), form.day_on.data, form.name.data)
    except AppError as error:
        form.add_error(error)
        return _page(form, error.status)
    flash("已加入日历，各店的时效承诺立即按新日历计算")
    return redirect("/operator/delivery/calendar", 303)


@bp.post("/delivery/calendar/<int:holiday_id>/remove")
@needs("delivery.manage")
def remove(holiday_id: int) -> Any:
    """Open a day again."""
    with transaction():
        service.remove_holiday(access.actor(), holiday_id)
    flash("已从日历移除")
    return redirect("/operator/delivery/calendar", 303)


POINTS = "/operator/points"


@bp.get("/points")
@needs("delivery.manage")
def point_list() -> str:
    """List all pickup points."""
    return pages.index(POINTS, 0)


@bp.get("/points/new")
@needs("delivery.manage")
def new_point() -> Any:
    """Show an empty point."""
    return pages.form_page(POINTS, pages.PointForm())


@bp.post("/points")
@needs("delivery.manage")
def add_point() -> Any:
    """Save a new point."""
    return pages.posted(POINTS)


@bp.get("/points/<int:point_id>")
@needs("delivery.manage")
def edit_point(point_id: int) -> Any:
    """Show the form of a point."""
    row = points.get_for(access.actor(), point_id)
    return pages.form_page(POINTS, pages.PointForm(obj=row), row)


@bp.post("/points/<int:point_id>")
@needs("delivery.manage")
def save_point(point_id: int) -> Any:
    """Save a point."""
    return pages.posted(POINTS, point_id)


@bp.post("/points/<int:point_id>/open")
@needs("delivery.manage")
def switch_point(point_id: int) -> Any:
    """Close a point or open it."""
    return pages.switch(POINTS, point_id)
