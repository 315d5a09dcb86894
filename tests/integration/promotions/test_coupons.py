"""Coupons from claim to use, exact under races (K03, K15; commerce.md §2.11, §2.25 e, §3 #5 #9, trap 15)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.core.actor import Actor
from app.core.errors import AppError, Conflict, Invalid, NotFound
from app.core.ids import new_id
from app.core.tx import retry_conflicts, transaction
from app.promotions import pricing, queries, service
from app.promotions.models import Coupon, PromotionAdjustment, PromotionUse
from app.promotions.pricing import Line, MerchantRule, Quote
from tests.factories import market, promotions

OPERATOR = Actor("operator", account_id=11, name="运营", permissions=frozenset({"promotion.view"}))
LINE = 7


def buyer(number: int) -> Actor:
    return Actor("consumer", account_id=number, name=f"买家{number}")


def claim(actor: Actor, rule_id: int) -> int:
    with transaction():
        return service.claim(actor, rule_id)


def together(works: list[Callable[[], Any]], at_once: int) -> list[str]:
    """Run works in threads that start together; returns 'won' or the refusal's code of each."""
    from app.core.db import release_session

    gate, outcomes = threading.Barrier(at_once), []

    def run(share: list[Callable[[], Any]]) -> None:
        gate.wait()
        for work in share:
            try:
                retry_conflicts(work, attempts=8)
                outcomes.append("won")
            except AppError as error:
                outcomes.append(error.code)
            finally:
                release_session()

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(run, [works[i::at_once] for i in range(at_once)]))
    return outcomes


def test_200_parallel_claims_of_a_limited_coupon(db: Any) -> None:
    """200 accounts, 20 at a time, for 37 coupons: exactly 37 win, the counter and the rows agree."""
    rule_id = promotions.start("coupon", quantity=37)
    works = [lambda number=number: claim(buyer(number), rule_id) for number in range(1, 201)]
    outcomes = together(works, 20)
    assert len(outcomes) == 200
    assert outcomes.count("won") == 37
    assert set(outcomes) == {"won", "coupon.sold_out"}
    assert db.query(Coupon).filter_by(rule_id=rule_id).count() == 37
    assert promotions.row(db, rule_id).used_count == 37


def test_200_parallel_claims_of_one_account(db: Any) -> None:
    """One account clicks 200 times for a limit of 3: exactly 3 win, with the sequence numbers 1 to 3."""
    rule_id = promotions.start("coupon", quantity=500, per_account=3)
    outcomes = together([lambda: claim(buyer(9), rule_id) for _ in range(200)], 20)
    assert (len(outcomes), outcomes.count("won"), set(outcomes)) == (200, 3, {"won", "coupon.limit"})
    assert sorted(c.seq for c in db.query(Coupon).filter_by(rule_id=rule_id)) == [1, 2, 3]
    assert promotions.row(db, rule_id).used_count == 3


def test_claims_need_an_open_public_coupon(db: Any) -> None:
    at = clock.now()
    later = promotions.start("coupon", starts_at=at + timedelta(hours=1))
    hidden = promotions.start("coupon", is_public=False)
    paused = promotions.start("coupon")
    with transaction():
        service.pause(OPERATOR, paused)
    cut = promotions.start("full_cut")
    for rule_id, refusal in ((later, "coupon.not_open"), (paused, "coupon.not_open"), (hidden, "coupon.missing"), (cut, "coupon.missing"), (404, "coupon.missing")):
        with pytest.raises(AppError, match=refusal):
            claim(buyer(1), rule_id)
    assert db.query(Coupon).count() == 0


def test_a_coupon_of_a_suspended_shop_cannot_be_claimed(db: Any) -> None:
    from app.core.actor import SYSTEM
    from app.merchants import service as merchants

    shop = market.make_shop()
    rule_id = promotions.start("coupon", merchant_id=shop.merchant_id)
    with transaction():
        merchants.suspend(SYSTEM, shop.merchant_id, "整改")
    with pytest.raises(NotFound):
        claim(buyer(1), rule_id)


def test_issue_gives_to_accounts_and_never_more_than_the_total(db: Any) -> None:
    rule_id = promotions.start("coupon", quantity=5, is_public=False)
    with transaction():
        assert service.issue(OPERATOR, rule_id, [1, 2, 3, 2]) == 3
    with transaction():
        assert service.issue(OPERATOR, rule_id, [3, 4]) == 1, "an account at its limit is passed over"
    with pytest.raises(service.SoldOut), transaction():
        service.issue(OPERATOR, rule_id, [5, 6])
    assert db.query(Coupon).count() == 4, "all or nothing"
    assert {c.source for c in db.query(Coupon)} == {"issue"}
    with pytest.raises(Invalid), transaction():
        service.issue(OPERATOR, rule_id, [])
    with transaction():
        service.issue(OPERATOR, rule_id, [7])
    assert promotions.row(db, rule_id).used_count == 5


