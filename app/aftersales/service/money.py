"""What a case gives back: units at their frozen worth, freight by fault, compensation; one way to the buyer (commerce.md §2.4, §2.9).

Rows: the case, trade, order, line, payment rows, coupons, stock last.
"""

from __future__ import annotations

from sqlalchemy import select

from app.aftersales import queries, states
from app.aftersales.events import CompensationPaid, UnitsRefunded
from app.aftersales.models import Case
from app.aftersales.service import goods
from app.aftersales.service.base import add_entry, limits, move
from app.audit import service as audit
from app.core import cas, clock, events
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.money import format_yuan
from app.orders import queries as order_queries
from app.orders import service as orders
from app.payments import service as payments


def refund_units(actor: Actor, case: Case, units: int, kind: str, note: str | None = None) -> int:
    """Give the buyer what `units` of the line are worth and end the hold of the rest; returns the cash in fen.

    The case goes to `refunding`, or straight to `done` when nothing is left to pay. kind: entry of the timeline that led here.
    Raises Conflict(`case.state`) when a twin was faster.
    """
    case_id, order_id, line_id, trade_id = case.id, case.order_id, case.line_id, case.trade_id
    unsent, at = not case.was_shipped, clock.now()
    move(case, states.REFUNDING, actor, kind, note, back_units=units)
    orders.lock_trade(trade_id)
    back = order_queries.backs_of([order_id])[line_id]
    funders = queries.funders_of(line_id, back.quantity, back.back_units, units)
    cash = orders.give_back(line_id, units, held=case.quantity)
    orders.close_case(order_id, line_id, 0)
    whole = orders.is_all_back(order_id)
    freight = orders.take_freight(order_id) if whole and (unsent or case.fault == states.MERCHANT) else None
    buyer_fee, merchant_fee = _pickup_fees(case, cash)
    total = cash + (freight or 0) - buyer_fee
    refund_id = _pay(case, total)
    values = {
        "refund_fen": total, "freight_fen": freight or 0, "buyer_fee_fen": buyer_fee, "merchant_fee_fen": merchant_fee,
        "refund_id": refund_id, "funders": funders,
    }  # fmt: skip
    _note(actor, case, values)
    if unsent and whole:
        orders.close_refunded(actor, order_id, "全部商品已退款")
    orders.release_undone(trade_id)
    events.publish(
        UnitsRefunded(
            case_id, order_id, line_id, units, total, freight is not None, buyer_fee, merchant_fee, clock.microseconds(at)
        )
    )  # fmt: skip
    if unsent:
        goods.keep_home(case, units)
    return total


def _pickup_fees(case: Case, cash: int) -> tuple[int, int]:
    """Return what the buyer and the merchant bear of a pickup at home; the buyer never more than is given back."""
    if case.kind != states.RETURN or case.method != states.PICKUP or case.tracking_no == "-":
        return 0, 0
    fee = limits().pickup_fee_fen
    return (min(fee, cash), 0) if case.fault == states.BUYER else (0, fee)


def _pay(case: Case, total: int) -> int:
    """Write the refund of a case; returns its id, 0 when nothing is to be paid."""
    if not total:
        return 0
    orders.note_refund(case.order_id, total)
    name = states.KINDS[case.kind]
    return payments.refund_trade(case.trade_id, total, cause=f"aftersale:{case.id}", reason=f"{name} {case.case_no}")


def _note(actor: Actor, case: Case, values: dict[str, object]) -> None:
    """Keep the amounts on the case; without a refund to wait for it is done."""
    done = not values["refund_id"]
    ended = {"status": states.DONE, "finished_at": clock.now()} if done else {}
    order_id, name, total = case.order_id, states.KINDS[case.kind], values["refund_fen"]
    if not cas.change(Case, case.id, where={"status": states.REFUNDING}, values=values | ended):
        raise Conflict("case.state", "售后单状态已变化，请刷新后再试")
    text = f"¥{format_yuan(int(str(total)))}"
    add_entry(case.id, actor, "refunding" if not done else "refunded", text, {"amount_fen": total})
    orders.note_case(order_id, actor, f"{name}：退款 {text}")
    audit.record(actor, "aftersale.refunded", "aftersale", case.id, detail={"amount_fen": total})


def compensate(actor: Actor, case: Case, amount_fen: int, kind: str, note: str | None = None) -> int:
    """Give the buyer money for a line whose goods stay with the buyer; returns what is given, at most what is left of the line.

    The case goes to `refunding`. Raises Conflict(`case.nothing_left`) when the line was given back already.
    """
    case_id, order_id, line_id, trade_id, at = case.id, case.order_id, case.line_id, case.trade_id, clock.now()
    move(case, states.REFUNDING, actor, kind, note)
    orders.lock_trade(trade_id)
    cash = orders.compensate(line_id, amount_fen)
    if cash < 1:
        raise Conflict("case.nothing_left", "该商品已没有可赔付的金额")
    orders.close_case(order_id, line_id, case.quantity)
    values: dict[str, object] = {"refund_fen": cash, "refund_id": _pay(case, cash)}
    _note(actor, case, values)
    events.publish(CompensationPaid(case_id, order_id, line_id, cash, clock.microseconds(at)))
    return cash


def arrived(refund_id: int) -> bool:
    """End the case whose refund the channel carried out; False when the refund is no case's, or the case is done."""
    case = session.scalar(select(Case).where(Case.refund_id == refund_id)) if refund_id else None
    if case is None or case.status != states.REFUNDING:
        return False
    move(case, states.DONE, SYSTEM, "refunded", f"¥{format_yuan(case.refund_fen)}")
    return True
