"""The queue of abnormal orders: raised by hand or by a finding, claimed by one officer, resolved with an effect (T13, P11).

Rows are taken in this order: case, trade, order, and what follows an order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import select

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.identity import queries as identity
from app.inventory import queries as inventory
from app.orders import addresses, dividing, holds, queries, rows, service
from app.orders.models import Order, OrderCase
from app.orders.placing import add_event
from app.orders.states import CANCELLED, CASE_HOLDS, CASE_KINDS, CHOICES, NONE, OPEN, PAID, RESOLUTIONS, UNPAID

BATCH = 100
OVERDUE_AFTER = timedelta(hours=24)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_RUN = re.compile(r"(.)\1{4,}")
Judged = Callable[[Actor, OrderCase, str], None]
_judged: list[Judged] = []


def on_resolved(hook: Judged) -> None:
    """Let a domain (risk) hear in the same transaction of a case's resolution: (actor, case, resolution)."""
    if hook not in _judged:
        _judged.append(hook)


def raise_by_hand(actor: Actor, order_id: int, kind: str, reason: str) -> int:
    """Put an order the actor may see into the queue and hold it; returns the case.

    Raises NotFound, Invalid(`case.kind`, `case.reason`), Conflict(`case.open` while one of the kind waits, `order.state`).
    """
    if kind not in CASE_HOLDS or (actor.realm == "merchant" and kind == "risk"):
        raise Invalid("case.kind", "请选择异常类型", field="kind")
    why = clean(reason)[:200]
    if not why:
        raise Invalid("case.reason", "请写明异常情况", field="reason")
    order = queries.get_for(actor, order_id)
    if order.status not in OPEN:
        raise Conflict("order.state", "订单已完成或已取消，不能登记异常")
    source = "merchant" if actor.realm == "merchant" else "operator"
    rows.take(order_id)  # two people raise one after the other
    waiting = select(OrderCase.id).where(OrderCase.order_id == order_id, OrderCase.kind == kind, OrderCase.status != "resolved")
    if session.scalar(waiting.limit(1)) is not None:
        raise Conflict("case.open", f"该订单已有未处理的“{CASE_KINDS[kind]}”异常")
    return _add(actor, session.get_one(Order, order_id), kind, f"hand:{new_id()}", source, why, hold=True)


def raise_found(order_id: int, kind: str, cause: str, reason: str, *, source: str = "auto", hold: bool = True) -> int:
    """Put an order into the queue for a finding; one case for each cause, whose id is returned however often it is found."""
    known = session.scalar(select(OrderCase.id).where(OrderCase.cause == cause))
    if known is not None:
        return known
    order = queries.get_for(SYSTEM, order_id)
    return _add(SYSTEM, order, kind, cause, source, reason[:200], hold=hold and order.status in OPEN)


def raise_payment(trade_id: int, cause: str, reason: str) -> int:
    """Put money that came without being owed into the queue; it is on its way back already, so nothing is held."""
    known = session.scalar(select(OrderCase.id).where(OrderCase.cause == cause))
    if known is not None:
        return known
    orders = queries.orders_of_trade(trade_id)
    if orders:
        return _add(SYSTEM, orders[0], "payment", cause, "auto", reason[:200], hold=False)
    case_id = new_id()
    _write(SYSTEM, case_id, 0, trade_id, 0, ("payment", cause, "auto", reason[:200]))
    return case_id


def _add(actor: Actor, order: Order, kind: str, cause: str, source: str, reason: str, *, hold: bool) -> int:
    case_id, order_id, trade_id, merchant_id = new_id(), order.id, order.trade_id, order.merchant_id
    if hold:
        holds.place(actor, order_id, CASE_HOLDS[kind], reason)
    _write(actor, case_id, order_id, trade_id, merchant_id, (kind, cause, source, reason))
    add_event(order_id, "case", actor, f"{CASE_KINDS[kind]}：{reason}", internal=True)
    return case_id


def _write(actor: Actor, case_id: int, order_id: int, trade_id: int, merchant_id: int, what: tuple[str, str, str, str]) -> None:
    kind, cause, source, reason = what
    sql.add(
        OrderCase,
        {
            "id": case_id, "order_id": order_id, "trade_id": trade_id, "merchant_id": merchant_id, "kind": kind, "cause": cause,
            "source": source, "reason": reason, "status": "open", "raised_by": actor.name or "系统", "raised_at": clock.now(),
            "officer_id": 0, "officer_name": NONE, "resolution": NONE, "note": NONE,
        },
    )  # fmt: skip
    audit.record(actor, "order_case.raised", "order_case", case_id, detail={"order": order_id, "kind": kind, "reason": reason})


def get(case_id: int) -> OrderCase:
    """Return a case. Raises NotFound."""
    found = session.get(OrderCase, case_id)
    if found is None:
        raise NotFound("case.missing", "异常单不存在")
    return found


def choices(case: OrderCase) -> dict[str, str]:
    """Return the resolutions a case allows now."""
    allowed = CHOICES[case.kind]
    if case.order_id and "cancel" in allowed:
        order = session.get_one(Order, case.order_id)
        if order.status not in (UNPAID, PAID):
            allowed = tuple(word for word in allowed if word != "cancel")
        if order.status != PAID or order.item_count < 2:
            allowed = tuple(word for word in allowed if word != "split")
    return {word: RESOLUTIONS[word] for word in allowed}


def claim(actor: Actor, case_id: int) -> None:
    """Become the officer of an open case. Raises NotFound, Conflict(`case.state`) when somebody was faster."""
    get(case_id)
    cas.move(
        OrderCase, case_id, from_="open", to="claimed", code="case.state", message="该异常单已被认领或已处理，请刷新查看",
        officer_id=actor.account_id, officer_name=actor.name[:60] or NONE, claimed_at=clock.now(),
    )  # fmt: skip
    audit.record(actor, "order_case.taken", "order_case", case_id)


