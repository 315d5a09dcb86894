"""Paid orders before the risk rules: hold and release, denial, shadow, versions, statements (P11; commerce.md §2.23)."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.actor import SYSTEM
from app.core.errors import Conflict
from app.core.tx import transaction
from app.orders import cases, screening, service
from app.orders.models import OrderCase
from app.risk import queries
from app.risk import service as risk
from app.risk.models import RiskDecision, RiskRule
from tests.clients import Browser
from tests.factories import market
from tests.integration.orders import desk
from tests.integration.orders.test_statement_budget import statements


def rule(action: str = "hold", mode: str = "live", code: str = "big", **least: int) -> int:
    """A rule in a mode; by default every amount matches."""
    with transaction():
        rule_id = risk.save(SYSTEM, code, "测试规则", action, 24, least or {"amount_fen": 1})
        risk.set_mode(SYSTEM, rule_id, mode)
    return rule_id


def screened(db: Any, shop: market.Shop | None = None) -> int:
    """A paid order that was judged."""
    shop = shop or market.make_shop(stock=50)
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    order_id = order.id
    with transaction():
        screening.screen([order_id])
    db.rollback()
    return order_id


def test_nothing_is_read_while_no_rule_is_in_force(db: Any) -> None:
    shop = market.make_shop()
    _, (order,) = desk.paid([(shop.sku_ids[0], 1)])
    order_id = order.id
    with transaction():
        screening.screen([order_id])
        with statements() as seen:
            screening.screen([order_id])
    assert seen == []


def test_a_held_order_is_released_by_its_case(db: Any) -> None:
    rule_id, boss = rule(), desk.officer()
    order_id = screened(db)
    assert desk.fresh(order_id).hold == "risk"
    with transaction(), pytest.raises(Conflict):
        service.mark_shipped(SYSTEM, order_id)
    with transaction():
        screening.screen([order_id])
    assert db.query(RiskDecision).count() == db.query(OrderCase).count() == 1, "judged once"
    case_id = db.query(OrderCase).one().id
    with transaction():
        cases.claim(boss, case_id)
    with transaction():
        cases.resolve(boss, case_id, "release", "老客户，已核实")
    assert desk.fresh(order_id).hold == "-"
    decision = queries.decision_of("order", order_id)
    assert decision is not None
    assert (decision.review, decision.reviewed_by, decision.inputs["amount_fen"]) == ("passed", boss.name, 2_490)
    row = db.get_one(RiskRule, rule_id)
    assert (row.hits, row.false_hits, row.shadow_hits) == (1, 1, 0)
    with transaction():
        service.mark_shipped(SYSTEM, order_id)


def test_a_rejected_order_is_refunded(db: Any) -> None:
    rule()
    boss, order_id = desk.officer(), screened(db)
    case_id = db.query(OrderCase).one().id
    with transaction():
        cases.claim(boss, case_id)
    with transaction():
        cases.resolve(boss, case_id, "cancel", "盗刷")
    row = desk.fresh(order_id)
    assert (row.status, row.refunded_fen) == ("cancelled", row.payable_fen)
    decision = queries.decision_of("order", order_id)
    assert decision is not None
    assert decision.review == "refused"


def test_denial_cancels_at_once_and_shadow_does_nothing(db: Any) -> None:
    rule("deny")
    assert desk.fresh(screened(db)).status == "cancelled"
    db.query(RiskRule).delete()
    db.commit()
    risk.forget()
    shadow = rule("deny", "shadow", "dry")
    row = desk.fresh(screened(db))
    assert (row.status, row.hold) == ("paid", "-")
    assert (db.get_one(RiskRule, shadow).shadow_hits, db.get_one(RiskRule, shadow).hits) == (1, 0)


def test_velocity_counts_across_accounts(db: Any) -> None:
    rule("hold", "live", "shared", phone_accounts=3)
    shop = market.make_shop(stock=50)
    found = [desk.fresh(screened(db, shop)).hold for _ in range(3)]
    assert found == ["-", "-", "risk"], "all test buyers have one telephone"


def test_versions_stay_and_name_their_decisions(db: Any) -> None:
    rule_id = rule()
    screened(db)
    with transaction():
        assert risk.save(SYSTEM, "big", "更严", "review", 24, {"amount_fen": 10**9}) == rule_id
    assert [version.version for version in queries.versions_of(rule_id)] == [2, 1]
    assert db.query(RiskDecision).one().hits == [["big", 1, "live", "hold"]]
    assert desk.fresh(screened(db)).hold == "-"


def test_the_pages(app: Any, db: Any) -> None:
    browser = Browser(app)
    browser.sign_in("/operator", market.staff("operator", "operations"), market.PASSWORD)
    form = {"code": "big", "name": "大额", "action": "hold", "hours": "24", "least-amount_fen": "1"}
    for wrong in ({"code": "!"}, {"name": ""}, {"hours": "x"}, {"least-amount_fen": "-5"}, {"action": "allow"}):
        kept = browser.post("/operator/risk/rules", {**form, **wrong})
        assert kept.status_code == 422, wrong
    assert kept.soup.select_one("input[name=name]")["value"] == "大额"
    assert browser.post("/operator/risk/rules", form).status_code == 303
    rule_id = db.query(RiskRule).one().id
    assert browser.post(f"/operator/risk/rules/{rule_id}/mode", {"mode": "loud"}).status_code == 422
    assert browser.post(f"/operator/risk/rules/{rule_id}/mode", {"mode": "live"}).status_code == 303
    risk.forget()
    screened(db)
    assert "big" in browser.get("/operator/risk/decisions?review=open").soup.get_text()
    assert browser.post("/operator/risk/rules/7/mode", {"mode": "live"}).status_code == 404
