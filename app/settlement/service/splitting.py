"""Events of money become vouchers: receipt, split of a paid order, reversal, refund (commerce.md §2.7, §2.8).

No order between events is assumed: a receipt credits the advance that the split debits, and a reversal makes sure of the split first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from app.catalog import queries as catalog
from app.core import cas, sql
from app.core.actor import SYSTEM, Actor
from app.core.db import session
from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.orders import queries as orders
from app.orders.queries import OrderFacts
from app.payments import channels
from app.payments.events import PaymentReceived
from app.promotions.models import PromotionAdjustment
from app.settlement.chart import NONE
from app.settlement.models import LineFunding, LineSplit, OrderSplit
from app.settlement.service import ledger
from app.settlement.service.ledger import About, Booking, Line
from app.settlement.service.rates import RateBook, Resolved
from app.settlement.shares import Contract, Parts, Worth, between, split, up_to
from dbadapters.errors import Conflict as RunAgain
from dbadapters.errors import UniqueViolation

FREIGHT = 0
PLATFORM_PROGRAMME = "platform"
Row = dict[str, Any]
Part = tuple[Row, dict[str, int]]  # a split line, what programmes owe for it
_SPLIT = select(OrderSplit.order_id).where(OrderSplit.order_id.in_(bindparam("ids", expanding=True)))
_FUNDED = select(
    PromotionAdjustment.order_id, PromotionAdjustment.line_id, PromotionAdjustment.platform_fen, PromotionAdjustment.programme,
    PromotionAdjustment.programme_fen,
).where(PromotionAdjustment.order_id.in_(bindparam("ids", expanding=True)), PromotionAdjustment.is_void == bindparam("void"))


@dataclass(frozen=True)
class Units:
    """Units of a line to give back; line 0 is the freight, as one unit."""

    line_id: int
    count: int


def _money(channel: str, amount_fen: int, bonus_fen: int = 0) -> tuple[Line, ...]:
    """Return where a source's money is booked, debit positive: what a channel owes, custody for the bank, liabilities for a wallet."""
    if channel == channels.WALLET:
        return (Line("stored_value", amount_fen - bonus_fen), Line("gift_value", bonus_fen))
    if channel == channels.BANK:
        return (Line("custody", amount_fen),)
    return (Line("channel", amount_fen, subject=channel),)


def book_receipts(receipts: Sequence[PaymentReceived]) -> None:
    """Book the payments of trades: the sources owe them, orders will claim them."""
    ledger.post_all([_receipt(event) for event in receipts])


def _receipt(event: PaymentReceived) -> Booking:
    """Return the voucher of one source; stored value is one cause, the channel another."""
    ref_no, at = event.channel_txn, ledger.instant(event.at_us)
    about = About(f"渠道单号 {ref_no}", channel=event.channel, flow="pay", ref_no=ref_no, occurred_at=at)
    lines = (*_money(event.channel, event.amount_fen, event.bonus_fen), Line("advance", -event.amount_fen))
    return Booking("receipt", f"receipt:{event.trade_id}" + (":stored" if event.channel == channels.WALLET else ""), lines, about)


def book_stray(notice_id: int, amount_fen: int, channel: str, ref_no: str, at: datetime | None) -> None:
    """Book money nobody owed (late, second or wrong amount): it is the buyer's again."""
    about = About(f"渠道单号 {ref_no}，原路退回", channel=channel, flow="pay", ref_no=ref_no, occurred_at=at)
    ledger.post("stray", f"stray:{notice_id}", (*_money(channel, amount_fen), Line("refund", -amount_fen)), about)


def book_refund(refund_id: int, amount_fen: int, channel: str, ref_no: str, at: datetime | None, bonus_fen: int = 0) -> None:
    """Book a refund that has arrived at its source."""
    about = About(f"退款单 {ref_no}", channel=channel, flow="refund", ref_no=ref_no, occurred_at=at)
    ledger.post("refund", f"refund:{refund_id}", (Line("refund", amount_fen), *_money(channel, -amount_fen, -bonus_fen)), about)


def book_top_up(slip_id: int, amount_fen: int, bonus_fen: int, slip_no: str, at: datetime | None) -> None:
    """Book stored value: what came to the custody account is owed to the buyer; what was given with it is a cost of the platform."""
    about = About(f"回单 {slip_no}", channel=channels.BANK, flow="top_up", ref_no=slip_no, occurred_at=at)
    lines = (
        Line("custody", amount_fen), Line("stored_value", -amount_fen), Line("gift_cost", bonus_fen), Line("gift_value", -bonus_fen),
    )  # fmt: skip
    ledger.post("top_up", f"top_up:{slip_id}", lines, about)


def ensure_split(order_id: int) -> OrderSplit:
    """Return the split of a paid order, freezing the rates of the moment of payment and booking it on the first call.

    Raises Conflict(`split.unpaid`), RunAgain when another worker is splitting it at this moment.
    """
    wanted = select(OrderSplit).where(OrderSplit.order_id == order_id)
    found = session.scalar(wanted)
    if found is None:
        split_all([order_id])
        found = session.scalars(wanted).one()
    return found


