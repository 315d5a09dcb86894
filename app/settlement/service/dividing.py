"""Dividing the split of an order that becomes two: what was frozen at payment is shared by units, nothing is booked anew.

The accounts do not change, for both parts belong to the same merchant; entries of the payment stay under the order that was paid.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from app.core import cas, sql
from app.core.db import session
from app.core.errors import Conflict
from app.core.ids import new_id
from app.orders.dividing import Move, number_of
from app.settlement.models import LineFunding, LineSplit, OrderSplit
from app.settlement.service.splitting import ensure_split, lines_of
from app.settlement.shares import Parts, up_to
from dbadapters.errors import Conflict as RunAgain


def divide(order_id: int, new_order_id: int, moves: Sequence[Move]) -> None:
    """Share the split of an order with the one that is split from it, in the transaction that moves the lines.

    The split is made first if payment's job has not been here yet: whoever comes second finds it by its unique order.
    Raises Conflict(`split.released`, `split.units`), RunAgain when the order is settled at the same time.
    """
    row = ensure_split(order_id)
    if row.status != "frozen":
        raise Conflict("split.released", "订单已结算或已退款，不能拆分")
    by_id = {line.line_id: line for line in lines_of(order_id)}
    net = 0
    for move in moves:
        line = by_id[move.line_id]
        if line.refunded:
            raise Conflict("split.units", "已退款的商品不能拆分")
        net += _share(line, new_order_id, move)
    version = row.version
    values = {"net_fen": row.net_fen - net, "version": version + 1}
    part = {
        "id": new_id(), "order_id": new_order_id, "trade_id": row.trade_id, "merchant_id": row.merchant_id,
        "order_no": number_of(new_order_id), "status": "frozen", "hold": row.hold, "net_fen": net, "version": 0,
        "paid_at": row.paid_at,
    }  # fmt: skip
    if not cas.change(OrderSplit, row.id, where={"version": version, "status": "frozen"}, values=values):
        raise RunAgain("the order is being settled by another worker")
    sql.add(OrderSplit, part)


def _share(line: LineSplit, new_order_id: int, move: Move) -> int:
    """Give the units that leave their part of a line; returns what of it is the merchant's, in fen."""
    if not move.stays:
        cas.change(LineSplit, line.id, where={"refunded": 0}, values={"order_id": new_order_id})
        return line.merchant_fen
    funds = session.execute(
        select(LineFunding.id, LineFunding.programme, LineFunding.amount_fen)
        .where(LineFunding.split_id == line.id).order_by(LineFunding.programme)
    ).all()  # fmt: skip
    whole = Parts(line.fee_fen, line.promoter_fen, line.logistics_fen, line.merchant_fen)
    stay = up_to(line.paid_fen, [fund.amount_fen for fund in funds], whole, move.quantity, move.stays)
    leave_id = new_id()
    leave = {
        "id": leave_id, "order_id": new_order_id, "line_id": move.new_line_id, "title": line.title, "quantity": move.count, "refunded": 0,
        "paid_fen": line.paid_fen - stay.cash, "funded_fen": line.funded_fen - sum(stay.funding), "fee_fen": whole.fee - stay.parts.fee,
        "promoter_fen": whole.promoter - stay.parts.promoter, "logistics_fen": whole.logistics - stay.parts.logistics,
        "merchant_fen": whole.merchant - stay.parts.merchant, "rule_id": line.rule_id, "rule_version": line.rule_version,
        "fee_bps": line.fee_bps,
    }  # fmt: skip
    kept = {
        "quantity": move.stays, "paid_fen": stay.cash, "funded_fen": sum(stay.funding), "fee_fen": stay.parts.fee,
        "promoter_fen": stay.parts.promoter, "logistics_fen": stay.parts.logistics, "merchant_fen": stay.parts.merchant,
    }  # fmt: skip
    if not cas.change(LineSplit, line.id, where={"refunded": 0, "quantity": move.quantity}, values=kept):
        raise RunAgain("the line is being refunded by another worker")
    sql.add(LineSplit, leave)
    _share_funding(leave_id, [(fund.id, fund.programme, fund.amount_fen, keep) for fund, keep in zip(funds, stay.funding, strict=True)])
    return int(leave["merchant_fen"])


def _share_funding(leave_id: int, funds: Sequence[tuple[int, str, int, int]]) -> None:
    """Divide what programmes owe: (row id, programme, amount, what stays) each; rows of nothing do not exist."""
    f = LineFunding
    for row_id, _, _, keep in funds:
        statement = update(f).where(f.id == row_id).values(amount_fen=keep) if keep else delete(f).where(f.id == row_id)
        session.execute(statement.execution_options(synchronize_session=False))
    sql.add_all(
        LineFunding,
        [
            {"id": new_id(), "split_id": leave_id, "programme": programme, "amount_fen": amount - keep}
            for _, programme, amount, keep in funds if amount > keep
        ],
    )  # fmt: skip