def give_back(actor: Actor, case_id: int) -> None:
    """Put one's claimed case back into the queue. Raises NotFound, Conflict(`case.state`)."""
    get(case_id)
    where = {"status": "claimed", "officer_id": actor.account_id}
    values = {"status": "open", "officer_id": 0, "officer_name": NONE, "claimed_at": None}
    if not cas.change(OrderCase, case_id, where=where, values=values):
        raise Conflict("case.state", "只能退回自己认领且未处理的异常单")
    audit.record(actor, "order_case.given_back", "order_case", case_id)


def resolve(actor: Actor, case_id: int, resolution: str, note: str, units: Mapping[int, int] | None = None) -> None:
    """End a case the actor has claimed, with its effect on the order in the same transaction.

    release: the case's hold is lifted; cancel: the order is cancelled and refunded; split: the units (by line) become an order that
    is cancelled and refunded, the rest is released; noted: the hold is lifted, nothing else.
    Raises NotFound, Invalid(`case.resolution`, `case.note`), Conflict(`case.state`, `order.state`).
    """
    case, why = get(case_id), clean(note)[:200]
    if resolution not in CHOICES[case.kind]:
        raise Invalid("case.resolution", "请选择处理方式", field="resolution")
    if not why:
        raise Invalid("case.note", "请写明处理依据", field="note")
    order_id, kind = case.order_id, case.kind
    where = {"status": "claimed", "officer_id": actor.account_id}
    values = {"status": "resolved", "resolution": resolution, "note": why, "resolved_at": clock.now()}
    if not cas.change(OrderCase, case_id, where=where, values=values):
        raise Conflict("case.state", "请先认领；或该异常单已由他人处理，请刷新查看")
    if order_id:
        if resolution == "split":
            part = dividing.divide(actor, order_id, units or {}, CASE_KINDS[kind])
            service.cancel_paid(actor, part, f"{CASE_KINDS[kind]}，平台取消")
        _carry_out(actor, order_id, kind, resolution, why)
    for hook in _judged:
        hook(actor, session.get_one(OrderCase, case_id), resolution)
    audit.record(actor, "order_case.resolved", "order_case", case_id, detail={"order": order_id, "resolution": resolution, "note": why})


def _carry_out(actor: Actor, order_id: int, kind: str, resolution: str, why: str) -> None:
    add_event(order_id, "case_done", actor, f"{CASE_KINDS[kind]}：{RESOLUTIONS[resolution]}，{why}", internal=True)
    order = queries.get_for(actor, order_id)
    if resolution == "cancel":
        reason = f"{CASE_KINDS[kind]}，平台取消"
        if order.status == UNPAID:
            service.cancel_trade(actor, order.trade_id, reason)
        else:
            service.cancel_paid(actor, order_id, reason)
    elif kind in CASE_HOLDS and order.status != CANCELLED:
        rows.take(order_id)  # twin cases of the kind are resolved one after the other
        same = [k for k, hold in CASE_HOLDS.items() if hold == CASE_HOLDS[kind]]
        others = select(OrderCase.id).where(OrderCase.order_id == order_id, OrderCase.kind.in_(same), OrderCase.status != "resolved")
        if session.scalar(others.limit(1)) is None:
            holds.lift(actor, order_id, CASE_HOLDS[kind], why)


def doubtful(receiver: str, street: str, area_code: str) -> str:
    """Return why a parcel would hardly arrive, '' when the address reads like one. Pure but for the list of counties."""
    if area_code not in {area.code for area in identity.list_areas()}:
        return "所在县区不在配送范围"
    if not _HAN.search(street):
        return "详细地址没有汉字"
    if len(set(street)) < 4 or _RUN.search(street):
        return "详细地址疑似乱填"
    return "收货人姓名为数字" if receiver.isdigit() else ""


def inspect(order_ids: Sequence[int]) -> None:
    """Look at paid orders once: units that are missing and addresses that cannot be right become cases. Repeating finds the same.

    Three queries for them all while nothing is wrong.
    """
    orders = session.scalars(select(Order).where(Order.id.in_(list(order_ids)), Order.status == PAID)).all()
    allocated = inventory.allocated_of([order.id for order in orders])
    short: dict[int, int] = {}
    for line in queries.line_facts([order.id for order in orders]):
        missing = line.quantity - allocated.get(line.id, 0)
        if missing > 0:
            short[line.order_id] = short.get(line.order_id, 0) + missing
    for order in orders:
        order_id, revision = order.id, order.address_rev
        receiver, _, street = addresses.opened(order)
        why = doubtful(receiver, street, order.area_code)
        if order_id in short:
            raise_found(order_id, "oversold", f"oversold:{order_id}", f"已付款但有 {short[order_id]} 件没有库存")
        if why:
            raise_found(order_id, "address", f"address:{order_id}:{revision}", why)


def watch_overdue() -> int:
    """Periodic job: paid orders a day past their shipping deadline become cases; shipping stays possible. Returns how many are new."""
    late = clock.now() - OVERDUE_AFTER
    known = select(OrderCase.id).where(OrderCase.order_id == Order.id, OrderCase.cause.like("overdue:%")).exists()
    ids = session.scalars(
        select(Order.id).where(Order.status == PAID, Order.hold == NONE, Order.ship_due_at < late, ~known).order_by(Order.id).limit(BATCH)
    ).all()
    for order_id in ids:
        raise_found(order_id, "other", f"overdue:{order_id}", "超过发货时限 24 小时仍未发货", hold=False)
    return len(ids)
