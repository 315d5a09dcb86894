"""Pages of e-waybills, waves and shelves of a shop, trips of the operators."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.core.errors import AppError, Invalid
from app.core.money import parse_yuan
from app.core.tx import transaction
from app.fulfilment import boards, printing, queries, service, sharing
from app.fulfilment.forms import units_of
from app.fulfilment.service import waves, waybills
from app.identity import queries as identity
from app.orders import queries as orders
from app.orders import states
from app.web import access
from app.web.flash import flash

TRIP_STATES = {"planned": "待发车", "out": "配送中", "done": "已完成"}
TRIP_TONES = {"planned": "warn", "out": "brand", "done": "ok"}


def chosen(name: str = "order") -> list[int]:
    """Return the ids checked on the page. Raises Invalid for what is none."""
    values = request.form.getlist(name)
    if not all(value.isdigit() and len(value) < 20 for value in values):
        raise Invalid("form.ids", "选择的订单不正确")
    return [int(value) for value in values]


def ask_waybill(order_id: int) -> Any:
    """Ask the carrier for an e-waybill and send the parcel; what went wrong is said on the shipping page."""
    actor = access.actor()
    order = orders.get_for(actor, order_id)
    try:
        units = units_of(request.form, queries.waiting_units(order))
        parcel_id = waybills.request(actor, order_id, request.form.get("carrier", ""), units)
    except AppError as error:
        if error.status in {403, 404}:
            raise
        flash(error.message, "bad")
        return redirect(f"/merchant/orders/{order_id}/ship", 303)
    flash("已取得电子面单并发货")
    return redirect(f"/merchant/parcels/{parcel_id}", 303)


def cancel_waybill(waybill_id: int) -> Any:
    """Take an unused e-waybill back."""
    actor = access.actor()
    order_id = queries.get_waybill(actor, waybill_id).order_id
    try:
        waybills.cancel(actor, waybill_id)
    except AppError as error:
        if error.status in {403, 404}:
            raise
        flash(error.message, "bad")
    else:
        flash("电子面单已取消")
    return redirect(f"/merchant/orders/{order_id}/ship", 303)


def refresh(parcel_id: int) -> Any:
    """Ask the carrier where a parcel is."""
    actor = access.actor()
    queries.get_parcel(actor, parcel_id)
    try:
        new = waybills.refresh(actor, parcel_id)
    except AppError as error:
        flash(error.message, "bad")
    else:
        flash(f"已更新 {new} 条物流记录" if new else "没有新的物流记录")
    return redirect(f"/merchant/parcels/{parcel_id}", 303)


def wave_index() -> str:
    """Return the shop's waves and the orders that wait for one."""
    merchant_id = access.actor().merchant_id
    return render_template(
        "fulfilment/merchant/waves.html", page=boards.list_waves(merchant_id, request.args.get("cursor", "")),
        waiting=boards.waiting_for_wave(merchant_id), area_name=identity.area_name,
    )  # fmt: skip


def make_wave() -> Any:
    """Put the checked orders into a wave."""
    try:
        wanted = chosen()
        with transaction():
            wave_id = waves.open_wave(access.actor(), wanted)
    except AppError as error:
        if error.status in {403, 404}:
            raise
        flash(error.message, "bad")
        return redirect("/merchant/waves", 303)
    flash("波次已生成，可以打印拣货单")
    return redirect(f"/merchant/waves/{wave_id}", 303)


def wave(wave_id: int) -> str:
    """Return one wave with what is to be picked, by shelf."""
    row = boards.get_wave(access.actor(), wave_id)
    mine = boards.orders_of_wave(wave_id)
    return render_template(
        "fulfilment/merchant/wave.html", row=row, orders=mine, rows=queries.pick_rows(mine), names=states.NAMES, tones=states.TONES,
        area_name=identity.area_name, prints=queries.prints_of([wave_id]),
    )  # fmt: skip