def split_all(order_ids: Sequence[int]) -> int:
    """Split those of the paid orders that are not yet, as `ensure_split`, and book them together; returns how many.

    Nine queries, four kinds of rows and one update for each account however many orders. Raises NotFound, and as `ensure_split`.
    """
    done = set(sql.read(_SPLIT, {"ids": list(order_ids)}).scalars())
    wanted = sorted(set(order_ids) - done)
    if not wanted:
        return 0
    found = orders.facts(wanted)
    if len(found) < len(wanted):
        raise NotFound("order.missing", "订单不存在")
    made = _draft(found)
    _store(made)
    ledger.post_all([_booking(row, parts) for row, parts in made])
    return len(wanted)


def _draft(found: Mapping[int, OrderFacts]) -> list[tuple[Row, list[Part]]]:
    """Return the rows of splits: each order with its lines and what programmes owe for them."""
    paid = [order.paid_at for order in found.values() if order.paid_at is not None]
    if len(paid) < len(found):
        raise Conflict("split.unpaid", "订单尚未付款，没有可分账的金额")
    book = RateBook(sorted({order.merchant_id for order in found.values()}), min(paid))
    funding = _funding_of(list(found))
    lines_by_order: dict[int, list[Any]] = {order_id: [] for order_id in found}
    for line in orders.line_facts(list(found)):
        lines_by_order[line.order_id].append(line)
    categories = catalog.categories_of(line.product_id for lines in lines_by_order.values() for line in lines)
    return [_split_order(order, lines_by_order[order.id], categories, funding.get(order.id, {}), book) for order in found.values()]


def _split_order(
    order: OrderFacts, lines: Sequence[Any], categories: Mapping[int, int], funding: Mapping[int, dict[str, int]], book: RateBook
) -> tuple[Row, list[Part]]:
    resolver = book.resolver(order.merchant_id, order.paid_at)  # type: ignore[arg-type]  # checked by _draft
    parts: list[Part] = []
    first: Resolved | None = None
    for line in lines:
        rule = resolver.resolve(categories.get(line.product_id, 0))
        first = first or rule
        funds = funding.get(line.id, {})
        shares = split(line.paid_fen + sum(funds.values()), rule.contract)
        parts.append((_line(order.id, line.id, line.title, line.quantity, line.paid_fen, funds, shares, rule), funds))
    rule = first or resolver.resolve(0)
    funds = funding.get(FREIGHT, {})
    base = order.freight_fen + sum(funds.values())
    if base:
        shares = Parts(0, 0, base, 0) if rule.freight_to == "carrier" else Parts(0, 0, 0, base)
        free = Resolved(rule.rule_id, rule.version, Contract(0), rule.freight_to)
        parts.append((_line(order.id, FREIGHT, "运费", 1, order.freight_fen, funds, shares, free), funds))
    row = {
        "id": new_id(), "order_id": order.id, "trade_id": order.trade_id, "merchant_id": order.merchant_id, "order_no": order.order_no,
        "status": "frozen", "hold": NONE, "net_fen": sum(line["merchant_fen"] for line, _ in parts), "version": 0, "paid_at": order.paid_at,
    }  # fmt: skip
    return row, parts


def _funding_of(order_ids: Sequence[int]) -> dict[int, dict[int, dict[str, int]]]:
    """Return what programmes owe, by order, line id (0: freight) and programme: the discounts the merchant does not bear."""
    found: dict[int, dict[int, dict[str, int]]] = {}
    for row in sql.read(_FUNDED, {"ids": list(order_ids), "void": False}):
        for programme, amount in ((PLATFORM_PROGRAMME, row.platform_fen), (row.programme, row.programme_fen)):
            if amount:
                funds = found.setdefault(row.order_id, {}).setdefault(row.line_id, {})
                funds[programme] = funds.get(programme, 0) + amount
    return found


def _line(
    order_id: int, line_id: int, title: str, quantity: int, paid_fen: int, funds: dict[str, int], parts: Parts, rule: Resolved
) -> Row:
    return {
        "id": new_id(), "order_id": order_id, "line_id": line_id, "title": title[:80], "quantity": quantity, "refunded": 0,
        "paid_fen": paid_fen, "funded_fen": sum(funds.values()), "fee_fen": parts.fee, "promoter_fen": parts.promoter,
        "logistics_fen": parts.logistics, "merchant_fen": parts.merchant, "rule_id": rule.rule_id, "rule_version": rule.version,
        "fee_bps": rule.contract.fee_bps,
    }  # fmt: skip


def _store(made: Sequence[tuple[Row, list[Part]]]) -> None:
    """Write splits; the unique order decides between two workers."""
    try:
        sql.add_all(OrderSplit, [row for row, _ in made])
    except UniqueViolation as error:
        raise RunAgain("this order is being split by another worker") from error
    parts = [part for _, parts in made for part in parts]
    sql.add_all(LineSplit, [line for line, _ in parts])
    sql.add_all(
        LineFunding,
        [
            {"id": new_id(), "split_id": line["id"], "programme": programme, "amount_fen": amount}
            for line, funds in parts
            for programme, amount in funds.items()
        ],
    )


