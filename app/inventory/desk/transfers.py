"""Transfers between warehouses."""

from __future__ import annotations

from typing import Any

from flask import request

from app.core.errors import AppError, Invalid
from app.inventory import reads
from app.inventory.desk import Desk, Route, form_rows, row_id, typed_rows, units, wants_more, whole_of
from app.inventory.models import Transfer
from app.inventory.service import transfers, warehouses
from app.web import access

STATES = {"requested": "待发出", "shipped": "在途", "received": "已收货", "cancelled": "已取消"}
TONES = {"requested": "warn", "shipped": "brand", "received": "ok", "cancelled": "mute"}


def transfer_list(desk: Desk) -> Any:
    """List transfers."""
    status = request.args.get("status", "")
    status = status if status in STATES else ""
    page = reads.papers(access.actor(), Transfer, status, request.args.get("cursor", ""))
    places = {place for row in page.items for place in (row.from_warehouse_id, row.to_warehouse_id)}
    return desk.page("transfers", page=page, status_shown=status, states=STATES, tones=TONES, names=reads.names_of(places))


def transfer_new(desk: Desk) -> Any:
    """Show the empty form."""
    return _form(desk)


def _form(desk: Desk, problem: AppError | None = None) -> Any:
    actor = access.actor()
    places = [place for place in warehouses.visible(actor) if place.status == "active"]
    mine = [place.id for place in warehouses.mine(actor)]
    others = [place.id for place in places if place.id not in mine[:1]]
    return desk.page(
        "transfer_new", places=places, from_id=(mine or [0])[0], to_id=(others or [0])[0], rows=form_rows(), problem=problem,
        status=problem.status if problem else 200,
    )  # fmt: skip


def transfer_create(desk: Desk) -> Any:
    """Ask for goods to be moved."""
    if wants_more():
        return _form(desk)
    made: dict[str, int] = {}

    def work(actor: Any) -> None:
        merchant_id = desk.shop(request.form.get("shop", ""))
        lines = [
            (sku_id, whole_of(number, code), transfers.lot_of(sku_id, lot_no))
            for code, number, lot_no in typed_rows("code", "number", "lot_no")
            for sku_id in (reads.find_sku(merchant_id, code),)
        ]
        made["id"] = transfers.request(actor, row_id("from_id"), row_id("to_id"), lines, request.form.get("note", "")).id

    return desk.attempt(work, lambda error: _form(desk, error), lambda: f"{desk.base}/transfers/{made['id']}", "调拨已申请")


def transfer_detail(desk: Desk, transfer_id: int) -> Any:
    """Show a transfer and the next step."""
    return _detail(desk, transfer_id)


def _detail(desk: Desk, transfer_id: int, problem: AppError | None = None) -> Any:
    actor = access.actor()
    transfer = transfers.get_for(actor, transfer_id)
    lines = transfers.lines_of(transfer_id)
    return desk.page(
        "transfer", transfer=transfer, lines=lines, wares=reads.wares([line.sku_id for line in lines]),
        lots=reads.lot_numbers({line.lot_id for line in lines}),
        names=reads.names_of([transfer.from_warehouse_id, transfer.to_warehouse_id]), states=STATES, tones=TONES,
        may_ship=transfers.may_ship(actor, transfer), may_receive=transfers.may_receive(actor, transfer), problem=problem,
        status=problem.status if problem else 200,
    )  # fmt: skip


def transfer_ship(desk: Desk, transfer_id: int) -> Any:
    """Send it."""
    return _verb(desk, transfer_id, transfers.ship, "已发出，货物在途")


def transfer_cancel(desk: Desk, transfer_id: int) -> Any:
    """Cancel it."""
    return _verb(desk, transfer_id, transfers.cancel, "调拨已取消")


def transfer_receive(desk: Desk, transfer_id: int) -> Any:
    """Receive it, with what is missing and why."""

    def work(actor: Any) -> None:
        transfers.get_for(actor, transfer_id)
        arrived = {}
        for line in transfers.lines_of(transfer_id):
            if f"units_{line.id}" not in request.form:
                raise Invalid("form.stale", "页面已过期，请刷新后重新提交")
            arrived[line.id] = (units(f"units_{line.id}"), request.form.get(f"reason_{line.id}", ""))
        transfers.receive(actor, transfer_id, arrived)

    return desk.attempt(work, lambda error: _detail(desk, transfer_id, error), f"{desk.base}/transfers/{transfer_id}", "已收货入库")


def _verb(desk: Desk, transfer_id: int, verb: Any, done: str) -> Any:
    def again(error: AppError) -> Any:
        return _detail(desk, transfer_id, error)

    return desk.attempt(lambda actor: verb(actor, transfer_id), again, f"{desk.base}/transfers/{transfer_id}", done)


ROUTES: tuple[Route, ...] = (
    ("GET", "/transfers", "view", transfer_list), ("GET", "/transfers/new", "work", transfer_new),
    ("POST", "/transfers", "work", transfer_create), ("GET", "/transfers/<int:transfer_id>", "view", transfer_detail),
    ("POST", "/transfers/<int:transfer_id>/ship", "work", transfer_ship),
    ("POST", "/transfers/<int:transfer_id>/receive", "work", transfer_receive),
    ("POST", "/transfers/<int:transfer_id>/cancel", "work", transfer_cancel),
)  # fmt: skip
