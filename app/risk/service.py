"""Verbs of risk: versions and modes of rules, judging with counting of hits, the outcome of a review."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sqlalchemy import case, select, update

from app.audit import service as audit
from app.core import cas, clock, sql
from app.core.actor import Actor
from app.core.cache_reset import on_reset
from app.core.db import session
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.text import clean
from app.risk import rules
from app.risk.models import RiskDecision, RiskRule, RiskVersion
from app.risk.rules import Rule, Verdict

TTL_S = 15.0
_cached: list[tuple[float, tuple[Rule, ...]]] = []


@on_reset
def forget() -> None:
    """Read the rules again at the next judgement."""
    _cached.clear()


def in_force() -> tuple[Rule, ...]:
    """Return the rules that are not off; one query every fifteen seconds for each process."""
    if _cached and _cached[0][0] > time.monotonic():
        return _cached[0][1]
    rows = session.execute(
        select(RiskRule.code, RiskRule.version, RiskRule.state, RiskVersion.spec)
        .join(RiskVersion, (RiskVersion.rule_id == RiskRule.id) & (RiskVersion.version == RiskRule.version))
        .where(RiskRule.state != "off").order_by(RiskRule.code)
    )  # fmt: skip
    found = tuple(_rule(*row) for row in rows)
    _cached[:] = [(time.monotonic() + TTL_S, found)]
    return found


def _rule(code: str, version: int, mode: str, spec: Mapping[str, object]) -> Rule:
    pairs = spec["thresholds"]
    thresholds = tuple((str(feature), int(least)) for feature, least in pairs)  # type: ignore[attr-defined]
    return Rule(code, version, mode, str(spec["name"]), str(spec["action"]), int(str(spec["hours"])), thresholds)


def get_rule(rule_id: int) -> RiskRule:
    """Return a rule. Raises NotFound."""
    row = session.get(RiskRule, rule_id)
    if row is None:
        raise NotFound("risk.rule", "规则不存在")
    return row


def save(actor: Actor, code: str, name: str, action: str, hours: int, thresholds: Mapping[str, int]) -> int:
    """Write the next version of a rule, the first one switched off; returns the rule. Raises Invalid, Conflict(`risk.version`)."""
    key = clean(code)
    if not (2 <= len(key) <= 32 and key.replace("_", "").replace("-", "").isalnum() and key.isascii()):
        raise Invalid("risk.code", "编码为 2–32 位字母、数字、横线", field="code")
    spec = rules.checked(clean(name), action, hours, thresholds)
    row = session.scalar(select(RiskRule).where(RiskRule.code == key))
    version = row.version + 1 if row is not None else 1
    if row is None:
        rule_id = new_id()
        sql.add(RiskRule, {"id": rule_id, "code": key, "state": "off", "version": 1, "hits": 0, "shadow_hits": 0, "false_hits": 0})
    else:
        rule_id = row.id
        if not cas.change(RiskRule, rule_id, where={"version": version - 1}, values={"version": version}):
            raise Conflict("risk.version", "规则刚被他人修改，请刷新后再试")
    made = {"id": new_id(), "rule_id": rule_id, "version": version, "spec": spec, "made_by": actor.name or "-", "made_at": clock.now()}
    sql.add(RiskVersion, made)
    forget()
    audit.record(actor, "risk_rule.saved", "risk_rule", rule_id, detail={"code": key, "version": version, **spec})
    return rule_id


def set_mode(actor: Actor, rule_id: int, mode: str) -> None:
    """Switch a rule off, to shadow or live. Raises NotFound, Invalid(`risk.mode`)."""
    if mode not in rules.MODES:
        raise Invalid("risk.mode", "请选择规则状态", field="mode")
    get_rule(rule_id)
    cas.change(RiskRule, rule_id, where={}, values={"state": mode})
    forget()
    audit.record(actor, "risk_rule.changed", "risk_rule", rule_id, detail={"mode": mode})


def judge(subject_type: str, subject_id: int, account_id: int, collect: Callable[[set[tuple[str, int]]], Mapping[str, int]]) -> str:
    """Judge a subject once and return the action; the decision is kept when a rule matched.

    collect(needed) returns the inputs the rules look at; it is not called while no rule is in force. A second call returns what the
    first decided.
    """
    wanted = in_force()
    if not wanted:
        return "allow"
    d = RiskDecision
    known = session.scalar(select(d.action).where(d.subject_type == subject_type, d.subject_id == subject_id))
    if known is not None:
        return known
    inputs = dict(collect(rules.needed(wanted)))
    verdict = rules.evaluate(wanted, inputs)
    if verdict.hits:
        _keep(subject_type, subject_id, account_id, inputs, verdict)
    return verdict.action


def _keep(subject_type: str, subject_id: int, account_id: int, inputs: Mapping[str, int], verdict: Verdict) -> None:
    at = clock.now()
    sql.add(
        RiskDecision,
        {
            "id": new_id(), "subject_type": subject_type, "subject_id": subject_id, "account_id": account_id, "action": verdict.action,
            "inputs": dict(inputs), "hits": [list(hit) for hit in verdict.hits], "at": at, "reviewed_by": "-",
            "review": "open" if verdict.action in ("review", "hold") else "none",
        },
    )  # fmt: skip
    r = sql.table_of(RiskRule).c
    live = [hit[0] for hit in verdict.hits if hit[2] == "live"]
    codes = sorted(hit[0] for hit in verdict.hits)
    sql.change(
        update(sql.table_of(RiskRule)).where(r.code.in_(codes)).values({
            r.hits: r.hits + case((r.code.in_(live), 1), else_=0), r.shadow_hits: r.shadow_hits + case((r.code.in_(live), 0), else_=1),
            r.last_hit_at: at,
        }), {},
    )  # fmt: skip


def close_review(actor: Actor, subject_type: str, subject_id: int, *, passed: bool) -> bool:
    """Note how a review ended; what was passed counts as a false hit of the rules that held it. False when none was open."""
    d = RiskDecision
    row = session.scalar(select(d).where(d.subject_type == subject_type, d.subject_id == subject_id))
    if row is None:
        return False
    codes = sorted(str(hit[0]) for hit in row.hits if hit[2] == "live")
    values = {"review": "passed" if passed else "refused", "reviewed_by": actor.name or "-", "reviewed_at": clock.now()}
    if not cas.change(RiskDecision, row.id, where={"review": "open"}, values=values):
        return False
    if passed and codes:
        r = sql.table_of(RiskRule).c
        sql.change(update(sql.table_of(RiskRule)).where(r.code.in_(codes)).values({r.false_hits: r.false_hits + 1}), {})
    return True
