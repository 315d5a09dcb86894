"""Warnings that stand until their cause is gone: stock at its threshold (T17), lots near their expiry (T18).

A scan every few minutes compares sets in the database; the hot rows are read, never written. Near expiry means a third and then a
tenth of the lot's life left.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, case, func, select

from app.catalog.models import Sku
from app.core import cas, clock, events
from app.core.actor import Actor
from app.core.db import session
from app.core.ids import new_id
from app.inventory.events import StockAlertRaised
from app.inventory.models import FOREVER, Alert, Lot, LotStock, Stock
from dbadapters.errors import UniqueViolation

KINDS = {"low": "低于安全库存", "third": "剩余效期不足三分之一", "tenth": "剩余效期不足十分之一", "expired": "已过期"}
TONES = {"low": "warn", "third": "info", "tenth": "warn", "expired": "bad"}
ASSUMED_LIFE_DAYS = 180  # of a lot whose production day nobody wrote down
BATCH = 2_000

FREE = Stock.on_hand - Stock.allocated - Stock.reserved - Stock.quota_held
THRESHOLD = case((Stock.safety_stock > 0, Stock.safety_stock), else_=Sku.safety_stock)


@dataclass(frozen=True)
class Due:
    """What calls for a warning now."""

    kind: str
    target_id: int
    stock_id: int
    lot_id: int
    merchant_id: int
    figure: int


def low_rows() -> Select[Any]:
    """Select (stock id, merchant id, available, threshold) of rows at or below their threshold; bundles have none."""
    return (
        select(Stock.id, Stock.merchant_id, FREE.label("free"), THRESHOLD.label("threshold"))
        .join(Sku, Sku.id == Stock.sku_id)
        .where(THRESHOLD > 0, FREE <= THRESHOLD, Stock.tracking != "bundle")
    )


def stage_of(produced_on: date | None, expires_on: date, today: date) -> str:
    """Return third, tenth, expired or '' for a lot's remaining life."""
    if expires_on == FOREVER:
        return ""
    left = (expires_on - today).days
    life = (expires_on - produced_on).days if produced_on else ASSUMED_LIFE_DAYS
    if left < 0:
        return "expired"
    return "tenth" if left * 10 <= life else "third" if left * 3 <= life else ""


def _due() -> dict[tuple[str, int], Due]:
    found = {}
    for stock_id, merchant_id, free, _ in session.execute(low_rows().order_by(Stock.id)):
        found["low", stock_id] = Due("low", stock_id, stock_id, 0, merchant_id, int(free))
    today = clock.business_date()
    rows = session.execute(
        select(LotStock.id, LotStock.stock_id, LotStock.lot_id, LotStock.on_hand, Lot.merchant_id, Lot.produced_on, Lot.expires_on)
        .join(Lot, Lot.id == LotStock.lot_id)
        .where(Lot.status == "open", LotStock.on_hand > 0, Lot.expires_on < FOREVER)
    )
    for row in rows:
        stage = stage_of(row.produced_on, row.expires_on, today)
        if stage:
            found[stage, row.id] = Due(stage, row.id, row.stock_id, row.lot_id, row.merchant_id, row.on_hand)
    return found


def scan() -> int:
    """Periodic job: raise what is new, clear what is over; returns how many were raised. Repeating raises nothing twice."""
    due = _due()
    rows = session.execute(select(Alert.id, Alert.kind, Alert.target_id).where(Alert.closed_key == 0))
    standing = {(row.kind, row.target_id): row.id for row in rows}
    for key, alert_id in standing.items():
        if key not in due:
            cas.change(Alert, alert_id, where={"closed_key": 0}, values={"closed_key": alert_id, "cleared_at": clock.now()})
    raised: dict[int, list[Alert]] = defaultdict(list)
    for key in sorted(due.keys() - standing.keys())[:BATCH]:
        alert = _raise(due[key])
        if alert is not None:
            raised[alert.merchant_id].append(alert)
    for merchant_id, alerts in raised.items():
        low = sum(a.kind == "low" for a in alerts)
        events.publish(StockAlertRaised(merchant_id, alerts[0].id, low, len(alerts) - low))
    return sum(len(alerts) for alerts in raised.values())


def _raise(due: Due) -> Alert | None:
    alert = Alert(
        id=new_id(), merchant_id=due.merchant_id, kind=due.kind, target_id=due.target_id, stock_id=due.stock_id, lot_id=due.lot_id,
        figure=due.figure, raised_at=clock.now(),
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(alert)
            session.flush()
    except UniqueViolation:
        return None  # another worker's scan was faster
    return alert


def count_open(actor: Actor) -> dict[str, int]:
    """Return open warnings by kind, of the merchant or of all."""
    statement = select(Alert.kind, func.count()).where(Alert.closed_key == 0).group_by(Alert.kind)
    if actor.realm == "merchant":
        statement = statement.where(Alert.merchant_id == actor.merchant_id)
    counts = {kind: int(n) for kind, n in session.execute(statement)}
    return {kind: counts.get(kind, 0) for kind in KINDS}
