"""Events of money become vouchers: receipt, split of a paid order, reversal, refund (commerce.md §2.7, §2.8).

No order between events is assumed: a receipt credits the advance that the split debits, and a reversal makes sure of the split first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.catalog.models import Product
from app.core import cas, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.orders import queries as orders
from app.promotions.models import PromotionAdjustment
from app.settlement.chart import NONE
from app.settlement.models import LineFunding, LineSplit, OrderSplit
from app.settlement.service import ledger
from app.settlement.service.ledger import About, Line
from app.settlement.service.rates import Resolved, Resolver
from app.settlement.shares import Contract, Parts, Worth, between, split, up_to
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

FREIGHT = 0
PLATFORM_PROGRAMME = "platform"


@dataclass(frozen=True)
class Units:
    """Units of a line to give back; line 0 is the freight, as one unit."""

    line_id: int
    count: int


def book_receipt(trade_id: int, amount_fen: int, channel: str, ref_no: str, at: datetime | None) -> None:
    """Book the payment of a trade: the channel owes it, orders will claim it."""
    about = About(f"渠道单号 {ref_no}", channel=channel, flow="pay", ref_no=ref_no, occurred_at=at)
    lines = (Line("channel", amount_fen, subject=channel), Line("advance", -amount_fen))
    ledger.post("receipt", f"receipt:{trade_id}", lines, about)


def book_stray(notice_id: int, amount_fen: int, channel: str, ref_no: str, at: datetime | None) -> None:
    """Book money nobody owed (late, second or wrong amount): it is the buyer's again."""
    about = About(f"渠道单号 {ref_no}，原路退回", channel=channel, flow="pay", ref_no=ref_no, occurred_at=at)
    lines = (Line("channel", amount_fen, subject=channel), Line("refund", -amount_fen))
    ledger.post("stray", f"stray:{notice_id}", lines, about)


def book_refund(refund_id: int, amount_fen: int, channel: str, ref_no: str, at: datetime | None) -> None:
    """Book a refund the channel has carried out."""
    about = About(f"退款单 {ref_no}", channel=channel, flow="refund", ref_no=ref_no, occurred_at=at)
    lines = (Line("refund", amount_fen), Line("channel", -amount_fen, subject=channel))
    ledger.post("refund", f"refund:{refund_id}", lines, about)


def ensure_split(order_id: int) -> OrderSplit:
    """Return the split of a paid order, freezing the rates of the moment of payment and booking it on the first call.

    Raises Conflict(`split.unpaid`), RunAgain when another worker is splitting it at this moment.
    """
    found = session.scalar(select(OrderSplit).where(OrderSplit.order_id == order_id))
    if found is not None:
        return found
    order = orders.get_for(SYSTEM, order_id)
    paid_at = order.paid_at
    if paid_at is None:
        raise Conflict("split.unpaid", "订单尚未付款，没有可分账的金额")
    funding = _funding_of(order_id)
    resolver = Resolver(order.merchant_id, paid_at)
    lines = orders.lines_of([order_id])[order_id]
    products = {line.product_id for line in lines}
    category_of = dict(session.execute(select(Product.id, Product.category_id).where(Product.id.in_(products))).tuples().all())
    made: list[tuple[LineSplit, dict[str, int]]] = []
    first: Resolved | None = None
    for line in lines:
        rule = resolver.resolve(category_of.get(line.product_id, 0))
        first = first or rule
        funds = funding.get(line.id, {})
        base = line.paid_fen + sum(funds.values())
        parts = split(base, rule.contract)
        made.append((_line(order_id, line.id, line.title, line.quantity, line.paid_fen, funds, parts, rule), funds))
    rule = first or resolver.resolve(0)
    funds = funding.get(FREIGHT, {})
    base = order.freight_fen + sum(funds.values())
    if base:
        parts = Parts(0, 0, base, 0) if rule.freight_to == "carrier" else Parts(0, 0, 0, base)
        free = Resolved(rule.rule_id, rule.version, Contract(0), rule.freight_to)
        made.append((_line(order_id, FREIGHT, "运费", 1, order.freight_fen, funds, parts, free), funds))
    row = OrderSplit(
        id=new_id(), order_id=order_id, trade_id=order.trade_id, merchant_id=order.merchant_id, order_no=order.order_no,
        status="frozen", hold=NONE, net_fen=sum(line.merchant_fen for line, _ in made), version=0, paid_at=paid_at,
    )  # fmt: skip
    _store(row, made)
    _book_split(row, made, paid_at)
    return row