def test_an_issued_coupon_keeps_its_version(db: Any) -> None:
    """Template edits must not change issued coupons (trap 15)."""
    rule_id = promotions.start("coupon", tiers=((0, 500),))
    claim(buyer(1), rule_id)
    with transaction():
        service.pause(OPERATOR, rule_id)
        service.revise(OPERATOR, rule_id, promotions.spec("coupon", tiers=((0, 1),)))
    assert priced(1).discount_fen == 500
    assert [c.benefit for c in queries.list_own(1).items] == ["立减5"]


def priced(account_id: int, chosen: frozenset[int] | None = None, fen: int = 10_000) -> Quote:
    context = queries.context({1: MerchantRule(0, 0)}, queries.Buyer(account_id), chosen)
    return pricing.quote(context, [Line(LINE, 1, fen, 1)])


def hold(account_id: int, quote: Quote, trade_id: int = 0) -> int:
    trade_id = trade_id or new_id()
    with transaction():
        service.hold(trade_id, account_id, quote, {LINE: 51}, {LINE: 61}, {1: [(51, 0)]})
    return trade_id


def status(db: Any, coupon_id: int) -> str:
    db.rollback()
    db.expire_all()
    return str(db.get_one(Coupon, coupon_id).status)


def test_life_of_a_coupon(db: Any) -> None:
    coupon_id = claim(buyer(1), promotions.start("coupon", tiers=((0, 500),)))
    quote = priced(1)
    assert quote.coupon_ids == (coupon_id,)
    trade = hold(1, quote)
    assert status(db, coupon_id) == "locked"
    assert priced(1).discount_fen == 0, "a locked coupon is not offered twice"
    with transaction():
        assert service.settle(trade) == 1
    assert status(db, coupon_id) == "used"
    with transaction():
        assert service.settle(trade) == 0
    row = db.query(PromotionAdjustment).one()
    assert (row.trade_id, row.order_id, row.line_id, row.coupon_id, row.amount_fen, row.platform_fen) == (trade, 51, 61, coupon_id, 500, 500)


def test_a_coupon_comes_back_once_and_is_usable_again(db: Any) -> None:
    coupon_id = claim(buyer(1), promotions.start("coupon", tiers=((0, 500),)))
    trade = hold(1, priced(1))
    with transaction():
        assert service.release(trade)
    with transaction():
        assert not service.release(trade)
    assert status(db, coupon_id) == "unused"
    again = hold(1, priced(1))
    with transaction():
        assert not service.release(trade), "an older trade cannot take it from the newer one"
    assert status(db, coupon_id) == "locked"
    with transaction():
        service.settle(again)
        service.release(again)
    assert status(db, coupon_id) == "unused", "a paid trade that is wholly undone gives it back too"


def test_a_coupon_that_comes_back_too_late_is_expired(db: Any) -> None:
    coupon_id = claim(buyer(1), promotions.start("coupon", tiers=((0, 500),), valid_days=1))
    trade = hold(1, priced(1))
    with clock.travel(timedelta(days=2)), transaction():
        assert service.expire_due() == 0, "a locked coupon waits for its trade"
        service.release(trade)
    assert status(db, coupon_id) == "expired"


def test_midnight_between_quote_and_placement(db: Any) -> None:
    coupon_id = claim(buyer(1), promotions.start("coupon", tiers=((0, 500),), valid_days=1))
    quote = priced(1)
    with clock.travel(timedelta(days=2)), pytest.raises(service.CouponGone):
        hold(1, quote)
    assert status(db, coupon_id) == "unused"
    assert db.query(PromotionAdjustment).count() == 0


def test_unused_coupons_expire_by_the_clock_and_the_job_tidies(db: Any) -> None:
    coupon_id = claim(buyer(1), promotions.start("coupon", valid_days=1))
    with clock.travel(timedelta(days=2)):
        assert queries.wallet(1) == []
        assert [c.status for c in queries.list_own(1, "expired").items] == ["expired"]
        assert (queries.count_own(1), queries.list_own(1).items) == (0, [])
        with transaction():
            assert service.expire_due() == 1
        with transaction():
            assert service.expire_due() == 0
    assert status(db, coupon_id) == "expired"


def test_void_takes_unused_coupons_only(db: Any) -> None:
    rule_id = promotions.start("coupon", tiers=((0, 500),))
    kept, gone = claim(buyer(1), rule_id), claim(buyer(2), rule_id)
    trade = hold(1, priced(1))
    with pytest.raises(Invalid), transaction():
        service.void_unused(OPERATOR, rule_id, "")
    with transaction():
        assert service.void_unused(OPERATOR, rule_id, "误发") == 1
    assert (status(db, kept), status(db, gone)) == ("locked", "void")
    with transaction():
        service.settle(trade)
    assert status(db, kept) == "used"


