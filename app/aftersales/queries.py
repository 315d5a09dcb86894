"""Reads of after-sale; every case comes through `get_for`, scoped by who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from app.aftersales import states
from app.aftersales.models import Case, CaseEvent, FruitClaim
from app.core import clock
from app.core.actor import Actor
from app.core.db import session
from app.core.errors import NotFound
from app.core.money import share_of
from app.core.paging import Page, paginate
from app.orders.models import LineBack, OrderLine
from app.promotions.models import PromotionAdjustment
from app.promotions.pricing import Share, reversed_share

COUNT_CAP = 1_000


def get_for(actor: Actor, case_id: int) -> Case:
    """Return a case the actor may see: the buyer's own, the shop's own, any for operators. Raises NotFound."""
    case = session.get(Case, case_id)
    allowed = case is not None and (
        actor.realm == "system"
        or (actor.realm == "consumer" and case.account_id == actor.account_id)
        or (actor.realm == "merchant" and case.merchant_id == actor.merchant_id)
        or (actor.realm == "operator" and actor.can("aftersale.view"))
    )
    if case is None or not allowed:
        raise NotFound("case.missing", "售后单不存在")
    return case


def timeline(case_id: int) -> list[CaseEvent]:
    """Return a case's entries, newest first."""
    newest = (CaseEvent.at.desc(), CaseEvent.id.desc())
    return list(session.scalars(select(CaseEvent).where(CaseEvent.case_id == case_id).order_by(*newest)))


def picture_keys(case_id: int) -> set[str]:
    """Return the keys of every picture of a case; only these are served on its pages."""
    return {key for entry in timeline(case_id) for key in entry.data.get("pictures", [])}


def of_order(order_id: int) -> list[Case]:
    """Return an order's cases, newest first. The caller has checked who may see the order."""
    return list(session.scalars(select(Case).where(Case.order_id == order_id).order_by(Case.id.desc())))


def list_for_account(account_id: int, view: str = "", cursor: str = "", size: int = 10) -> Page[Case]:
    """Return a buyer's cases, newest first; view: '' | open | ended."""
    statement = select(Case).where(Case.account_id == account_id)
    if view:
        statement = statement.where(Case.status.in_(states.OPEN if view == "open" else states.ENDED))
    return paginate(statement, [Case.id], lambda c: [c.id], cursor=cursor, size=size)


def list_for_desk(statuses: Sequence[str], merchant_id: int = 0, cursor: str = "", size: int = 20, word: str = "") -> Page[Case]:
    """Return cases of some statuses by deadline, the nearest first; of one merchant, or all with 0. word: an order or case number."""
    statement = select(Case).where(Case.status.in_(statuses))
    if merchant_id:
        statement = statement.where(Case.merchant_id == merchant_id)
    if word:
        statement = statement.where((Case.case_no == word) | (Case.order_no == word))
    return paginate(statement, [Case.due_us, Case.id], lambda c: [c.due_us, c.id], cursor=cursor, size=size, descending=False)


def list_ended(merchant_id: int = 0, cursor: str = "", size: int = 20, word: str = "") -> Page[Case]:
    """Return ended cases, newest first; of one merchant, or all with 0."""
    statement = select(Case).where(Case.status.in_(states.ENDED))
    if merchant_id:
        statement = statement.where(Case.merchant_id == merchant_id)
    if word:
        statement = statement.where((Case.case_no == word) | (Case.order_no == word))
    return paginate(statement, [Case.id], lambda c: [c.id], cursor=cursor, size=size)


def count(statuses: Sequence[str], *, merchant_id: int = 0, account_id: int = 0, overdue: bool = False) -> int:
    """Return how many cases are in some statuses, up to 1,000; overdue: only those past their deadline."""
    rows = select(Case.id).where(Case.status.in_(statuses))
    if merchant_id:
        rows = rows.where(Case.merchant_id == merchant_id)
    if account_id:
        rows = rows.where(Case.account_id == account_id)
    if overdue:
        rows = rows.where(Case.due_us <= clock.microseconds(clock.now()))
    return session.scalar(select(func.count()).select_from(rows.limit(COUNT_CAP).subquery())) or 0