def _funding_of(order_id: int) -> dict[int, dict[str, int]]:
    """Return what programmes owe, by line id (0: freight) and programme: the discounts the merchant does not bear."""
    wanted = select(PromotionAdjustment).where(
        PromotionAdjustment.order_id == order_id,
        PromotionAdjustment.is_void == False,  # noqa: E712 - never IS FALSE, which Dameng does not have
    )
    found: dict[int, dict[str, int]] = {}
    for row in session.scalars(wanted):
        for programme, amount in ((PLATFORM_PROGRAMME, row.platform_fen), (row.programme, row.programme_fen)):
            if amount:
                funds = found.setdefault(row.line_id, {})
                funds[programme] = funds.get(programme, 0) + amount
    return found


def _line(
    order_id: int, line_id: int, title: str, quantity: int, paid_fen: int, funds: dict[str, int], parts: Parts, rule: Resolved
) -> LineSplit:
    return LineSplit(
        id=new_id(), order_id=order_id, line_id=line_id, title=title[:80], quantity=quantity, refunded=0, paid_fen=paid_fen,
        funded_fen=sum(funds.values()), fee_fen=parts.fee, promoter_fen=parts.promoter, logistics_fen=parts.logistics,
        merchant_fen=parts.merchant, rule_id=rule.rule_id, rule_version=rule.version, fee_bps=rule.contract.fee_bps,
    )  # fmt: skip


def _store(row: OrderSplit, made: Sequence[tuple[LineSplit, dict[str, int]]]) -> None:
    """Write the split; the unique order decides between two workers."""
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except UniqueViolation as error:
        raise RunAgain("this order is being split by another worker") from error
    session.add_all([line for line, _ in made])
    sql.add_all(
        LineFunding,
        [
            {"id": new_id(), "split_id": line.id, "programme": programme, "amount_fen": amount}
            for line, funds in made
            for programme, amount in funds.items()
        ],
    )
    session.flush()  # the split is read back by a reversal in the same transaction


def _book_split(row: OrderSplit, made: Sequence[tuple[LineSplit, dict[str, int]]], at: datetime) -> None:
    booked: list[Line] = []
    for line, funds in made:
        parts = Parts(line.fee_fen, line.promoter_fen, line.logistics_fen, line.merchant_fen)
        booked += _lines(row.merchant_id, "frozen", Worth(line.paid_fen, tuple(funds.values()), parts), tuple(funds), "advance")
    about = About(f"订单 {row.order_no} 分账", order_id=row.order_id, merchant_id=row.merchant_id, occurred_at=at)
    ledger.post("split", f"split:{row.order_id}", booked, about)


def _lines(merchant_id: int, merchant_account: str, worth: Worth, programmes: tuple[str, ...], cash_account: str) -> list[Line]:
    """Return the booking of a worth: who pays on the debit side, who gets on the credit side."""
    owed = [Line("subsidy", amount, subject=name) for name, amount in zip(programmes, worth.funding, strict=True)]
    return [
        Line(cash_account, worth.cash), *owed, Line("fee", -worth.parts.fee), Line("promoter", -worth.parts.promoter),
        Line("logistics", -worth.parts.logistics), Line(merchant_account, -worth.parts.merchant, merchant_id),
    ]  # fmt: skip


def lines_of(order_id: int) -> list[LineSplit]:
    """Return the split lines of an order, freight last."""
    found = session.scalars(select(LineSplit).where(LineSplit.order_id == order_id).order_by(LineSplit.id)).all()
    return sorted(found, key=lambda line: (line.line_id == FREIGHT, line.id))