def test_a_single_coupon_in_parallel_placements_is_used_once(db: Any) -> None:
    """oscar #2101, saleor #544: the second use must fail, whatever the timing."""
    coupon_id = claim(buyer(1), promotions.start("coupon", tiers=((0, 500),)))
    quote = priced(1)
    outcomes = together([lambda: hold(1, quote) for _ in range(20)], 10)
    assert (outcomes.count("won"), set(outcomes)) == (1, {"won", "coupon.gone"})
    db.rollback()
    assert db.query(PromotionAdjustment).filter_by(coupon_id=coupon_id).count() == 1


def test_somebody_elses_coupon_is_refused(db: Any) -> None:
    claim(buyer(1), promotions.start("coupon", tiers=((0, 500),)))
    quote = priced(1)
    with pytest.raises(service.CouponGone):
        hold(2, quote)


def test_a_limited_rule_is_counted_exactly_under_races(db: Any) -> None:
    """40 accounts place at the same old price for a budget of 7 discounts: exactly 7 win."""
    rule_id = promotions.start("full_cut", tiers=((500, 300),), budget_fen=2_399, per_account=1)
    quotes = {n: priced(n) for n in range(1, 41)}
    outcomes = together([lambda n=n: hold(n, quotes[n]) for n in quotes], 10)
    assert (outcomes.count("won"), set(outcomes)) == (7, {"won", "promotion.gone"})
    row = promotions.row(db, rule_id)
    assert (row.used_count, row.used_fen, db.query(PromotionUse).count()) == (7, 2_100, 7)
    assert priced(99).discount_fen == 0, "the rest of the budget holds no whole discount"


def test_a_use_comes_back_with_its_budget(db: Any) -> None:
    rule_id = promotions.start("full_cut", tiers=((500, 300),), quantity=1, per_account=1)
    trade = hold(1, priced(1))
    assert (priced(1).discount_fen, priced(2).discount_fen) == (0, 0)
    with pytest.raises(service.PromotionGone):
        hold(1, _stale(rule_id))
    with transaction():
        service.release(trade)
    assert priced(1).discount_fen == 300
    row = promotions.row(db, rule_id)
    assert (row.used_count, row.used_fen) == (0, 0)


def _stale(rule_id: int) -> Quote:
    """The price of a page that was loaded before the limit was reached."""
    rule = queries.specs([(rule_id, 1)])[rule_id, 1].rule(rule_id, 1)
    context = pricing.QuoteContext({1: MerchantRule(0, 0)}, clock.now(), (rule,), rooms={rule_id: pricing.Room(1, 9_999)})
    return pricing.quote(context, [Line(LINE, 1, 10_000, 1)])


def test_paying_and_cancelling_at_the_same_time_end_in_one_state(db: Any) -> None:
    """The trade's own compare-and-set decides; whichever verb runs, the coupon ends used or unused, never locked."""
    rule_id = promotions.start("coupon", quantity=50, tiers=((0, 500),))
    for number in range(1, 6):
        coupon_id = claim(buyer(number), rule_id)
        trade = hold(number, priced(number))

        def settle(trade: int = trade) -> None:
            with transaction():
                service.settle(trade)

        def release(trade: int = trade) -> None:
            with transaction():
                service.release(trade)

        together([settle, release], 2)
        assert status(db, coupon_id) == "unused", "release gives a used coupon back, settle does not take a free one"


def test_effects_leave_undone_trades_out(db: Any) -> None:
    rule_id = promotions.start("coupon", tiers=((0, 500),), merchant_bps=2_000)
    claim(buyer(1), rule_id)
    claim(buyer(2), rule_id)
    first, second = hold(1, priced(1)), hold(2, priced(2))
    with transaction():
        service.settle(first)
        service.release(second)
    effect = queries.effects([rule_id])[rule_id]
    assert (effect.orders, effect.off_fen, effect.merchant_fen, effect.platform_fen) == (1, 500, 100, 400)
    assert (effect.claimed, effect.used) == (2, 1)


def test_claimable_says_what_is_left(db: Any) -> None:
    rule_id = promotions.start("coupon", quantity=2)
    assert [(c.state, c.left_percent) for c in queries.claimable(1)] == [("", 100)]
    claim(buyer(1), rule_id)
    assert [(c.state, c.left_percent) for c in queries.claimable(1)] == [("已领取", 50)]
    claim(buyer(2), rule_id)
    assert [(c.state, c.left_percent) for c in queries.claimable(3)] == [("已抢光", 0)]
    with pytest.raises(Conflict, match="sold_out"):
        claim(buyer(3), rule_id)
