"""E-waybills: asked of a carrier outside any transaction, then sent as a parcel; the same reference on every repeat (T21, trap 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, egress, jobs
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound, Upstream
from app.core.ids import new_id
from app.core.tx import retry_conflicts, transaction
from app.delivery import queries as delivery
from app.fulfilment import adapters, queries
from app.fulfilment.adapters import Push, Scan, Shipment
from app.fulfilment.models import CarrierPush, Parcel, Waybill
from app.fulfilment.service.shipping import ship
from app.fulfilment.service.tracking import track
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.orders import queries as orders
from app.orders.models import Order
from dbadapters.errors import UniqueViolation

APPLY_JOB = "fulfilment.apply_push"
TIMED_OUT = "承运商没有及时应答；请重试，同一申请不会重复下单"
STATES = {"asked": "申请中", "issued": "已取号", "failed": "被拒绝", "cancelled": "已取消"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def request(actor: Actor, order_id: int, carrier: str, units: Mapping[int, int] | None = None, warehouse_id: int = 0) -> int:
    """Ask a carrier for an e-waybill and send the parcel with it; returns the parcel. Opens its own transactions.

    A request that was not answered stays open: asked again it uses the same reference, so the carrier makes one waybill. Raises
    NotFound, Conflict(`order.not_shippable`), Invalid, Upstream with the carrier's words.
    """
    adapter = adapters.get(carrier)
    waybill_id, shipment = retry_conflicts(lambda: _opened(actor, order_id, carrier, units))
    try:
        number = adapter.create(shipment)
    except egress.Unanswered:
        raise Upstream("carrier.unanswered", TIMED_OUT) from None
    except Upstream as error:
        _end(waybill_id, "failed", error.message)
        raise
    wanted = retry_conflicts(lambda: _kept(waybill_id, number))

    def send() -> int:
        with transaction():
            return ship(actor, order_id, carrier, number, wanted, warehouse_id, issued=True).id

    return retry_conflicts(send)


def _opened(actor: Actor, order_id: int, carrier: str, units: Mapping[int, int] | None) -> tuple[int, Shipment]:
    """Write the request down, or find the one that was not answered."""
    with transaction():
        order = orders.get_for(actor, order_id)
        waiting = queries.waiting_units(order)
        wanted = {line: n for line, n in (waiting if units is None else units).items() if n}
        if order.status != "paid" or order.hold != "-" or delivery.pickup_of(order_id) is not None:
            raise Conflict("order.not_shippable", "订单不在待发货状态，或被暂停发货，请刷新查看")
        if not wanted or any(n < 0 or n > waiting.get(line, 0) for line, n in wanted.items()):
            raise Invalid("parcel.units", "请填写发货数量，每件商品不超过待发数量", field="units")
        packed = {str(line): n for line, n in wanted.items()}
        open_one = (Waybill.order_id == order_id, Waybill.carrier == carrier, Waybill.state == "asked")
        known = session.scalar(select(Waybill.id).where(*open_one).order_by(Waybill.id).limit(1))
        if known is not None:
            cas.change(Waybill, known, where={"state": "asked"}, values={"units": packed})
            return known, _shipment(order, known, wanted)
        waybill_id = new_id()
        session.add(
            Waybill(
                id=waybill_id, order_id=order_id, merchant_id=order.merchant_id, carrier=carrier, state="asked",
                tracking_no=f"#{waybill_id}", units=packed, created_at=clock.now(),
            )
        )  # fmt: skip
        audit.record(actor, "waybill.requested", "order", order_id, detail={"carrier": carrier})
        return waybill_id, _shipment(order, waybill_id, wanted)


def _shipment(order: Order, waybill_id: int, wanted: Mapping[int, int]) -> Shipment:
    receiver, shop = orders.receiver_of(order), merchants.get_merchant(order.merchant_id)
    lines = [line for line in orders.lines_of([order.id])[order.id] if line.id in wanted]
    weight_g = queries.weight_of({line.sku_id: wanted[line.id] for line in lines})
    return Shipment(
        f"RM{waybill_id}", receiver.name, receiver.phone, f"{identity.area_name(order.area_code)}{receiver.street}", shop.shop_name,
        merchants.phone_in_clear(shop), f"{identity.area_name(shop.area_code)}{shop.street}", "、".join(line.title for line in lines)[:60],
        max(1, weight_g), order.temperature,
    )  # fmt: skip


def _kept(waybill_id: int, number: str) -> dict[int, int]:
    """Keep the number alone and first: should the order have moved meanwhile, the waybill is known and can be taken back."""
    with transaction():
        units = {int(line): int(n) for line, n in session.get_one(Waybill, waybill_id).units.items()}
        cas.change(Waybill, waybill_id, where={"state": "asked"}, values={"state": "issued", "tracking_no": number})
        return units


def _end(waybill_id: int, state: str, error: str) -> None:
    with transaction():
        cas.change(Waybill, waybill_id, where={"state": ("asked", "issued")}, values={"state": state, "error": error[:200]})


def cancel(actor: Actor, waybill_id: int) -> None:
    """Take back a waybill no parcel was sent with. Opens its own transactions. Raises NotFound, Conflict(`waybill.state`), Upstream."""
    row = queries.get_waybill(actor, waybill_id)
    carrier, number, state, order_id = row.carrier, row.tracking_no, row.state, row.order_id
    used = session.scalar(select(Parcel.id).where(Parcel.carrier == carrier, Parcel.tracking_no == number))
    if state != "issued" or used is not None:
        raise Conflict("waybill.state", "面单已用于包裹，或不在可取消的状态")
    adapters.get(carrier).cancel(number, f"RM{waybill_id}")
    _end(waybill_id, "cancelled", "-")
    with transaction():
        audit.record(actor, "waybill.cancelled", "order", order_id, detail={"tracking_no": number})


def refresh(actor: Actor, parcel_id: int) -> int:
    """Ask a parcel's carrier where it is and take what is new; returns how many scans were. Opens its own transactions."""
    parcel = queries.get_parcel(actor, parcel_id)
    carrier = parcel.carrier
    scans = adapters.get(carrier).track(parcel.tracking_no)

    def unit() -> int:
        with transaction():
            return _apply(carrier, scans)

    return retry_conflicts(unit)


