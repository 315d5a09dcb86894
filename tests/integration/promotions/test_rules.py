"""Rules as versioned data: moves, four eyes, the process's cache, what prices see (P02, M13, K26; commerce.md trap 26)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as sa_event

from app.core import clock
from app.core import db as core_db
from app.core.actor import SYSTEM, Actor
from app.core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.core.tx import transaction
from app.promotions import pricing, queries, registration, service
from app.promotions.models import PromotionVersion
from app.promotions.pricing import Line, MerchantRule
from tests.factories import market, promotions

AUTHOR = Actor("operator", account_id=11, name="制定人", permissions=frozenset({"promotion.view"}))
OTHER = Actor("operator", account_id=12, name="审核人", permissions=frozenset({"promotion.view"}))


def owner(merchant_id: int) -> Actor:
    return Actor("merchant", account_id=5, name="店主", merchant_id=merchant_id)


def total(merchant_id: int = 1, fen: int = 10_000) -> int:
    context = queries.context({merchant_id: MerchantRule(0, 0)})
    return pricing.quote(context, [Line(7, merchant_id, fen, 1)]).total_fen


def test_a_platform_rule_needs_another_pair_of_eyes(db: Any) -> None:
    with transaction():
        rule_id = service.draft(AUTHOR, promotions.spec()).id
    with transaction():
        assert service.submit(AUTHOR, rule_id) == "submitted"
    assert total() == 10_000, "nothing is in force before approval"
    with pytest.raises(Forbidden, match="four_eyes"), transaction():
        service.approve(AUTHOR, rule_id)
    with transaction():
        service.approve(OTHER, rule_id)
    assert total() == 9_800
    assert promotions.row(db, rule_id).activated_at is not None


def test_a_merchants_rule_starts_by_itself_and_is_only_its_own(db: Any) -> None:
    with transaction():
        rule_id = service.draft(owner(7), promotions.spec(merchant_id=7)).id
    for verb in (service.submit, service.pause, service.end):
        with pytest.raises(NotFound), transaction():
            verb(owner(8), rule_id)
    with pytest.raises(NotFound), transaction():
        service.draft(owner(8), promotions.spec(merchant_id=7))
    with transaction():
        assert service.submit(owner(7), rule_id) == "active"
    assert (total(7), total(8)) == (9_800, 10_000)


def test_moves_follow_the_states(db: Any) -> None:
    rule_id = promotions.start(merchant_id=7)
    steps = [("pause", 10_000), ("resume", 9_800), ("pause", 10_000), ("end", 10_000)]
    for verb, price in steps:
        with transaction():
            getattr(service, verb)(owner(7), rule_id)
        assert total(7) == price, verb
    for verb in ("pause", "resume", "end", "submit"):
        with pytest.raises(Conflict), transaction():
            getattr(service, verb)(owner(7), rule_id)
    assert promotions.row(db, rule_id).status == "ended"


def test_refusal_has_a_reason_and_a_corrected_rule_is_handed_in_again(db: Any) -> None:
    with transaction():
        rule_id = service.draft(AUTHOR, promotions.spec()).id
        service.submit(AUTHOR, rule_id)
    with pytest.raises(Invalid, match="reason"), transaction():
        service.reject(OTHER, rule_id, "  ")
    with transaction():
        service.reject(OTHER, rule_id, "力度过大")
    assert promotions.row(db, rule_id).reject_reason == "力度过大"
    with transaction():
        assert service.revise(AUTHOR, rule_id, promotions.spec(tiers=((1_000, 100),))) == 2
        service.submit(AUTHOR, rule_id)
    with transaction():
        service.approve(OTHER, rule_id)
    assert total() == 9_900


def test_versions_never_change(db: Any) -> None:
    rule_id = promotions.start(merchant_id=7, tiers=((1_000, 300),))
    with pytest.raises(Conflict, match="state"), transaction():
        service.revise(owner(7), rule_id, promotions.spec(merchant_id=7))
    with transaction():
        service.pause(owner(7), rule_id)
        service.revise(owner(7), rule_id, promotions.spec(merchant_id=7, tiers=((1_000, 400),)))
    rows = {v.version: v.spec["tiers"] for v in db.query(PromotionVersion).filter_by(rule_id=rule_id)}
    assert rows == {1: [[1_000, 300]], 2: [[1_000, 400]]}
    assert total(7) == 10_000, "a changed rule is a draft again"
    with transaction():
        service.submit(owner(7), rule_id)
    assert total(7) == 9_600
    with pytest.raises(Invalid, match="kind"), transaction():
        service.pause(owner(7), rule_id)
        service.revise(owner(7), rule_id, promotions.spec("timed", merchant_id=7))


def test_the_window_opens_and_closes_by_the_clock(db: Any) -> None:
    at = clock.now()
    rule_id = promotions.start(merchant_id=7, starts_at=at + timedelta(hours=1), ends_at=at + timedelta(hours=2))
    assert total(7) == 10_000
    with clock.travel(timedelta(minutes=61)):
        assert total(7) == 9_800
    with clock.travel(timedelta(minutes=121)):
        assert total(7) == 10_000
        with transaction():
            assert service.end_due() == 1
        with transaction():
            assert service.end_due() == 0
        assert promotions.row(db, rule_id).status == "ended"
        with pytest.raises(Conflict), transaction():
            service.resume(SYSTEM, rule_id)


def test_a_rolled_back_change_is_not_remembered(db: Any) -> None:
    """The cache may be filled inside a transaction that never commits; the next reader must not see it."""
    rule_id = promotions.start(merchant_id=7)
    assert total(7) == 9_800
    with pytest.raises(ZeroDivisionError), transaction():
        service.pause(owner(7), rule_id)
        assert total(7) == 10_000
        raise ZeroDivisionError
    assert total(7) == 9_800


def count_statements(work: Any) -> int:
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    sa_event.listen(core_db.engine(), "before_cursor_execute", note)
    try:
        work()
    finally:
        sa_event.remove(core_db.engine(), "before_cursor_execute", note)
    return len(seen)


def test_a_price_costs_one_query_while_nothing_changes(db: Any) -> None:
    buyer = queries.Buyer(account_id=market.make_buyer()[0].account_id)
    shops = {7: MerchantRule(0, 0)}
    queries.context(shops, buyer)
    assert count_statements(lambda: queries.context(shops, buyer)) == 1
    promotions.start(merchant_id=7)
    queries.context(shops, buyer)
    assert count_statements(lambda: queries.context(shops, buyer)) == 1
    promotions.start("coupon", merchant_id=7)
    promotions.start("full_cut", quantity=5)
    queries.context(shops, buyer)
    assert count_statements(lambda: queries.context(shops, buyer)) == 3, "the wallet and the room under limits"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "lottery"}, "kind"), ({"owner": "merchant"}, "owner"), ({"title": ""}, "title"), ({"tiers": ()}, "tiers"),
    ({"tiers": ((1_000, 2_000),)}, "tiers"), ({"tiers": ((2_000, 300), (1_000, 400))}, "tiers"),
    ({"tiers": ((1_000, 300), (2_000, 300))}, "tiers"), ({"tiers": ((1_000, 0),)}, "tiers"), ({"merchant_bps": 10_001}, "funder"),
    ({"owner": "programme"}, "programme"), ({"quantity": -1}, "limit"), ({"kind": "first_order", "per_account": 2}, "limit"),
    ({"kind": "coupon"}, "limit"), ({"kind": "member_day", "tiers": (), "rate_bps": 8_000}, "days"),
    ({"kind": "timed", "tiers": (), "rate_bps": 10_000}, "rate"), ({"kind": "timed", "rate_bps": 8_000}, "rate"),
    ({"kind": "freight", "tiers": (), "tags": ("助农",)}, "freight"), ({"channels": ("tv",)}, "channel"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "code"), BAD, ids=lambda value: str(value)[:40])
def test_rules_that_cannot_work_are_refused(db: Any, values: dict[str, Any], code: str) -> None:
    wrong = replace(promotions.spec(), **values)
    with pytest.raises(Invalid, match=f"promotion.{code}"), transaction():
        service.draft(SYSTEM, wrong)


@pytest.mark.parametrize("days", [(0, 0), (3, 1), (0, 400)])
def test_windows_that_cannot_work_are_refused(db: Any, days: tuple[int, int]) -> None:
    at = clock.now()
    wrong = promotions.spec(starts_at=at + timedelta(days=days[0]), ends_at=at + timedelta(days=days[1]))
    with pytest.raises(AppError, match="window"), transaction():
        service.draft(SYSTEM, wrong)


def test_a_spec_survives_its_version_row(db: Any) -> None:
    rule_id = promotions.start(
        "coupon", categories=(3, 4), tags=("助农",), areas=("T01",), rate_bps=8_500, max_off_fen=900, channels=("scan",),
        exclusive=True, merchant_bps=2_500, valid_days=7, is_public=False,
    )  # fmt: skip
    from app.promotions.queries import active

    stored = queries.spec_of(promotions.row(db, rule_id))
    active.forget()
    assert queries.spec_of(promotions.row(db, rule_id)) == stored
    assert (stored.rate_bps, stored.channels, stored.valid_days, stored.is_public) == (8_500, ("scan",), 7, False)
    assert stored.rule(1, 1).funding == pricing.Funding(2_500, 7_500)


def test_periodic_jobs_run(db: Any) -> None:
    for periodic in registration.domain().periodics:
        with transaction():
            periodic.run()
