"""Pages of the warehouse, the same for merchants (their warehouses) and operators (the platform's).

A view takes the desk it runs on; a desk binds views to its surface's prefix and permissions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any

from flask import Blueprint, redirect, render_template, request

from app.core.actor import Actor
from app.core.errors import AppError, Conflict, Forbidden, Invalid
from app.core.ids import new_id
from app.core.text import clean, half_width
from app.core.tx import transaction
from app.merchants import queries as merchants
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs

Route = tuple[str, str, str, Callable[..., Any]]
ROWS = 6
MOST_ROWS = 60


@dataclass(frozen=True)
class Desk:
    """A surface's warehouse pages. view, work, approve: its names of the three permissions."""

    bp: Blueprint
    prefix: str
    view: str
    work: str
    approve: str

    @property
    def base(self) -> str:
        """Where the pages begin."""
        return f"{self.prefix}/stock"

    def add(self, routes: Sequence[Route]) -> None:
        """Bind (method, path below base, permission kind, view) to the blueprint."""
        for method, path, kind, view in routes:
            self.bp.add_url_rule(f"/stock{path}", view.__name__, self._bound(view, getattr(self, kind)), methods=[method])

    def _bound(self, view: Callable[..., Any], permission: str) -> Callable[..., Any]:
        @wraps(view)
        def run(**arguments: Any) -> Any:
            return view(self, **arguments)

        return needs(permission)(run)

    def page(self, name: str, *, status: int = 200, **values: Any) -> Any:
        """Render a page of the desk; given: what was posted, so that a refused form keeps its values."""
        actor = access.actor()
        may: dict[str, Any] = {"may_work": actor.can(self.work), "may_approve": actor.can(self.approve), "cause": new_id}
        may |= {"choices": choices, "lot_choices": lot_choices, "area_choices": area_choices}
        html = render_template(f"inventory/desk/{name}.html", base=self.base, prefix=self.prefix, given=request.form, **may, **values)
        return html, status

    def attempt(
        self, work: Callable[[Actor], Any], again: Callable[[AppError], Any], to: str | Callable[[], str], done: str
    ) -> Any:
        """Run a verb in a transaction: a redirect with the word `done`, or the page again with what was wrong and the input kept."""
        try:
            with transaction():
                fresh = work(access.actor())
        except (Invalid, Conflict) as error:
            return again(error)
        except Forbidden as error:
            if error.code == "access.denied":
                raise
            return again(error)
        flash("这次提交已经登记过，没有重复入账" if fresh is False else done, "warn" if fresh is False else "ok")
        return redirect(to if isinstance(to, str) else to(), 303)

    def shop(self, text: str) -> int:
        """Return the merchant a form is for: one's own, or for operators that of the code typed. Raises Invalid."""
        actor = access.actor()
        if actor.realm == "merchant":
            return actor.merchant_id
        try:
            return merchants.get_by_code(half_width(clean(text))[:32]).id
        except AppError as error:
            raise Invalid("merchant.unknown", f"没有代码为“{text}”的商家", field="shop") from error


def units(name: str, *, default: int | None = None) -> int:
    """Return a whole number a form names, full-width digits too. Raises Invalid(`stock.delta`)."""
    text = half_width(request.form.get(name, ""))
    if not text and default is not None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid("stock.delta", f"请填写整数数量{'，当前填写的是“' + text[:20] + '”' if text else ''}", field=name)
    return int(text)


def day(name: str) -> date | None:
    """Return a date a form names, `2026-11-25` or, from a scanner, `20261125`; None when empty. Raises Invalid(`date.form`)."""
    text = half_width(request.form.get(name, "")).replace("/", "-").replace(".", "-")
    if not text:
        return None
    if len(text) == 8 and text.isascii() and text.isdigit():
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("date.form", "日期请填写为 2026-11-25 或 20261125", field=name) from None


def row_id(name: str) -> int:
    """Return an id a form or query names, 0 when there is none or it is no number."""
    text = request.values.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 + 1 and int(text) < 2**63 else 0


def cause_id() -> int:
    """Return the id that makes a double click harmless. Raises Invalid when the form lost it."""
    found = row_id("cause")
    if not found:
        raise Invalid("form.stale", "页面已过期，请刷新后重新提交")
    return found


def typed_rows(*names: str) -> list[tuple[str, ...]]:
    """Return the rows of a form with columns of those names, empty ones left out, at most 200."""
    columns = [request.form.getlist(name) for name in names]
    rows = [tuple(half_width(cell) for cell in row) for row in zip(*columns, strict=False)]
    return [row for row in rows if any(row)][:200]


def form_rows() -> int:
    """Return how many empty rows a form shows: what was posted, some more when asked for."""
    posted = len(request.form.getlist("code"))
    more = ROWS if request.form.get("intent") == "more" else 0
    return min(max(posted + more, ROWS), MOST_ROWS)


def wants_more() -> bool:
    """Tell whether a form was posted only for more rows."""
    return request.form.get("intent") == "more"


def whole_of(text: str, code: str) -> int:
    """Return the number typed beside a code. Raises Invalid naming the code."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid("stock.delta", f"“{code}”的数量请填写整数", field="number")
    return int(text)


def choices(places: Sequence[Any]) -> list[tuple[str, str]]:
    """Return warehouses as options; the platform's say so."""
    return [(str(place.id), place.name + ("" if place.merchant_id else "（平台）")) for place in places]


def lot_choices(rows: Sequence[Any]) -> list[tuple[str, str]]:
    """Return the lots of a stock row that hold units, as options."""
    return [(str(lot.id), f"{lot.lot_no}（在库 {row.on_hand}）") for row, lot in rows if lot is not None and row.on_hand]


def area_choices(areas: Sequence[Any]) -> list[tuple[str, str]]:
    """Return districts as options."""
    return [(area.code, area.name) for area in areas]
