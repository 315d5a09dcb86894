"""Reads of orders; every row comes through `get_for`, scoped by who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, literal_column, select, union_all

from app.core import sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.paging import Page, paginate
from app.merchants.models import Merchant
from app.orders import addresses
from app.orders.models import Invoice, LineBack, Order, OrderCase, OrderEvent, OrderLine, Trade

COUNT_CAP = 1_000


@dataclass(frozen=True)
class Receiver:
    """The receiver in clear, for the buyer and the shipping merchant."""

    name: str
    phone: str
    street: str


def get_for(actor: Actor, order_id: int) -> Order:
    """Return an order the actor may see: the buyer's own, the merchant's own, any for operators. Raises NotFound."""
    order = session.get(Order, order_id)
    allowed = order is not None and (
        actor.realm == "system"
        or (actor.realm == "consumer" and order.account_id == actor.account_id)
        or (actor.realm == "merchant" and order.merchant_id == actor.merchant_id)
        or (actor.realm == "operator" and actor.can("order.view"))
    )
    if order is None or not allowed:
        raise NotFound("order.missing", "订单不存在")
    return order


_TRADE = select(*sql.table_of(Trade).c).where(Trade.trade_no == bindparam("trade_no"))


def get_trade(actor: Actor, trade_no: str) -> Any:
    """Return the actor's own trade, its columns. Raises NotFound."""
    trade = sql.read(_TRADE, {"trade_no": trade_no}).one_or_none()
    if trade is None or (actor.realm != "system" and trade.account_id != actor.account_id):
        raise NotFound("trade.missing", "订单不存在")
    return trade


def trade_of(order: Order) -> Trade:
    """Return the trade of an order the caller may see."""
    return session.get_one(Trade, order.trade_id)


_TRADE_NO = select(Trade.trade_no).where(Trade.id == bindparam("trade_id"))


def trade_no_of(trade_id: int) -> str:
    """Return the number of a trade the caller may see, '-' for an unknown one."""
    return str(sql.read(_TRADE_NO, {"trade_id": trade_id}).scalar() or "-")


def trade_numbers(trade_ids: Sequence[int]) -> dict[int, str]:
    """Return the numbers of trades by id; one query. At most 500 ids."""
    return dict(session.execute(select(Trade.id, Trade.trade_no).where(Trade.id.in_(set(trade_ids)))).tuples().all())


def orders_of_trade(trade_id: int) -> list[Order]:
    """Return the orders of a trade the caller may see."""
    return list(session.scalars(select(Order).where(Order.trade_id == trade_id).order_by(Order.id)))


