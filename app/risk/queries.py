"""Reads of risk: rules with what they say, decisions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.core.db import session
from app.core.paging import Page, paginate
from app.risk.models import RiskDecision, RiskRule, RiskVersion


def list_rules() -> list[Any]:
    """Return (rule, spec in force), by code."""
    same = (RiskVersion.rule_id == RiskRule.id) & (RiskVersion.version == RiskRule.version)
    return list(session.execute(select(RiskRule, RiskVersion.spec).join(RiskVersion, same).order_by(RiskRule.code)))


def versions_of(rule_id: int) -> list[RiskVersion]:
    """Return the versions of a rule, newest first."""
    return list(session.scalars(select(RiskVersion).where(RiskVersion.rule_id == rule_id).order_by(RiskVersion.version.desc())))


def list_decisions(review: str = "", cursor: str = "", size: int = 20) -> Page[RiskDecision]:
    """Return decisions, newest first; review: open | passed | refused | none, '' = all."""
    statement = select(RiskDecision)
    if review:
        statement = statement.where(RiskDecision.review == review)
    return paginate(statement, [RiskDecision.id], lambda row: [row.id], cursor=cursor, size=size)


def decision_of(subject_type: str, subject_id: int) -> RiskDecision | None:
    """Return what was decided about a subject."""
    d = RiskDecision
    return session.scalar(select(d).where(d.subject_type == subject_type, d.subject_id == subject_id))