@dataclass(frozen=True)
class Figures:
    """What the operators' overview shows of the last days; rates in basis points of the answered or ended cases."""

    opened: int
    ended: int
    refund_fen: int
    disputed: int
    answered_in_time_bps: int
    average_reply_s: int


def figures(days: int = 30, reply_h: int = 48, merchant_id: int = 0) -> Figures:
    """Return figures of the cases opened in the last `days` days (T33: answered better than within 48 hours)."""
    since = clock.now() - timedelta(days=days)
    wanted = [Case.opened_at >= since] + ([Case.merchant_id == merchant_id] if merchant_id else [])
    rows = session.execute(
        select(Case.id, Case.status, Case.refund_fen, Case.opened_at, Case.answered_at).where(*wanted).order_by(Case.id.desc()).limit(5_000)
    ).all()
    waits = [int((row.answered_at - row.opened_at).total_seconds()) for row in rows if row.answered_at is not None]
    within = sum(1 for wait in waits if wait <= reply_h * 3_600)
    disputed = session.scalar(
        select(func.count(func.distinct(CaseEvent.case_id)))
        .join(Case, Case.id == CaseEvent.case_id)
        .where(*wanted, CaseEvent.kind.in_(("escalated", "auto_escalated")))
    )
    return Figures(
        len(rows), sum(1 for row in rows if row.status in states.ENDED), sum(row.refund_fen for row in rows), int(disputed or 0),
        within * 10_000 // len(waits) if waits else 10_000, sum(waits) // len(waits) if waits else 0,
    )  # fmt: skip


def expected_fen(line: OrderLine, back: LineBack | None, units: int) -> int:
    """Return what units of a line (as many as are left) would give back now: F(m+k) − F(m), at most what is left of the line."""
    gone, given = (back.back_units, back.back_fen) if back is not None else (0, 0)
    return min(share_of(line.paid_fen, line.quantity, gone, min(units, line.quantity - gone)), line.paid_fen - given)


def free_units(line: OrderLine, back: LineBack | None) -> int:
    """Return how many units of a line a new case may name."""
    return line.quantity - (back.case_units + back.back_units if back is not None else 0)


def funders_of(line_id: int, quantity: int, first: int, units: int) -> dict[str, int]:
    """Return what units first+1 … first+units of a line give back to each who bore a discount, by name; zeros are left out.

    The shares are the frozen ones of the order (never computed again); each telescopes by itself (commerce.md §2.4).
    """
    found: dict[str, int] = {}
    for row in session.scalars(select(PromotionAdjustment).where(PromotionAdjustment.line_id == line_id)):
        share = Share(0, 0, row.amount_fen, row.merchant_fen, row.platform_fen, row.programme_fen)
        part = reversed_share(share, quantity, first, units)
        named = {"商家": part.merchant_fen, "平台": part.platform_fen, row.programme: part.programme_fen}
        for name, fen in named.items():
            if fen:
                found[name] = found.get(name, 0) + fen
    return found


def claims_since(days: int, *, account_id: int = 0, merchant_id: int = 0) -> int:
    """Return how many bad-fruit compensations an account or a merchant had in the last `days` days."""
    rows = select(func.count(FruitClaim.id)).where(FruitClaim.at >= clock.now() - timedelta(days=days))
    if account_id:
        rows = rows.where(FruitClaim.account_id == account_id)
    if merchant_id:
        rows = rows.where(FruitClaim.merchant_id == merchant_id)
    return session.scalar(rows) or 0


def claim_of(line_id: int) -> Any:
    """Return the bad-fruit compensation of a line, None when it had none."""
    return session.scalar(select(FruitClaim).where(FruitClaim.line_id == line_id))