def print_wave(wave_id: int) -> Any:
    """Log and answer a wave's pick list."""
    actor = access.actor()
    row = boards.get_wave(actor, wave_id)
    with transaction():
        seq = service.log_print(actor, "pick", wave_id, row.merchant_id)
    row, mine = boards.get_wave(actor, wave_id), boards.orders_of_wave(wave_id)
    head = [f"波次 {row.number}，共 {len(mine)} 单"]
    return printing.sheet("波次拣货单", head, queries.pick_rows(mine), row.number, f"/merchant/waves/{wave_id}/pick", seq)


def finish_wave(wave_id: int) -> Any:
    """Note that a wave is picked."""
    with transaction():
        waves.finish_wave(access.actor(), wave_id)
    flash("波次已拣完，请逐单打包发货")
    return redirect(f"/merchant/waves/{wave_id}", 303)


def shelves() -> str:
    """Return the shop's variants with their shelves."""
    return render_template("fulfilment/merchant/shelves.html", rows=boards.skus_of_shop(access.actor().merchant_id), typed={}, error="")


def save_shelves() -> Any:
    """Save every shelf that was changed; a wrong one is said and nothing is saved."""
    actor = access.actor()
    rows = boards.skus_of_shop(actor.merchant_id)
    typed = {row.id: request.form[f"s{row.id}"] for row in rows if f"s{row.id}" in request.form}
    try:
        with transaction():
            for row in rows:
                if row.id in typed and typed[row.id].strip() != (row.place or "").removeprefix("-"):
                    waves.set_shelf(actor, row.id, typed[row.id])
    except Invalid as error:
        rows = boards.skus_of_shop(actor.merchant_id)
        return render_template("fulfilment/merchant/shelves.html", rows=rows, typed=typed, error=error.message), 422
    flash("货位已保存")
    return redirect("/merchant/shelves", 303)


def trips(error: str = "", status: int = 200) -> tuple[str, int]:
    """Return the trips and the orders of an area that wait for one."""
    area = request.values.get("area", "")
    html = render_template(
        "fulfilment/operator/trips.html", page=boards.list_trips(request.args.get("cursor", "")), area=area, error=error, form=request.form,
        waiting=boards.waiting_for_trip(area), areas=identity.list_areas(), area_name=identity.area_name,
        picked=request.form.getlist("order"), names=TRIP_STATES, tones=TRIP_TONES,
    )  # fmt: skip
    return html, status


def make_trip() -> Any:
    """Join the checked orders to one trip; problems come back with what was typed."""
    form = request.form
    try:
        wanted = chosen()
        cost, solo = parse_yuan(form.get("cost", "")), parse_yuan(form.get("solo", ""))
        with transaction():
            trip_id = waves.plan_trip(
                access.actor(), wanted, place=form.get("place", ""), driver=form.get("driver", ""), vehicle=form.get("vehicle", ""),
                cost_fen=cost, solo_fen=solo,
            )  # fmt: skip
    except AppError as error:
        if error.status in {403, 404}:
            raise
        return trips(error.message, error.status)
    flash("集单车次已生成")
    return redirect(f"/operator/trips/{trip_id}", 303)


def trip(trip_id: int) -> str:
    """Return one trip's sheet: the way, who bears what, what it saves."""
    row, stops = boards.get_trip(trip_id), boards.stops_of(trip_id)
    saving = (row.solo_fen - row.cost_fen) * 10_000 // row.solo_fen
    return render_template(
        "fulfilment/operator/trip.html", row=row, stops=stops, saving_bps=saving, names=TRIP_STATES, tones=TRIP_TONES,
        area_name=identity.area_name, basis=sharing.CM3_PER_KG,
    )  # fmt: skip


def move_trip(trip_id: int) -> Any:
    """Send a trip out or note that it is done, by the button pressed."""
    to = request.form.get("to", "")
    with transaction():
        waves.move_trip(access.actor(), trip_id, to)
    flash(f"车次{TRIP_STATES[to]}")
    return redirect(f"/operator/trips/{trip_id}", 303)
