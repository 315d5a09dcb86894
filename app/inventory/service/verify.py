"""The nightly proof of the stock: columns are the sums of what explains them; what differs becomes a case (commerce.md §2.25 e)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, literal, or_, select

from app.audit import service as audit
from app.core import cas, clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.ids import new_id
from app.inventory import queries
from app.inventory.models import Hold, LotMovement, LotStock, Reservation, Stock, StockCase
from app.inventory.service.columns import reasoned
from dbadapters.errors import UniqueViolation

KINDS = {
    "movements": "库存列与流水不符", "lots": "批次合计与在库不符", "lot_movements": "批次数量与批次流水不符",
    "holds": "活动预留与库存列不符", "reservations": "订单占用与库存列不符", "negative": "出现负数",
}  # fmt: skip
SHOWN = 1_000


@dataclass(frozen=True)
class Finding:
    """A stock row that does not add up. kind: a key of KINDS; text: the two figures."""

    kind: str
    stock_id: int
    text: str


def verify() -> list[Finding]:
    """Return what does not add up, by stock row; empty when all agree. Reads only, in six statements of sums."""
    found = [Finding("movements", d.stock_id, f"列 {d.columns}，流水 {d.movements}") for d in queries.audit_columns()]
    found += [Finding(kind, row[0], _figures(row)) for kind, statement in _checks() for row in session.execute(statement.limit(SHOWN))]
    return found


def _figures(row: Any) -> str:
    return f"列 {int(row[1])}，合计 {int(row[2])}" if len(row) == 3 else "，".join(str(int(value)) for value in row[1:])


def _checks() -> list[tuple[str, Select[Any]]]:
    lots = _sum(LotStock.stock_id, LotStock.on_hand)
    holds = _sum(Hold.stock_id, Hold.held)
    active = _sum(Reservation.stock_id, Reservation.quantity, Reservation.state == "active")
    consumed = _sum(Reservation.stock_id, Reservation.quantity, Reservation.state == "consumed")
    moved = (
        select(
            LotMovement.lot_stock_id.label("row_id"), func.sum(LotMovement.on_hand_delta).label("on_hand"),
            func.sum(LotMovement.quarantined_delta).label("quarantined"),
        )
        .group_by(LotMovement.lot_stock_id)
        .subquery()
    )  # fmt: skip
    of_rows = (func.coalesce(moved.c.on_hand, 0), func.coalesce(moved.c.quarantined, 0))
    free = Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held
    return [
        ("lots", _unequal(Stock.on_hand, lots).where(Stock.tracking == "lot")),
        ("lots", _unequal(Stock.on_hand, lots, wanted=0).where(Stock.tracking != "lot")),
        ("holds", _unequal(Stock.quota_held, holds)),
        ("reservations", _unequal(Stock.reserved, active)),
        ("reservations", _unequal(Stock.allocated, consumed)),
        (
            "lot_movements",
            select(LotStock.stock_id, LotStock.on_hand, of_rows[0], LotStock.quarantined, of_rows[1])
            .outerjoin(moved, moved.c.row_id == LotStock.id)
            .where(or_(LotStock.on_hand != of_rows[0], LotStock.quarantined != of_rows[1])),
        ),
        (
            "negative",
            select(Stock.id, Stock.on_hand, Stock.allocated, Stock.reserved, Stock.quota_held).where(
                or_(Stock.on_hand < 0, Stock.allocated < 0, Stock.reserved < 0, Stock.quota_held < 0, free < 0)
            ),
        ),
    ]


def _sum(key: Any, column: Any, *where: Any) -> Any:
    return select(key.label("stock_id"), func.sum(column).label("total")).where(*where).group_by(key).subquery()


def _unequal(column: Any, sums: Any, wanted: int | None = None) -> Select[Any]:
    """Return rows whose column (or, instead, a fixed figure) is not the sum."""
    total = func.coalesce(sums.c.total, 0)
    left: Any = column if wanted is None else literal(wanted)
    return select(Stock.id, column, total).outerjoin(sums, sums.c.stock_id == Stock.id).where(left != total)


def record(found: list[Finding]) -> int:
    """Open a case for each finding that has none, close those whose row adds up again; returns how many are open."""
    known = {(c.kind, c.stock_id): c for c in session.scalars(select(StockCase).where(StockCase.closed_key == 0))}
    now = {(f.kind, f.stock_id): f for f in found}
    rows = session.execute(select(Stock.id, Stock.merchant_id).where(Stock.id.in_([f.stock_id for f in found][:SHOWN])))
    owners = {row.id: row.merchant_id for row in rows}
    for key, finding in now.items():
        if key not in known and finding.stock_id in owners:
            _open(finding, owners[finding.stock_id])
    for key, case in known.items():
        if key not in now:
            values = {"closed_key": case.id, "resolved_at": clock.now(), "resolution": "复核时已一致"}
            cas.change(StockCase, case.id, where={"closed_key": 0}, values=values)
    return len(now)


def _open(finding: Finding, merchant_id: int) -> None:
    row = StockCase(
        id=new_id(), kind=finding.kind, stock_id=finding.stock_id, merchant_id=merchant_id, detail=finding.text[:200], found_at=clock.now()
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except UniqueViolation:
        return  # another worker's audit opened it


def open_cases() -> list[StockCase]:
    """Return open cases, newest first, up to 200."""
    return list(session.scalars(select(StockCase).where(StockCase.closed_key == 0).order_by(StockCase.id.desc()).limit(200)))


def count_open() -> int:
    """Return how many cases are open."""
    return session.scalar(select(func.count()).select_from(StockCase).where(StockCase.closed_key == 0)) or 0


def resolve(actor: Actor, case_id: int, resolution: str) -> None:
    """Close a case with what was done about it; the next audit opens it again if the row still differs. Raises NotFound, Invalid."""
    why = reasoned(resolution, field="resolution")
    values = {"closed_key": case_id, "resolved_at": clock.now(), "resolution": why}
    if not cas.change(StockCase, case_id, where={"closed_key": 0}, values=values):
        raise NotFound("case.missing", "案例不存在或已处理")
    audit.record(actor, "stock_case.resolved", "stock_case", case_id, detail={"resolution": why})
