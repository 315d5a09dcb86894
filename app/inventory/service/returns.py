"""Goods that come back from a buyer: what is good goes into its lot, what is not into quarantine (commerce.md §2.9, trap 18)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from app.audit import service as audit
from app.core import sql
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import Conflict, Invalid
from app.inventory.models import Lot, LotMovement, Reservation, Stock
from app.inventory.service import lot_rows
from app.inventory.service.columns import add, movement, once
from app.inventory.service.lot_rows import Cause
from dbadapters.errors import Conflict as RunAgain


@dataclass(frozen=True)
class Returned:
    """Units of an order line that came back. ordered: units of the line as sold (a bundle's components follow from it);
    lot_id: the lot on the label, 0 the lots the line was shipped from, oldest expiry first.
    """

    order_id: int
    line_id: int
    ordered: int
    good: int
    bad: int
    lot_id: int = 0


def receive_return(actor: Actor, back: Returned, *, cause_id: int, note: str = "-") -> bool:
    """Book units of a shipped line that came back, as the inspection judged them; False when this cause was booked before.

    cause_id: the after-sale case or inspection, once per line. Good units go back to sale in the warehouse they left, in a lot they
    were shipped from; of a lot that is blocked or past its sale they go into quarantine, as all bad units do. Nothing returns by a
    refund alone. Raises Invalid(`return.units`, `return.lot`), Conflict(`return.too_many`) beyond what was shipped and not yet
    returned.
    """
    if back.good < 0 or back.bad < 0 or back.good + back.bad == 0 or back.ordered <= 0:
        raise Invalid("return.units", "请填写退回的数量", field="good")
    rows = session.execute(
        select(Reservation.id, Reservation.stock_id, Reservation.quantity, Reservation.returned, Stock.sku_id, Stock.tracking)
        .join(Stock, Stock.id == Reservation.stock_id)
        .where(Reservation.order_id == back.order_id, Reservation.line_id == back.line_id, Reservation.state == "shipped")
        .order_by(Reservation.id)
    ).all()
    shares = _shares(rows, back)
    lot_rows.block_late({row.sku_id for row in rows if row.tracking == "lot"})
    text = (note or "-")[:120]
    moves = []
    for stock_id, (good, bad) in sorted(_by_stock(shares).items()):
        for kind, on_hand in (("return_good", good), ("return_bad", 0)):
            if good if kind == "return_good" else bad:
                words = text if kind == "return_good" else f"不良 {bad} 件，入隔离区"
                moves.append(
                    movement(
                        stock_id, kind, "return", cause_id, back.line_id, on_hand=on_hand, account_id=actor.account_id, note=words,
                    )
                )  # fmt: skip
    if not once(moves):
        return False
    for row, good, bad in shares:
        _count_returned(row.id, good + bad)
    tracking = {row.stock_id: row.tracking for row in rows}
    totals = _by_stock(shares)
    for stock_id in sorted(totals):
        if not add(stock_id, on_hand=totals[stock_id][0]):
            raise RunAgain("the stock row moved")
    for stock_id in sorted(totals):
        cause = Cause("return_good", "return", cause_id, back.line_id, actor.account_id, text)
        _into_lots(stock_id, tracking[stock_id] == "lot", *totals[stock_id], back, cause)
    lot_rows.set_aside(sorted(totals))
    detail = {"line_id": back.line_id, "good": back.good, "bad": back.bad}
    audit.record(actor, "stock.returned", "order", back.order_id, detail=detail)
    return True


def _shares(rows: Any, back: Returned) -> list[tuple[Any, int, int]]:
    """Spread good and bad units over the line's shipped reservations: (reservation, good, bad). Raises Conflict when too many."""
    shares = []
    by_sku: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        by_sku[row.sku_id].append(row)
    if not by_sku:
        raise Conflict("return.too_many", "这一行没有已发出的商品")
    for parts in by_sku.values():
        per, rest = divmod(sum(row.quantity for row in parts), back.ordered)
        if rest or per == 0:
            raise Invalid("return.units", "退回数量与订单行不符", field="good")
        good, bad = back.good * per, back.bad * per
        for row in parts:
            room = row.quantity - row.returned
            of_good = min(good, room)
            of_bad = min(bad, room - of_good)
            good, bad = good - of_good, bad - of_bad
            if of_good or of_bad:
                shares.append((row, of_good, of_bad))
        if good or bad:
            raise Conflict("return.too_many", "退回数量超过已发出且未退回的数量", field="good")
    return shares


def _by_stock(shares: list[tuple[Any, int, int]]) -> dict[int, tuple[int, int]]:
    totals: dict[int, tuple[int, int]] = {}
    for row, good, bad in shares:
        had = totals.get(row.stock_id, (0, 0))
        totals[row.stock_id] = (had[0] + good, had[1] + bad)
    return totals


def _count_returned(reservation_id: int, units: int) -> None:
    """Count units of a reservation as returned; two returns of one line at once cannot both pass."""
    r = sql.table_of(Reservation).c
    statement = (
        update(sql.table_of(Reservation))
        .where(r.id == reservation_id, r.state == "shipped", r.returned + units <= r.quantity)
        .values({r.returned: r.returned + units})
    )
    if sql.change(statement, {}) != 1:
        raise RunAgain("another return of the line was faster")


def _into_lots(stock_id: int, tracked: bool, good: int, bad: int, back: Returned, cause: Cause) -> None:
    """Put returned units where they belong: lots they were shipped from, or the quarantine of a SKU without lots."""
    worse = Cause("return_bad", cause.type, cause.id, cause.line_id, cause.account_id, cause.note)
    if not tracked:
        if bad:
            lot_rows.change(lot_rows.row_of(stock_id, 0), stock_id, 0, worse, quarantined=bad)
        return
    for lot_id, of_good, of_bad in _lots_back(stock_id, good, bad, back):
        row_id = lot_rows.row_of(stock_id, lot_id)
        if of_good:
            lot_rows.change(row_id, stock_id, lot_id, cause, on_hand=of_good)
        if of_bad:
            lot_rows.change(row_id, stock_id, lot_id, worse, quarantined=of_bad)


def _lots_back(stock_id: int, good: int, bad: int, back: Returned) -> list[tuple[int, int, int]]:
    """Choose (lot, good, bad) among the lots the line left with and has not brought back. Raises Invalid(`return.lot`)."""
    out = LotMovement.on_hand_delta + LotMovement.quarantined_delta
    rows = session.execute(
        select(LotMovement.lot_id, func.sum(-out), func.min(Lot.expires_on))
        .join(Lot, Lot.id == LotMovement.lot_id)
        .where(LotMovement.stock_id == stock_id, LotMovement.line_id == back.line_id, LotMovement.cause_type.in_(("order", "return")))
        .group_by(LotMovement.lot_id)
        .order_by(func.min(Lot.expires_on), LotMovement.lot_id)
    )
    room = [(lot_id, int(units)) for lot_id, units, _ in rows if back.lot_id in (0, lot_id)]
    if sum(units for _, units in room) < good + bad:
        raise Invalid("return.lot", "这一行没有从该批次发出这么多，请核对包装上的批次号", field="lot_id")
    chosen = []
    for lot_id, units in room:
        of_good = min(good, units)
        of_bad = min(bad, units - of_good)
        good, bad = good - of_good, bad - of_bad
        if of_good or of_bad:
            chosen.append((lot_id, of_good, of_bad))
    return chosen
