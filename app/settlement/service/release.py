"""From frozen to payable: after completion and the window, withholding what the merchant owes; holds and refunds by finance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, select, update

from app.audit import service as audit
from app.core import cas, clock, idempotency, jobs, runtime, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.text import clean
from app.orders import queries as orders
from app.orders import rows as order_rows
from app.orders import service as orders_service
from app.orders.models import Order
from app.payments import service as payments
from app.settlement.chart import NONE
from app.settlement.models import OrderSplit, Voucher
from app.settlement.service import ledger
from app.settlement.service.ledger import About, Line
from app.settlement.service.splitting import FREIGHT, Given, Units, compensate, ensure_split, lines_of, reverse, split_all
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

RELEASE_JOB = "settlement.release_order"
BATCH = 500
REFUNDABLE = ("shipped", "completed")


_PLAN = (
    update(sql.table_of(OrderSplit))
    .where(OrderSplit.order_id == bindparam("w_order"), OrderSplit.release_due_at.is_(None), OrderSplit.status == "frozen")
    .values(release_due_at=bindparam("due"))
)


def plan_all(order_ids: Sequence[int]) -> None:
    """Set when completed orders' money is released; a second delivery changes nothing. Raises as `split_all`."""
    split_all(order_ids)
    wait = timedelta(days=runtime.current().settings.settlement.release_after_days)
    for order in sorted(orders.facts(order_ids).values(), key=lambda found: found.id):
        if order.completed_at is not None:
            sql.change(_PLAN, {"w_order": order.id, "due": order.completed_at + wait})


def release_due() -> int:
    """Periodic job: queue one release job for each order whose window has ended; returns how many are due."""
    due = session.scalars(
        select(OrderSplit.order_id)
        .join(Order, Order.id == OrderSplit.order_id)
        .where(OrderSplit.status == "frozen", OrderSplit.release_due_at <= clock.now(), OrderSplit.hold == NONE, Order.case_count == 0)
        .order_by(OrderSplit.release_due_at, OrderSplit.id)
        .limit(BATCH)
    ).all()
    for order_id in due:
        jobs.enqueue_once(RELEASE_JOB, {"order_id": order_id}, key=f"o{order_id}-{clock.business_date():%y%m%d}")
    return len(due)


def release(order_id: int) -> bool:
    """Move an order's net from frozen to payable; False when it is not due, held, in after-sale, or released already.

    What the merchant owes is withheld first; an order that is held itself pays nothing out. Raises RunAgain when the order moves
    at the same time.
    """
    if not order_rows.take_unheld(order_id):
        return False
    row = session.scalar(select(OrderSplit).where(OrderSplit.order_id == order_id))
    if row is None or row.status != "frozen" or row.hold != NONE or row.release_due_at is None or row.release_due_at > clock.now():
        return False
    if orders.get_for(SYSTEM, order_id).case_count:
        return False
    net, merchant_id, order_no = row.net_fen, row.merchant_id, row.order_no
    moved = cas.change(
        OrderSplit, row.id, where={"version": row.version, "status": "frozen", "hold": NONE},
        values={"status": "released", "version": row.version + 1, "released_at": clock.now()},
    )  # fmt: skip
    if not moved:
        raise RunAgain("the order is being refunded by another worker")
    ledger.lock_owner(merchant_id)
    withheld = min(ledger.balance("receivable", merchant_id), net)
    lines = (
        Line("frozen", net, merchant_id), Line("receivable", -withheld, merchant_id), Line("payable", withheld - net, merchant_id),
    )  # fmt: skip
    memo = f"订单 {order_no} 结算" + ("，已扣欠款" if withheld else "")
    ledger.post("release", f"release:{order_id}", lines, About(memo, order_id=order_id, merchant_id=merchant_id))
    return True


def cancelled(order_id: int) -> None:
    """Reverse what no after-sale case gave back of an order that was paid and ended without delivery; repeating changes nothing.

    Units of a case are reversed by its own event, whichever comes first.
    """
    ensure_split(order_id)
    if not _once(f"cancel:{order_id}"):
        return
    order, backs = orders.get_for(SYSTEM, order_id), orders.backs_of([order_id])
    gone = {line_id: back.back_units for line_id, back in backs.items()} | {FREIGHT: order.freight_back}
    left = [Units(line.line_id, line.quantity - gone.get(line.line_id, 0)) for line in lines_of(order_id)]
    if units := [unit for unit in left if unit.count]:
        reverse(order_id, units, f"cancel:{order_id}", "订单取消，分账冲回")