def take_push(carrier: str, push: Push) -> bool:
    """Check and keep a push; False when this very one was kept before. It is applied by a job. Raises what `read_push` raises."""
    scans = [_packed(scan) for scan in adapters.get(carrier).read_push(push)]
    mark = hashlib.new("sm3", carrier.encode() + b"\n" + push.body).hexdigest()

    def unit() -> bool:
        with transaction():
            row = CarrierPush(
                id=new_id(), carrier=carrier, digest=mark, content=push.body.decode("utf-8", "replace"), received_at=clock.now()
            )
            try:
                with session.begin_nested():
                    session.add(row)
                    session.flush()  # the digest is unique
            except UniqueViolation:
                return False
            jobs.enqueue_once(APPLY_JOB, {"push_id": row.id, "scans": scans}, key=f"{row.id}")
            return True

    return retry_conflicts(unit)


def _packed(scan: Scan) -> list[str]:
    return [scan.tracking_no, scan.key, scan.kind, scan.place, scan.text, str(clock.microseconds(scan.at))]


def apply_push(push_id: int, scans: list[list[str]]) -> None:
    """Take the scans of a kept push, once; a number nobody sent with is passed over."""
    carrier = session.get_one(CarrierPush, push_id).carrier
    if cas.change(CarrierPush, push_id, where={"applied_at": None}, values={"applied_at": clock.now()}):
        _apply(carrier, [Scan(n, k, kind, place, text, EPOCH + timedelta(microseconds=int(us))) for n, k, kind, place, text, us in scans])


def _apply(carrier: str, scans: list[Scan]) -> int:
    taken = 0
    for scan in scans:
        try:
            taken += track(carrier, scan.tracking_no, scan.key, scan.kind, scan.place, scan.text, scan.at)
        except NotFound:
            continue
    return taken
