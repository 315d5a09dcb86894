"""Changing where an order goes before it is dispatched: by its buyer, or by its merchant with the buyer's consent (T13).

The county stays: another one would change freight, promise and local delivery, so it is refused, and the buyer cancels (free before
dispatch) and orders again. That is exact: an order's money never changes with its address. Unpaid and paid orders alike.
"""

from __future__ import annotations

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, runtime, sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.identity import service as identity
from app.orders import addresses, guards, queries, rows
from app.orders.models import AddressChange, Order
from app.orders.placing import add_event
from app.orders.queries import Receiver
from app.orders.states import PAID, UNPAID

TABLE = "order_address_change"


def change(actor: Actor, order_id: int, receiver: str, phone: str, street: str, area_code: str) -> None:
    """Let the buyer change the address of an own order that has not been dispatched; open proposals of the merchant end.

    Raises NotFound, Invalid naming the field (`order.area` for another county), Conflict(`order.state`, `order.started`).
    """
    order = queries.get_for(actor, order_id)
    wanted = identity.checked_address(receiver, phone, street, area_code)
    if area_code != order.area_code:
        raise Invalid("order.area", "不能改到其他县区：运费与时效会变化。请取消订单后按新地址重新下单", field="area_code")
    _apply(actor, order_id, wanted)
    proposal = open_proposal(order_id)
    if proposal is not None:
        _close(proposal.id, "withdrawn")


def _apply(actor: Actor, order_id: int, wanted: tuple[str, str, str]) -> None:
    rows.take(order_id)
    order = session.get_one(Order, order_id)
    if order.status not in (UNPAID, PAID):
        raise Conflict("order.state", "订单已发货或已结束，不能修改收货信息")
    guards.refuse_started(order_id)
    values = {
        **addresses.sealed(order_id, *wanted), **addresses.keys_of(*wanted, order.area_code), "address_rev": order.address_rev + 1,
        "bundle_id": 0,
    }  # fmt: skip
    cas.change(Order, order_id, where={"address_rev": order.address_rev}, values=values)
    add_event(order_id, "readdressed", actor, values["receiver_mask"])
    audit.record(actor, "order.readdressed", "order", order_id, detail={"revision": values["address_rev"]})


def open_proposal(order_id: int) -> AddressChange | None:
    """Return the merchant's proposal that waits for the buyer."""
    return session.scalar(select(AddressChange).where(AddressChange.order_id == order_id, AddressChange.open_key == 0))


def proposed(proposal: AddressChange) -> Receiver:
    """Decrypt what a proposal says, for the merchant and the buyer of its order."""
    cipher = runtime.current().cipher
    columns = ("receiver_enc", "phone_enc", "street_enc")
    return Receiver(*(cipher.decrypt(getattr(proposal, c), table=TABLE, column=c, row_id=proposal.id) for c in columns))


def propose(actor: Actor, order_id: int, receiver: str, phone: str, street: str, reason: str) -> int:
    """Ask the buyer to agree to another address in the same county; returns the proposal, the only open one of the order.

    Raises NotFound, Invalid naming the field, Conflict(`order.state`, `order.started`, `readdress.open`).
    """
    why = clean(reason)[:200]
    if not why:
        raise Invalid("readdress.reason", "请写明为什么要改地址", field="reason")
    area_code = queries.get_for(actor, order_id).area_code
    wanted = identity.checked_address(receiver, phone, street, area_code)
    rows.take(order_id)
    if session.get_one(Order, order_id).status not in (UNPAID, PAID):
        raise Conflict("order.state", "订单已发货或已结束，不能修改收货信息")
    guards.refuse_started(order_id)
    if open_proposal(order_id) is not None:
        raise Conflict("readdress.open", "已有一条修改在等待买家确认")
    row_id, cipher = new_id(), runtime.current().cipher
    sealed = {
        column: cipher.encrypt(value, table=TABLE, column=column, row_id=row_id)
        for column, value in zip(("receiver_enc", "phone_enc", "street_enc"), wanted, strict=True)
    }
    sql.add(
        AddressChange,
        {
            "id": row_id, "order_id": order_id, "open_key": 0, "status": "proposed", "reason": why, "proposed_by": actor.name or "商家",
            "proposed_at": clock.now(), **sealed,
        },
    )  # fmt: skip
    add_event(order_id, "readdress_asked", actor, why)
    audit.record(actor, "order.readdress_asked", "order", order_id, detail={"reason": why})
    return row_id


def decide(actor: Actor, order_id: int, *, accept: bool) -> None:
    """Let the buyer accept or refuse the open proposal. Raises NotFound, Conflict(`readdress.gone`, `order.state`, `order.started`)."""
    queries.get_for(actor, order_id)
    rows.take(order_id)
    proposal = open_proposal(order_id)
    if proposal is None:
        raise Conflict("readdress.gone", "这条修改已处理或已撤回")
    wanted = proposed(proposal)
    _close(proposal.id, "accepted" if accept else "refused")
    if accept:
        _apply(actor, order_id, (wanted.name, wanted.phone, wanted.street))
        return
    add_event(order_id, "readdress_refused", actor)
    audit.record(actor, "order.readdress_refused", "order", order_id)


def withdraw(actor: Actor, order_id: int) -> None:
    """Let the merchant take its open proposal back. Raises NotFound."""
    queries.get_for(actor, order_id)
    rows.take(order_id)
    proposal = open_proposal(order_id)
    if proposal is None:
        raise NotFound("readdress.gone", "这条修改已处理或已撤回")
    _close(proposal.id, "withdrawn")


def _close(proposal_id: int, status: str) -> None:
    values = {"status": status, "open_key": proposal_id, "decided_at": clock.now()}
    if not cas.change(AddressChange, proposal_id, where={"open_key": 0}, values=values):
        raise Conflict("readdress.gone", "这条修改已处理或已撤回")
