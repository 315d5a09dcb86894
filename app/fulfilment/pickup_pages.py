"""Collecting on screen: the shop's pickups, the clerk's page for phones."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core import clock
from app.core.errors import AppError, NotFound
from app.core.tx import transaction
from app.delivery import queries as delivery
from app.fulfilment import codes, papers, queries, service, states
from app.fulfilment.service import pickups
from app.orders import queries as orders
from app.web import access
from app.web.flash import flash


def index() -> str:
    """Return the shop's own orders that are collected, by state."""
    state = request.args.get("state", "booked")
    state = state if state in states.PICKUP_NAMES else ""
    page = queries.list_pickups(access.actor().merchant_id, state, request.args.get("cursor", ""))
    return render_template(
        "fulfilment/merchant/pickups.html", page=page, state=state, names=states.PICKUP_NAMES, tones=states.PICKUP_TONES, now=clock.now()
    )


def prepare(order_id: int) -> Any:
    """Put an order on the shelf; its buyer hears of it."""
    with transaction():
        service.prepare(access.actor(), order_id)
    flash("已备货，买家会收到核销码")
    return redirect("/merchant/pickups", 303)


def give_back(order_id: int) -> Any:
    """Take what nobody fetched off the shelf."""
    with transaction():
        service.give_back(access.actor(), order_id)
    flash("已登记退回，核销码作废")
    return redirect("/merchant/pickups?state=ready", 303)


def verify_page(found: Any = None, typed: str = "", message: str = "", status: int = 200) -> tuple[str, int]:
    """Return the clerk's page: a field for the code, the order it stands for, the last handings-over."""
    order = lines = None
    if found is not None and found.order_id and not found.refusal:
        order, lines = queries.order_to_hand_over(found.order_id)
    actor = access.actor()
    html = render_template(
        "fulfilment/merchant/verify.html", order=order, lines=lines, typed=typed, message=message, recent=queries.handed_over(actor),
        undo_until=clock.now() - pickups.UNDO_WITHIN,
    )  # fmt: skip
    return html, status


def look() -> Any:
    """Show the order of a code before anything is handed over; a wrong code is counted."""
    typed = request.form.get("code", "")[:40]
    try:
        with transaction():
            found = pickups.look_up(access.actor(), typed)
    except AppError as error:
        return verify_page(None, typed, error.message, error.status)
    return verify_page(found, typed, found.refusal, 422 if found.refusal else 200)


def hand_over() -> Any:
    """Hand the order over; the refusal is shown on the same page."""
    typed = request.form.get("code", "")[:40]
    try:
        with transaction():
            found = service.hand_over(access.actor(), typed)
    except AppError as error:
        return verify_page(None, typed, error.message, error.status)
    if found.refusal:
        return verify_page(None, typed, found.refusal, 422)
    flash("核销成功，请交付商品")
    return redirect("/merchant/verify", 303)


def undo(pickup_id: int) -> Any:
    """Take one's own handing-over back."""
    with transaction():
        service.undo(access.actor(), pickup_id)
    flash("核销已撤销，核销码恢复有效")
    return redirect("/merchant/verify", 303)


def buyer(order_id: int) -> str:
    """Show a buyer where to collect and the code."""
    order = orders.get_for(access.actor(), order_id)
    found = delivery.pickup_of(order_id)
    if found is None:
        raise NotFound("pickup.missing", "这不是自提订单")
    pickup, point = found
    code = codes.unseal(pickup.code_enc, pickup.id) if pickup.state == "ready" and pickup.code_enc else ""
    return render_template(
        "fulfilment/storefront/pickup.html", order=order, pickup=pickup, point=point, code=codes.grouped(code) if code else "",
        qr=papers.qr_svg(code, 6) if code else "", names=states.PICKUP_NAMES,
    )  # fmt: skip