def _booking(row: Row, parts: Sequence[Part]) -> Booking:
    booked: list[Line] = []
    for line, funds in parts:
        shares = Parts(line["fee_fen"], line["promoter_fen"], line["logistics_fen"], line["merchant_fen"])
        booked += _lines(row["merchant_id"], "frozen", Worth(line["paid_fen"], tuple(funds.values()), shares), tuple(funds), "advance")
    about = About(f"订单 {row['order_no']} 分账", order_id=row["order_id"], merchant_id=row["merchant_id"], occurred_at=row["paid_at"])
    return Booking("split", f"split:{row['order_id']}", booked, about)


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


@dataclass(frozen=True)
class Given:
    """What the buyer really gets for units, when it is not just their worth: less a fee, or less after a compensation, in fen.

    Fees of a pickup are the carrier's; whatever else the units are worth beyond cash_fen stays with the merchant, who paid it before.
    """

    cash_fen: int
    buyer_fee_fen: int = 0
    merchant_fee_fen: int = 0


def reverse(
    order_id: int, units: Sequence[Units], cause: str, memo: str, maker: Actor = SYSTEM, given: Given | None = None
) -> int:
    """Take units of an order back from everybody in proportion; returns the cash they are worth, in fen.

    A released order is taken from the merchant's balance; what the balance, or a frozen order, lacks becomes a receivable. The
    caller makes sure that `cause` happens once. given: what the buyer gets, default the cash. Raises Conflict(`split.units`) when
    more units are wanted than are left, RunAgain when the order moves at the same time.
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
        shares = _lines(merchant_id, account, worth, programmes, "refund")
        booked += [Line(x.kind, -x.amount_fen, x.owner_id, x.subject) for x in shares]
        cash += worth.cash
        merchant += worth.parts.merchant
        before = line.refunded
        if not cas.change(LineSplit, line.id, where={"refunded": before}, values={"refunded": before + unit.count}):
            raise RunAgain("the line is being refunded by another worker")
    if given is not None:
        kept = cash - given.cash_fen - given.buyer_fee_fen - given.merchant_fee_fen
        fees = given.buyer_fee_fen + given.merchant_fee_fen
        booked += [Line("refund", cash - given.cash_fen), Line("logistics", -fees), Line(account, -kept, merchant_id)]
        merchant -= kept
    _take(row, merchant, booked, all_back=all_back)
    about = About(memo, order_id=order_id, merchant_id=merchant_id, maker=maker)
    ledger.post("reversal", cause, booked, about)
    return cash


def compensate(order_id: int, amount_fen: int, cause: str, memo: str) -> None:
    """Book money the buyer gets while the goods stay with the buyer: the merchant bears it, from wherever its money stands."""
    row = ensure_split(order_id)
    merchant_id, account = row.merchant_id, "payable" if row.status == "released" else "frozen"
    booked = [Line(account, amount_fen, merchant_id), Line("refund", -amount_fen)]
    _take(row, amount_fen, booked, all_back=False)
    ledger.post("compensation", cause, booked, About(memo, order_id=order_id, merchant_id=merchant_id))


def _take(row: OrderSplit, wanted_fen: int, booked: list[Line], *, all_back: bool) -> None:
    """Lower what is the merchant's of an order; adds to the booking what neither the order nor the balance can pay."""
    merchant_id, released, net = row.merchant_id, row.status == "released", row.net_fen - wanted_fen
    _move(row, max(net, 0), all_back=all_back)
    if released:
        booked += _shortage(merchant_id, wanted_fen)
    elif net < 0:
        booked += [Line("receivable", -net, merchant_id), Line("frozen", net, merchant_id)]


def _all_back(lines: dict[int, LineSplit], units: Sequence[Units]) -> bool:
    taken = {unit.line_id: unit.count for unit in units}
    return all(line.refunded + taken.get(line.line_id, 0) == line.quantity for line in lines.values())


def _move(row: OrderSplit, net_fen: int, *, all_back: bool) -> None:
    """Take the order's version, so that a release and a reversal cannot overlap; an order with nothing left is reversed."""
    status = "reversed" if all_back and not net_fen and row.status == "frozen" else row.status
    values = {"net_fen": net_fen, "version": row.version + 1, "status": status}
    if not cas.change(OrderSplit, row.id, where={"version": row.version, "status": row.status}, values=values):
        raise RunAgain("the order is being settled by another worker")


def _shortage(merchant_id: int, wanted_fen: int) -> list[Line]:
    """Return the lines that put on the receivable what the merchant's balance cannot pay; holds the balance until the end."""
    ledger.lock_owner(merchant_id)
    short = wanted_fen - ledger.balance("payable", merchant_id)
    return [Line("receivable", short, merchant_id), Line("payable", -short, merchant_id)] if short > 0 else []