def worth_of(line: LineSplit, count: int) -> tuple[Worth, tuple[str, ...]]:
    """Return what the next `count` units of a line are worth, with the programmes in the order of its funding."""
    funds = session.execute(
        select(LineFunding.programme, LineFunding.amount_fen).where(LineFunding.split_id == line.id).order_by(LineFunding.programme)
    ).all()
    parts = Parts(line.fee_fen, line.promoter_fen, line.logistics_fen, line.merchant_fen)
    worth = between(line.paid_fen, [f.amount_fen for f in funds], parts, line.quantity, line.refunded, count)
    return worth, tuple(f.programme for f in funds)


def left_of(line: LineSplit) -> int:
    """Return what is still the merchant's of a line."""
    parts = Parts(line.fee_fen, line.promoter_fen, line.logistics_fen, line.merchant_fen)
    funds = session.scalars(select(LineFunding.amount_fen).where(LineFunding.split_id == line.id).order_by(LineFunding.programme))
    return line.merchant_fen - up_to(line.paid_fen, funds.all(), parts, line.quantity, line.refunded).parts.merchant


def reverse(order_id: int, units: Sequence[Units], cause: str, memo: str, maker: Actor = SYSTEM) -> int:
    """Take units of an order back from everybody in proportion; returns the cash that is the buyer's again, in fen.

    A released order is taken from the merchant's balance; what the balance lacks becomes a receivable. The caller makes sure that
    `cause` happens once. Raises Conflict(`split.units`) when more units are wanted than are left, RunAgain when the order moves
    at the same time.
    """
    row = ensure_split(order_id)
    merchant_id, account = row.merchant_id, "payable" if row.status == "released" else "frozen"
    lines = {line.line_id: line for line in lines_of(order_id)}
    booked: list[Line] = []
    cash = merchant = 0
    all_back = _all_back(lines, units)
    for unit in units:
        line = lines.get(unit.line_id)
        if line is None or unit.count < 1 or line.refunded + unit.count > line.quantity:
            raise Conflict("split.units", "可退数量不足，请刷新后再试")
        worth, programmes = worth_of(line, unit.count)
        given = _lines(merchant_id, account, worth, programmes, "refund")
        booked += [Line(x.kind, -x.amount_fen, x.owner_id, x.subject) for x in given]
        cash += worth.cash
        merchant += worth.parts.merchant
        before = line.refunded
        if not cas.change(LineSplit, line.id, where={"refunded": before}, values={"refunded": before + unit.count}):
            raise RunAgain("the line is being refunded by another worker")
    _move(row, row.net_fen - merchant, all_back=all_back)
    if account == "payable":
        booked += _shortage(merchant_id, merchant)
    about = About(memo, order_id=order_id, merchant_id=merchant_id, maker=maker)
    ledger.post("reversal", cause, booked, about)
    return cash


def _all_back(lines: dict[int, LineSplit], units: Sequence[Units]) -> bool:
    taken = {unit.line_id: unit.count for unit in units}
    return all(line.refunded + taken.get(line.line_id, 0) == line.quantity for line in lines.values())


def _move(row: OrderSplit, net_fen: int, *, all_back: bool) -> None:
    """Take the order's version, so that a release and a reversal cannot overlap."""
    status = "reversed" if all_back and row.status == "frozen" else row.status
    values = {"net_fen": net_fen, "version": row.version + 1, "status": status}
    if not cas.change(OrderSplit, row.id, where={"version": row.version, "status": row.status}, values=values):
        raise RunAgain("the order is being settled by another worker")


def _shortage(merchant_id: int, wanted_fen: int) -> list[Line]:
    """Return the lines that put on the receivable what the merchant's balance cannot pay; holds the balance until the end."""
    ledger.lock_owner(merchant_id)
    short = wanted_fen - ledger.balance("payable", merchant_id)
    return [Line("receivable", short, merchant_id), Line("payable", -short, merchant_id)] if short > 0 else []