def _once(cause: str) -> bool:
    """Mark a fact as booked; False when it was. A voucher's unique cause does not tell for a fact that moves no money."""
    if idempotency.recall("settlement", cause, "-") is not None:
        return False
    try:
        with session.begin_nested():
            idempotency.remember("settlement", cause, "-", {})
    except UniqueViolation as error:
        raise RunAgain("the same event is being delivered twice") from error
    return True


def units_refunded(case_id: int, order_id: int, units: Sequence[Units], given: Given) -> None:
    """Reverse the units a case gave back, before or after the release; repeating changes nothing."""
    ensure_split(order_id)
    if _once(f"aftersale:{case_id}"):
        known = {line.line_id for line in lines_of(order_id)}  # an order without freight has no such line
        wanted = [unit for unit in units if unit.line_id in known]
        reverse(order_id, wanted, f"aftersale:{case_id}", "售后退款，分账冲回", given=given)


def compensated(case_id: int, order_id: int, amount_fen: int) -> None:
    """Charge a compensation to the merchant; repeating changes nothing."""
    ensure_split(order_id)
    if _once(f"aftersale:{case_id}"):
        compensate(order_id, amount_fen, f"aftersale:{case_id}", "售后赔付")


def refund(actor: Actor, order_id: int, units: Sequence[Units], reason: str, request_key: str) -> int:
    """Refund units of a shipped or completed order (line 0: the freight); returns the cash, 0 when this key was done before.

    The buyer's order, the refund at the channel and the books change together; units in after-sale cases are not free. Raises
    NotFound, Invalid(`refund.reason`), Conflict(`refund.state`, `split.units`, `line.units`, `order.refunded`).
    """
    order = orders.get_for(actor, order_id)
    why = clean(reason)[:100]
    if not why or not units:
        raise Invalid("refund.reason", "请填写退款数量与原因", field="reason")
    if order.status not in REFUNDABLE:
        raise Conflict("refund.state", "只能对已发货或已完成的订单按件退款；未发货的订单请取消")
    cause, trade_id = f"refund:{order_id}:{request_key}"[:60], order.trade_id
    if session.scalar(select(Voucher.id).where(Voucher.cause == f"units:{cause}")) is not None:
        return 0
    ensure_split(order_id)
    lines = {line.line_id: line for line in lines_of(order_id)}
    for unit in units:
        line = lines.get(unit.line_id)
        if line is None or unit.count < 1 or line.refunded + unit.count > line.quantity:
            raise Conflict("split.units", "可退数量不足，请刷新后再试")
    orders_service.lock_trade(trade_id)
    cash = sum(_give_back(order_id, unit) for unit in sorted(units, key=lambda u: (u.line_id == FREIGHT, u.line_id)))
    if cash:
        orders_service.note_refund(order_id, cash)
        payments.refund_trade(trade_id, cash, cause=cause, reason=why)
    orders_service.release_undone(trade_id)
    reverse(order_id, units, f"units:{cause}", f"退款：{why}", actor, Given(cash))
    audit.record(
        actor, "settlement.refunded", "order", order_id,
        detail={"cash_fen": cash, "reason": why, "units": [f"{u.line_id or FREIGHT}x{u.count}" for u in units]},
    )  # fmt: skip
    return cash


def _give_back(order_id: int, unit: Units) -> int:
    """Note on the order what goes back; returns the cash."""
    if unit.line_id != FREIGHT:
        return orders_service.give_back(unit.line_id, unit.count)
    freight = orders_service.take_freight(order_id)
    if freight is None:
        raise Conflict("split.units", "运费已退")
    return freight


def set_hold(actor: Actor, order_id: int, reason: str) -> None:
    """Stop an order's release for a reason, or let it go on with an empty reason. Raises NotFound, Conflict(`split.released`)."""
    row = session.scalar(select(OrderSplit).where(OrderSplit.order_id == order_id))
    if row is None:
        raise NotFound("split.missing", "订单没有分账记录")
    hold = clean(reason)[:40] or NONE
    if not cas.change(OrderSplit, row.id, where={"status": "frozen"}, values={"hold": hold}):
        raise Conflict("split.released", "该订单已结算，不能再暂停")
    audit.record(actor, "settlement.held", "order", order_id, detail={"hold": hold})
