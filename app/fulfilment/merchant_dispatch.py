"""Merchant's pages of e-waybills, waves and shelves."""

from __future__ import annotations

from typing import Any

from app.fulfilment import dispatch_pages as pages
from app.fulfilment.merchant import bp as bp
from app.web.surfaces import needs


@bp.post("/orders/<int:order_id>/waybill")
@needs("merchant_order.ship")
def ask_waybill(order_id: int) -> Any:
    """Ask a carrier for an e-waybill and send the parcel."""
    return pages.ask_waybill(order_id)


@bp.post("/waybills/<int:waybill_id>/cancel")
@needs("merchant_order.ship")
def cancel_waybill(waybill_id: int) -> Any:
    """Take an unused e-waybill back."""
    return pages.cancel_waybill(waybill_id)


@bp.post("/parcels/<int:parcel_id>/refresh")
@needs("merchant_order.view")
def refresh(parcel_id: int) -> Any:
    """Ask the carrier where a parcel is."""
    return pages.refresh(parcel_id)


@bp.get("/waves")
@needs("merchant_order.ship")
def wave_list() -> str:
    """List the shop's waves."""
    return pages.wave_index()


@bp.post("/waves")
@needs("merchant_order.ship")
def make_wave() -> Any:
    """Put orders into a wave."""
    return pages.make_wave()


@bp.get("/waves/<int:wave_id>")
@needs("merchant_order.ship")
def wave(wave_id: int) -> str:
    """Show one wave."""
    return pages.wave(wave_id)


@bp.post("/waves/<int:wave_id>/pick")
@needs("merchant_order.ship")
def print_wave(wave_id: int) -> Any:
    """Print a wave's pick list."""
    return pages.print_wave(wave_id)


@bp.post("/waves/<int:wave_id>/finish")
@needs("merchant_order.ship")
def finish_wave(wave_id: int) -> Any:
    """Note that a wave is picked."""
    return pages.finish_wave(wave_id)


@bp.get("/shelves")
@needs("merchant_order.ship")
def shelves() -> str:
    """Show where the shop's variants lie."""
    return pages.shelves()


@bp.post("/shelves")
@needs("merchant_order.ship")
def save_shelves() -> Any:
    """Save where the shop's variants lie."""
    return pages.save_shelves()
