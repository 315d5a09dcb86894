"""Which case may be opened for a line, as pure functions of the frozen order and the clock (T30 T32 T34; traps 26, 29)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.aftersales import states
from app.aftersales.states import BAD_FRUIT, CLAIM, EXCHANGE, NO_REASON, REASONS, REFUND, REPAIR, RETURN, UNSENT
from app.catalog.queries import RETURN_EXCLUSIONS
from app.core.errors import Conflict

if TYPE_CHECKING:
    from config.settings import Aftersales

FRESH = "fresh"
BAD_SHARE_PERCENT = 10


@dataclass(frozen=True)
class Facts:
    """What a rule looks at. received_at: when the goods arrived or were confirmed, None before."""

    order_status: str
    received_at: datetime | None
    exclusion: str
    at: datetime


def check(kind: str, reason: str, facts: Facts, limits: Aftersales) -> None:
    """Raise Conflict(`case.*`) with the sentence that says why a case of this kind and reason cannot be opened."""
    unsent = facts.order_status == "paid"
    if facts.order_status not in {"paid", "shipped", "completed"}:
        raise Conflict("case.order", "该订单当前不能申请售后")
    if unsent != (reason in UNSENT) or (unsent and kind != REFUND):
        raise Conflict("case.unsent", "商品尚未发货，只能申请仅退款" if unsent else "商品已发出，请选择其他原因")
    if unsent or (reason == "not_received" and facts.order_status == "shipped"):
        return
    if reason == "not_received":
        raise Conflict("case.received", "您已确认收货，不能按未收到货申请")
    if facts.received_at is None:
        raise Conflict("case.not_received", "收到商品后才能申请；如未收到货，请选择“未收到货”")
    if reason == NO_REASON and facts.exclusion != "-":
        raise Conflict("case.excluded", f"{RETURN_EXCLUSIONS[facts.exclusion]}不适用七天无理由退货，下单时您已确认；有质量问题仍可申请售后")
    if reason == BAD_FRUIT and facts.exclusion != FRESH:
        raise Conflict("case.not_fresh", "坏果包赔只适用于生鲜商品，请选择其他原因")
    if kind in (REPAIR, EXCHANGE) and facts.exclusion in (FRESH, "digital"):
        raise Conflict("case.kind", f"{RETURN_EXCLUSIONS[facts.exclusion]}不支持{states.KINDS[kind]}")
    until, words = window(kind, reason, facts.received_at, limits)
    if facts.at >= until:
        raise Conflict("case.late", f"已超过{words}的申请期限")


def window(kind: str, reason: str, received_at: datetime, limits: Aftersales) -> tuple[datetime, str]:
    """Return when a right ends (half open) and its name with the term."""
    if reason == BAD_FRUIT:
        return received_at + timedelta(hours=limits.claim_h), f"签收后 {limits.claim_h} 小时坏果包赔"
    if reason == NO_REASON:
        return received_at + timedelta(days=limits.no_reason_days), f"签收后 {limits.no_reason_days} 天无理由退货"
    days = limits.repair_days if kind == REPAIR else limits.quality_days
    return received_at + timedelta(days=days), f"签收后 {days} 天{states.KINDS[kind]}"


def reasons_for(kind: str, facts: Facts, limits: Aftersales) -> dict[str, str]:
    """Return the reasons that may be chosen for a kind now, key -> name."""
    return {key: reason.name for key, reason in REASONS.items() if kind in reason.kinds and _may(kind, key, facts, limits)}


def _may(kind: str, reason: str, facts: Facts, limits: Aftersales) -> bool:
    try:
        check(kind, reason, facts, limits)
    except Conflict:
        return False
    return True


def kinds_for(facts: Facts, limits: Aftersales) -> dict[str, str]:
    """Return the kinds that may be chosen now, key -> name."""
    return {kind: states.KINDS[kind] for kind in (RETURN, REFUND, EXCHANGE, REPAIR, CLAIM) if reasons_for(kind, facts, limits)}


def is_bad(bad: int, sampled: int) -> bool:
    """Tell whether the bad share is above ten per cent: strictly, in integers (T32)."""
    return bad * 100 > BAD_SHARE_PERCENT * sampled


def compensation(paid_fen: int, bad: int, sampled: int) -> int:
    """Return ⌊paid · bad / sampled⌋, in fen."""
    return paid_fen * bad // sampled
