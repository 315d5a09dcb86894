"""What the pages of all surfaces share: running a verb with its refusals kept beside their fields, uploads, private pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, redirect, request, send_file

from app.aftersales import queries, states
from app.aftersales.models import Case
from app.aftersales.service import base
from app.catalog.queries import RETURN_EXCLUSIONS
from app.core import clock
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tx import transaction
from app.web import access
from app.web.flash import flash

Page = Callable[[int, dict[str, str], int], Any]


def files() -> list[bytes]:
    """Return the uploaded pictures; an empty file control counts as none, one more than allowed is read to be refused."""
    sent = [f for f in request.files.getlist("pictures") if f.filename][: base.MAX_PICTURES + 1]
    for file in sent:
        file.seek(0)  # the door may run a view again after a conflict
    return [file.read() for file in sent]


def number(name: str) -> int:
    """Return a whole number of the form, -1 when it is none."""
    text = request.form.get(name, "").strip()
    return int(text) if text.isdigit() and text.isascii() and len(text) < 19 else -1


def act(case_id: int, intent: str, verb: Callable[[], object], page: Page, done: str) -> Any:
    """Run a verb and go back to the case; a refusal shows the page again with the sentence beside its field.

    page: (case id, errors by `intent.field` or `intent`, status) -> response.
    """
    try:
        with transaction():
            verb()
    except (Invalid, Conflict) as error:
        place = f"{intent}.{error.field}" if error.field else intent
        return page(case_id, {place: error.message}, error.status)
    flash(done)
    return redirect(request.path.rsplit("/", 1)[0], 303)


def words() -> dict[str, Any]:
    """Return what the templates of cases name things by."""
    return {
        "kinds": states.KINDS, "statuses": states.STATUSES, "tones": states.TONES, "reasons": states.REASONS, "entries": states.EVENTS,
        "faults": states.FAULTS, "methods": states.METHODS, "exclusions": RETURN_EXCLUSIONS, "now_us": clock.microseconds(clock.now()),
        "ended": states.ENDED, "most": base.MAX_PICTURES,
    }  # fmt: skip


def facts(case: Case) -> dict[str, Any]:
    """Return what every page of one case shows."""
    return {"case": case, "events": queries.timeline(case.id), "steps": steps(case), **words()}


def steps(case: Case) -> tuple[list[str], int]:
    """Return the way of a case as step names, and the number of the present one (T33)."""
    back = [("寄回", (states.SENDING, states.COLLECTING)), ("质检", (states.CHECKING,))]
    ways: dict[str, list[tuple[str, tuple[str, ...]]]] = {
        states.RETURN: [*back, ("退款", (states.REFUNDING,))],
        states.EXCHANGE: [*back, ("换货发出", (states.SHIPPING,)), ("签收", (states.SHIPPED,))],
        states.REPAIR: [*back, ("检修", (states.REPAIRING,)), ("签收", (states.SHIPPED,))],
    }
    way: list[tuple[str, tuple[str, ...]]] = [("申请", ()), ("商家处理", (states.PENDING, states.ASKING, states.REJECTED, states.DISPUTED))]
    way += ways.get(case.kind, [("退款", (states.REFUNDING,))])
    names = [name for name, _ in way] + ["完成"]
    if case.status == states.DONE:
        return names, len(names) + 1
    found = next((place for place, (_, held) in enumerate(way, 1) if case.status in held), 1)
    return names, found


def picture(case_id: int) -> Response:
    """Send one picture of a case to who may see the case. Raises NotFound for any other key."""
    case = queries.get_for(access.actor(), case_id)
    key = request.args.get("key", "")
    if key not in queries.picture_keys(case.id):
        raise NotFound("case.picture", "图片不存在")
    response = send_file(base.evidence().path(key), mimetype="image/jpeg", max_age=0)
    response.headers["Cache-Control"] = "private, no-store"
    return response