def lines_of(order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
    """Return lines by order id; one query."""
    grouped: dict[int, list[OrderLine]] = {order_id: [] for order_id in order_ids}
    if order_ids:
        for line in session.scalars(
            select(OrderLine).where(OrderLine.order_id.in_(list(order_ids))).order_by(OrderLine.id)
        ):
            grouped[line.order_id].append(line)
    return grouped


@dataclass(frozen=True)
class OrderFacts:
    """What the books and the rollups need to know of an order."""

    id: int
    order_no: str
    trade_id: int
    merchant_id: int
    area_code: str
    freight_fen: int
    paid_at: datetime | None
    completed_at: datetime | None


_FACTS = select(
    Order.id, Order.order_no, Order.trade_id, Order.merchant_id, Order.area_code, Order.freight_fen, Order.paid_at, Order.completed_at
).where(Order.id.in_(bindparam("ids", expanding=True)))
_LINE_FACTS = (
    select(OrderLine.id, OrderLine.order_id, OrderLine.product_id, OrderLine.title, OrderLine.quantity, OrderLine.paid_fen)
    .where(OrderLine.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(OrderLine.id)
)


def facts(order_ids: Sequence[int]) -> dict[int, OrderFacts]:
    """Return orders by id, as the system sees them; one query. At most 500 ids."""
    return {row[0]: OrderFacts(*row) for row in sql.read(_FACTS, {"ids": list(order_ids)})}


def line_facts(order_ids: Sequence[int]) -> Sequence[Any]:
    """Return lines (id, order_id, product_id, title, quantity, paid_fen) of orders in id order; one query. At most 500 ids."""
    return sql.read(_LINE_FACTS, {"ids": list(order_ids)}).all()


def backs_of(order_ids: Sequence[int]) -> dict[int, LineBack]:
    """Return what after-sale did to lines, by line id; lines without a case are absent. One query."""
    if not order_ids:
        return {}
    return {row.id: row for row in session.scalars(select(LineBack).where(LineBack.order_id.in_(list(order_ids))))}


def backs_for(order: Order) -> dict[int, LineBack]:
    """Return what after-sale did to the lines of an order; no query for one that never had a refund and has no open case."""
    return backs_of([order.id]) if order.case_count or order.refunded_fen else {}


def units_back(order_id: int) -> dict[int, int]:
    """Return the refunded units of an order's lines by line id; lines without any are absent; one query."""
    rows = select(LineBack.id, LineBack.back_units).join(OrderLine, OrderLine.id == LineBack.id).where(OrderLine.order_id == order_id)
    return {row.id: row.back_units for row in session.execute(rows) if row.back_units}


def timeline(order_id: int, *, internal: bool = True) -> list[OrderEvent]:
    """Return an order's events, newest first; without the internal ones for its buyer."""
    newest = (OrderEvent.at.desc(), OrderEvent.id.desc())
    found = session.scalars(select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(*newest))
    return [event for event in found if internal or not event.data.get("internal", event.kind == "note")]


def has_ordered(account_id: int) -> bool:
    """Tell whether an account has an order that was not cancelled; one query."""
    statement = select(Order.id).where(Order.account_id == account_id, Order.status != "cancelled").limit(1)
    return session.scalar(statement) is not None


def receiver_of(order: Order) -> Receiver:
    """Decrypt the receiver of an order the caller may see in clear."""
    return Receiver(*addresses.opened(order))


def _with_shop() -> Select[Any]:
    return select(Order, Merchant.shop_name).join(Merchant, Merchant.id == Order.merchant_id)


def _listed(statement: Select[Any], status: str, cursor: str, size: int) -> Page[Any]:
    if status:
        statement = statement.where(Order.status == status)
    return paginate(statement, [Order.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def list_for_account(account_id: int, status: str = "", cursor: str = "", size: int = 10) -> Page[Any]:
    """Return (order, shop name) of a buyer, newest first."""
    return _listed(_with_shop().where(Order.account_id == account_id), status, cursor, size)


def count_by_status(merchant_id: int = 0, account_id: int = 0) -> dict[str, int]:
    """Return how many orders (of a merchant or a buyer) are in the open states, each counted up to 1,000: that stays cheap."""
    counts = {"unpaid": 0, "paid": 0, "shipped": 0}
    parts: list[Select[Any]] = []
    for number, status in enumerate(counts):
        rows = select(Order.id).where(Order.status == status)
        if merchant_id:
            rows = rows.where(Order.merchant_id == merchant_id)
        if account_id:
            rows = rows.where(Order.account_id == account_id)
        capped = rows.limit(COUNT_CAP).subquery(f"s{number}")
        parts.append(select(literal_column(str(number)).label("place"), func.count().label("n")).select_from(capped))
    names = list(counts)
    for place, n in session.execute(union_all(*parts)):
        counts[names[int(place)]] = int(n)
    return counts


def count_overdue(at: Any, merchant_id: int = 0) -> int:
    """Return how many paid orders (of a merchant) are past their shipping deadline, up to 1,000."""
    rows = select(Order.id).where(Order.status == "paid", Order.ship_due_at < at)
    if merchant_id:
        rows = rows.where(Order.merchant_id == merchant_id)
    return session.scalar(select(func.count()).select_from(rows.limit(COUNT_CAP).subquery())) or 0


def list_late(at: Any, merchant_id: int = 0, cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (order, shop name) of orders (of a merchant) that are not with the buyer although that was promised, oldest first."""
    statement = _with_shop().where(Order.status.in_(("paid", "shipped")), Order.promised_by < at, Order.delivered_at.is_(None))
    if merchant_id:
        statement = statement.where(Order.merchant_id == merchant_id)
    return paginate(statement, [Order.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False, descending=False)


_PAID_LATE = (
    select(Order.id)
    .where(Order.id.in_(bindparam("ids", expanding=True)), Order.promised_by.is_not(None), Order.paid_at >= Order.promise_pay_by)
    .order_by(Order.id)
)


def paid_past_promise(order_ids: Sequence[int]) -> list[int]:
    """Return those of the orders that were paid too late for what they were promised, in id order; one query. At most 500 ids."""
    return list(sql.read(_PAID_LATE, {"ids": list(order_ids)}).scalars())


def late_unmarked(at: Any, limit: int) -> list[tuple[int, int, Any]]:
    """Return (order, merchant, promised_by) of late orders whose broken promise was not noted yet."""
    late = (Order.promised_by < at, Order.delivered_at.is_(None), Order.promise_missed_at.is_(None))
    rows = select(Order.id, Order.merchant_id, Order.promised_by).where(Order.status.in_(("paid", "shipped")), *late)
    return [(row.id, row.merchant_id, row.promised_by) for row in session.execute(rows.order_by(Order.promised_by).limit(limit))]


def count_to_review(account_id: int) -> int:
    """Return how many lines of a buyer's completed orders have no review yet, up to 1,000."""
    rows = (
        select(OrderLine.id)
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.account_id == account_id, Order.status == "completed", OrderLine.reviewed_at.is_(None))
    )
    return session.scalar(select(func.count()).select_from(rows.limit(COUNT_CAP).subquery())) or 0


def to_review(order_ids: Sequence[int]) -> set[int]:
    """Return which of some orders have a line without a review; one query."""
    if not order_ids:
        return set()
    rows = select(OrderLine.order_id).where(OrderLine.order_id.in_(list(order_ids)), OrderLine.reviewed_at.is_(None))
    return set(session.scalars(rows.distinct()))


def cases_of(order_id: int) -> list[OrderCase]:
    """Return the cases of an order the caller may see, newest first."""
    return list(session.scalars(select(OrderCase).where(OrderCase.order_id == order_id).order_by(OrderCase.id.desc())))


def parts_of(order: Order) -> list[Order]:
    """Return the other parts of an order that was split, or that it was split from; none for an order that never was."""
    root = order.parent_id or order.id
    rows = session.scalars(select(Order).where(Order.trade_id == order.trade_id).order_by(Order.id))
    return [row for row in rows if row.id != order.id and root in (row.id, row.parent_id)]


def list_invoices(merchant_id: int, status: str = "requested", cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (invoice, order) of a shop's paid orders. status: as of invoices, or `due` for those a refund makes due to be taken back."""
    statement = select(Invoice, Order).join(Order, Order.id == Invoice.order_id).where(Invoice.merchant_id == merchant_id)
    if status == "due":
        left = Order.payable_fen - Order.refunded_fen
        statement = statement.where(Invoice.status == "issued", Invoice.amount_fen - Invoice.red_fen > left)
    elif status == "requested":
        statement = statement.where(Invoice.status == status, Order.status.in_(("paid", "shipped", "completed")))
    elif status:
        statement = statement.where(Invoice.status == status)
    return paginate(statement, [Invoice.id], lambda r: [r[0].id], cursor=cursor, size=size, scalars=False)


def list_cases(view: str, kind: str = "", officer_id: int = 0, cursor: str = "", size: int = 20) -> Page[Any]:
    """Return (case, order or None, shop name or None). view: waiting (oldest first) | mine | resolved (newest first)."""
    statement = (
        select(OrderCase, Order, Merchant.shop_name)
        .outerjoin(Order, Order.id == OrderCase.order_id)
        .outerjoin(Merchant, Merchant.id == OrderCase.merchant_id)
    )
    if view == "mine":
        statement = statement.where(OrderCase.officer_id == officer_id, OrderCase.status == "claimed")
    elif view == "resolved":
        statement = statement.where(OrderCase.status == "resolved")
    else:
        statement = statement.where(OrderCase.status.in_(("open", "claimed")))
    if kind:
        statement = statement.where(OrderCase.kind == kind)
    return paginate(
        statement, [OrderCase.id], lambda r: [r[0].id], cursor=cursor, size=size, descending=view == "resolved", scalars=False
    )


def count_cases() -> dict[str, int]:
    """Return how many cases wait, by kind; the queue is short, so they are counted."""
    rows = session.execute(select(OrderCase.kind, func.count()).where(OrderCase.status.in_(("open", "claimed"))).group_by(OrderCase.kind))
    return {kind: int(n) for kind, n in rows}
